/**
 * Mutual exclusion between the processes that change the master key file or store something wrapped by a key of
 * it: a lock on an empty file beside the key file, which ends with its holder.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, limits } from '../kernel/index.ts';
import { lockFile } from './lock-file.ts';
import { masterKeyUnwritable } from './seal-error.ts';

const RETRY_AFTER_MS = 20;

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
  const unlock = await acquire(lockPath);
  try {
    return await work();
  } finally {
    unlock();
  }
}

/** Tries again and again rather than letting SQLite wait, which would stop the event loop that the holder may need. */
async function acquire(lockPath: string): Promise<() => void> {
  for (let waitedMs = 0; ; waitedMs += RETRY_AFTER_MS) {
    const unlock = tryLock(lockPath);
    if (unlock !== null) return unlock;
    if (waitedMs >= limits.masterKeyLockWaitMs) {
      throw new AppError(
        'seal_master_key_busy',
        'Another process has been changing the master key file for too long.',
        {
          kind: 'unavailable',
          hint: 'Wait for the other `sallyport key rotate` to end, then try again.',
          detail: { lockPath },
        },
      );
    }
    await sleep(RETRY_AFTER_MS);
  }
}

function tryLock(lockPath: string): (() => void) | null {
  try {
    return lockFile(lockPath);
  } catch (cause) {
    throw masterKeyUnwritable(lockPath, cause);
  }
}
