/**
 * Mutual exclusion between the processes that change the master key file or store something wrapped by a key of
 * it. It is SQLite's lock on an empty file beside the key file, because the operating system drops that lock when
 * its holder dies, however it dies: nothing stale can be left behind, and nobody has to guess whether it is.
 */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, limits } from '../kernel/index.ts';
import { masterKeyUnwritable } from './seal-error.ts';

const RETRY_AFTER_MS = 20;
const SQLITE_BUSY = 5;
/** Whoever can read the file can hold the lock, and keep everybody else from it. */
const OWNER_ONLY = 0o600;

export interface KeyFileLock {
  /** Runs `work` alone among all holders of this lock on this machine. Not re-entrant. @throws AppError `seal_master_key_busy` */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** @param path of the key file; the lock is `<path>.lock` */
export function keyFileLock(path: string): KeyFileLock {
  // The file lock keeps processes apart; within one, whoever comes later waits for whoever came earlier.
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(work) {
      const mine = last.then(() => runLocked(`${path}.lock`, work));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

async function runLocked<T>(lockPath: string, work: () => Promise<T>): Promise<T> {
  const database = openLockFile(lockPath);
  try {
    await acquire(database, lockPath);
    return await work();
  } finally {
    database.close();
  }
}

function openLockFile(lockPath: string): DatabaseSync {
  try {
    // A lock file that is there is not opened here: closing it again would drop a lock that this process holds on it.
    const found = statSync(lockPath, { throwIfNoEntry: false });
    if (found === undefined) closeSync(openSync(lockPath, 'a', OWNER_ONLY));
    if (((found?.mode ?? 0) & 0o777) !== OWNER_ONLY) chmodSync(lockPath, OWNER_ONLY);
    return new DatabaseSync(lockPath, { timeout: 0 });
  } catch (cause) {
    throw masterKeyUnwritable(lockPath, cause);
  }
}

/** Tries again and again rather than letting SQLite wait, which would stop the event loop that the holder may need. */
async function acquire(database: DatabaseSync, lockPath: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += RETRY_AFTER_MS) {
    try {
      database.exec('BEGIN EXCLUSIVE');
      return;
    } catch (cause) {
      const busy = cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY;
      if (!busy) throw cause;
      if (waitedMs >= limits.masterKeyLockWaitMs) {
        throw new AppError(
          'seal_master_key_busy',
          'Another process has been changing the master key file for too long.',
          {
            kind: 'unavailable',
            hint: 'Wait for the other `sallyport key rotate` to end, then try again.',
            detail: { lockPath },
            cause,
          },
        );
      }
    }
    await sleep(RETRY_AFTER_MS);
  }
}
