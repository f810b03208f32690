/** The errors of the store. What the database said goes into `cause`; statements and values never go anywhere. */
import { AppError } from '../kernel/index.ts';

export const storeConflict = (message: string, cause?: unknown): AppError =>
  new AppError('store_conflict', message, { kind: 'conflict', cause });

export const storeCorrupt = (path: string, found: string, cause?: unknown): AppError =>
  new AppError('store_corrupt', 'The database file is damaged or is not a Sallyport database.', {
    kind: 'failed',
    hint: 'Put back a copy of it from a backup.',
    detail: { path, found },
    cause,
  });

/** @param column as `table.column` */
export const rowCorrupt = (column: string, cause: unknown): AppError =>
  new AppError('store_corrupt', `A row of the database is damaged: \`${column}\` is not what was stored.`, {
    kind: 'failed',
    hint: 'Find out who else writes to the database, and put back a copy of it from a backup.',
    detail: { column },
    cause,
  });

export const storeSchemaNewer = (path: string, found: number, known: number): AppError =>
  new AppError('store_schema_newer', 'The database was written by a newer version of Sallyport.', {
    kind: 'failed',
    hint: 'Upgrade Sallyport, or restore a backup that this version made.',
    detail: { path, found, known },
  });

export const storeLocked = (path: string, cause?: unknown): AppError =>
  new AppError('store_locked', 'Another process is holding the database.', {
    kind: 'unavailable',
    hint: 'Try again; if it stays so, see which other `sallyport` command is still running.',
    detail: { path },
    cause,
  });

export const storeUnavailable = (path: string, found: string, cause?: unknown): AppError =>
  new AppError('store_unavailable', 'The database cannot be read or written.', {
    kind: 'failed',
    hint: 'Check the free space and the permissions of the folder that holds it.',
    detail: { path, found },
    cause,
  });

export const storeClosed = (): AppError =>
  new AppError('store_closed', 'The database has been closed: Sallyport is stopping.', {
    kind: 'unavailable',
  });
