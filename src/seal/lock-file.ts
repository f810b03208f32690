/**
 * Locks that the operating system keeps: SQLite's lock on an empty file, which ends with its holder however that ends.
 * Nothing stale can be left behind, and nobody has to guess whether it is.
 */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;
/** Whoever can read the file can hold the lock, and keep everybody else from it. */
const OWNER_ONLY = 0o600;

/**
 * @param path of the lock file, made if missing
 * @returns gives the lock back; null while somebody else has it, in this process or another
 */
export function lockFile(path: string): (() => void) | null {
  // One that is there is not opened here: closing it again would drop a lock that this process holds on it.
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) closeSync(openSync(path, 'a', OWNER_ONLY));
  else if ((found.mode & 0o777) !== OWNER_ONLY) chmodSync(path, OWNER_ONLY);
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
