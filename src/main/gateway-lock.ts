/**
 * Locks that the operating system keeps: SQLite's lock on an empty file, which ends with its holder however that ends.
 * One says which gateway serves a home, and so may replace the socket that a dead one left behind; others say which
 * gateway's journal is still being written (`journal-folder.ts`).
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../kernel/index.ts';

const SQLITE_BUSY = 5;

/**
 * @param path of the lock file, made if missing
 * @returns gives the lock back; null while somebody else has it
 */
export function lockFile(path: string): (() => void) | null {
  // One that is there is not opened here: closing it again would drop a lock that this process holds on it.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // Nothing is ever written: no second file beside it, which a killed holder would leave behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return null;
    throw error;
  }
  return () => database.close();
}

/**
 * @param path of the lock file, made if missing
 * @returns gives the lock back
 * @throws AppError `gateway_running`
 */
export function lockGateway(path: string): () => void {
  const unlock = lockFile(path);
  if (unlock !== null) return unlock;
  throw new AppError('gateway_running', 'A gateway is running in this home already.', {
    kind: 'conflict',
    hint: '`sallyport status` shows it. Another home: set SALLYPORT_HOME.',
  });
}
