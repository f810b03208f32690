/** The SQLite adapter as a whole. */
import { Kysely } from 'kysely';
import type { Backend } from '../backend.ts';
import { storeClosed } from '../errors.ts';
import type { Tables } from '../schema.ts';
import { sqliteAudit } from './audit.ts';
import { SqliteConnection } from './connection.ts';
import { sqliteCounters } from './counters.ts';
import { sqliteFindCredential } from './credential-read.ts';
import { sqliteDialect } from './dialect.ts';
import { checkPages, openSqlite, type SqliteOptions } from './open.ts';
import { sqliteRecordings } from './recordings.ts';
import { sqliteRevision } from './revision.ts';

/** @throws AppError `store_missing`, `store_corrupt`, `store_schema_newer`, `store_locked`, `store_unavailable` */
export function sqliteBackend(options: SqliteOptions): Backend {
  const connection = openSqlite(options);
  const watching = SqliteConnection.open(options.path);
  let closed: Promise<void> | undefined;
  return {
    db: new Kysely<Tables>({ dialect: sqliteDialect(connection) }),
    revision: sqliteRevision(watching, options.clock),
    audit: sqliteAudit(connection),
    counters: sqliteCounters(connection),
    recordings: sqliteRecordings(connection),
    findCredential: sqliteFindCredential(connection),
    check: () => connection.read(() => checkPages(connection)),
    close() {
      closed ??= connection.lock.retire(storeClosed).then(() => {
        watching.close();
        connection.close();
      });
      return closed;
    },
  };
}
