/**
 * One gateway at a home, decided by the operating system: SQLite's lock on an empty file, which ends with its holder
 * however that ends. Whoever holds it may replace the socket that a dead gateway left behind.
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../kernel/index.ts';

const SQLITE_BUSY = 5;

/**
 * @param path of the lock file, made if missing
 * @returns gives the lock back
 * @throws AppError `gateway_running`
 */
export function lockGateway(path: string): () => void {
  closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (!(error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY)) throw error;
    throw new AppError('gateway_running', 'A gateway is running in this home already.', {
      kind: 'conflict',
      hint: '`sallyport status` shows it. Another home: set SALLYPORT_HOME.',
    });
  }
  return () => database.close();
}
