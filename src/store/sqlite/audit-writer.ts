/**
 * The audit log on a connection of its own, whose commits do not wait for the disk: whoever writes says when to sync, and one sync serves many commits. Nothing but audit events goes through here.
 *
 * What SQLite would do at each commit with `synchronous=FULL` is done here for all of them: a sync of the write-ahead
 * log. Moving its pages into the database (a checkpoint) syncs both by itself, so that what has left the log is on
 * the disk, too.
 */
import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { limits } from '../../kernel/index.ts';
import { storeClosed, storeUnavailable } from '../errors.ts';
import type { AuditRepository } from '../repositories/audit.ts';
import { sqliteAudit } from './audit.ts';
import { SqliteConnection } from './connection.ts';

const flushFile = promisify(fdatasync);

export interface AuditWriter extends AuditRepository {
  close(): Promise<void>;
}

/**
 * @param path of a database that is there and up to date
 * @throws AppError `store_corrupt`, `store_locked`, `store_unavailable`
 */
export function sqliteAuditWriter(path: string): AuditWriter {
  const connection = SqliteConnection.open(path, limits.storeBusyTimeoutMs, 'normal');
  connection.exec(`pragma wal_autocheckpoint = ${limits.auditCheckpointPages}`);
  /** Of the write-ahead log, which is there and stays the same file for as long as this connection is open. */
  let log: number | null = null;
  let failed = false;
  let underWay: Promise<void> = Promise.resolve();

  async function sync(): Promise<void> {
    try {
      // Unlike the database itself, the log has no locks that closing a descriptor would drop.
      log ??= openSync(`${path}-wal`, 'r');
      await flushFile(log);
      if (failed) await connection.read(() => moveIntoDatabase(connection));
      failed = false;
    } catch (error) {
      failed = true;
      throw storeUnavailable(path, error instanceof Error ? error.message : 'unknown', error);
    }
  }

  return {
    ...sqliteAudit(connection, () => {
      underWay = sync();
      return underWay;
    }),
    async close() {
      await connection.lock.retire(storeClosed);
      await underWay.catch(() => undefined);
      if (log !== null) closeSync(log);
      connection.close();
    },
  };
}

/**
 * After a sync that failed, the operating system may hold pages for written that are not (it tells only once). They
 * are still in its memory: copied into the database and synced there, they are safe.
 */
function moveIntoDatabase(connection: SqliteConnection): void {
  const [row] = connection.all('pragma wal_checkpoint(passive)');
  // Pages that a reader still needs cannot be moved yet.
  if (row?.['log'] !== row?.['checkpointed'])
    throw new Error('the write-ahead log cannot be moved as a whole');
}
