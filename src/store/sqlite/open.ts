/**
 * Opens a database file: creates it for its owner only, checks that it is ours and whole, and brings its
 * schema up to date. Everything happens before anybody gets to see the connection.
 */
import { chmodSync, closeSync, openSync, type Stats, statSync } from 'node:fs';
import { AppError, type Clock, type Log, limits } from '../../kernel/index.ts';
import { storeCorrupt, storeSchemaNewer, storeUnavailable } from '../errors.ts';
import { SqliteConnection } from './connection.ts';
import { MIGRATIONS, type Migration } from './migrations.ts';

/** `SALY` in the file's header: SQLite's place for saying whose format this is. */
const APPLICATION_ID = 0x53414c59;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

export interface SqliteOptions {
  readonly path: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Refuses to start an empty database where one is expected. */
  readonly mustExist?: boolean;
  /** Other steps than the product's own: for tests of the migration itself. */
  readonly migrations?: readonly Migration[];
}

/** @throws AppError `store_missing`, `store_corrupt`, `store_schema_newer`, `store_locked`, `store_unavailable` */
export function openSqlite(options: SqliteOptions): SqliteConnection {
  const sizeBytes = prepareFile(options);
  const connection = SqliteConnection.open(options.path);
  try {
    if (sizeBytes > 0 && sizeBytes <= limits.storeCheckAtOpenBytesMax) checkPages(connection);
    migrate(connection, options);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Reads every page and index. Seconds for a large file.
 * @throws AppError `store_corrupt`
 */
export function checkPages(connection: SqliteConnection): void {
  const found = connection.all('pragma quick_check(1)')[0]?.['quick_check'];
  if (found !== 'ok') throw storeCorrupt(connection.path, String(found));
}

/**
 * Asks about the file, and makes it where it is not: it never opens one that is there. Closing a descriptor drops
 * every lock that the process has on the file (POSIX), those of another connection included.
 *
 * @returns the size before anything was written to it, in bytes
 */
function prepareFile({ path, log, mustExist }: SqliteOptions): number {
  try {
    const found = statOf(path);
    if (mustExist === true && (found === undefined || found.size === 0)) throw storeMissing(path);
    if (found?.isFile() === false) throw storeUnavailable(path, 'it is not a regular file');
    // SQLite gives its two companion files the mode of this one.
    if (found === undefined) closeSync(openSync(path, 'a', OWNER_ONLY));
    for (const file of [path, `${path}-wal`, `${path}-shm`]) tighten(file, log);
    return found?.size ?? 0;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw storeUnavailable(path, error instanceof Error ? error.message : 'unknown', error);
  }
}

const statOf = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

function tighten(path: string, log: Log): void {
  const mode = statOf(path)?.mode ?? 0;
  if ((mode & OTHERS) === 0) return;
  chmodSync(path, OWNER_ONLY);
  log.warn('store.mode_tightened', { path, mode: (mode & 0o777).toString(8) });
}

const storeMissing = (path: string): AppError =>
  new AppError('store_missing', 'There is no Sallyport database here yet.', {
    kind: 'not_found',
    hint: 'Run `sallyport init`.',
    detail: { path },
  });

function migrate(connection: SqliteConnection, { clock, log, migrations = MIGRATIONS }: SqliteOptions): void {
  const known = migrations.at(-1)?.version ?? 0;
  if (schemaVersion(connection) === known) return;
  connection.immediate(() => {
    // Read again: another process may have done it while this one waited for its turn.
    const found = schemaVersion(connection);
    if (found > known) throw storeSchemaNewer(connection.path, found, known);
    connection.exec(`pragma application_id = ${APPLICATION_ID}`);
    connection.exec(
      'create table if not exists schema_migrations (version integer primary key, name text not null, applied_at integer not null) strict',
    );
    const record = connection.prepare(
      'insert into schema_migrations (version, name, applied_at) values (?, ?, ?)',
    );
    for (const { version, name, statements } of migrations) {
      if (version <= found) continue;
      for (const statement of statements) connection.exec(statement);
      record.run(version, name, clock.now());
      log.info('store.migrated', { version, name });
    }
  });
}

/** 0 for an empty file. @throws AppError `store_corrupt` for a database of somebody else */
function schemaVersion(connection: SqliteConnection): number {
  const tables = connection.number('select count(*) from sqlite_schema');
  if (tables === 0) return 0;
  if (connection.number('pragma application_id') !== APPLICATION_ID) {
    throw storeCorrupt(connection.path, 'another application id');
  }
  return connection.number('select max(version) from schema_migrations');
}
