/**
 * What is recorded of sessions, on prepared statements: written all the time while anybody is recorded. Commits do not wait
 * for the disk: a loss of power may take the last moments of a recording.
 */
import { limits } from '../../kernel/index.ts';
import { storeClosed } from '../errors.ts';
import type { RecordingRepository } from '../repositories/recordings.ts';
import { fromJson } from '../repositories/scope.ts';
import { SqliteConnection } from './connection.ts';

export interface RecordingAppender extends Pick<RecordingRepository, 'append'> {
  close(): Promise<void>;
}

/**
 * On a connection of its own, for a thread that writes nothing else.
 *
 * @param path of a database that is there and up to date
 * @throws AppError `store_corrupt`, `store_locked`, `store_unavailable`
 */
export function sqliteRecordingAppender(path: string): RecordingAppender {
  const connection = SqliteConnection.open(path, limits.storeBusyTimeoutMs, 'normal');
  return {
    ...sqliteRecordings(connection),
    async close() {
      await connection.lock.retire(storeClosed);
      connection.close();
    },
  };
}

export function sqliteRecordings(connection: SqliteConnection): Pick<RecordingRepository, 'append'> {
  let prepared: ReturnType<typeof prepare> | undefined;

  return {
    append: (workspace, growths) =>
      connection.writeLightly(() => {
        const { begin, find, unknown, rewind, put, grow } = (prepared ??= prepare(connection));
        const removed: string[] = [];
        for (const growth of growths) {
          const { id, begun, from, chunks, entries, calls, dropped, servers, at, isEnded } = growth;
          if (begun !== null) {
            const { profile, server, actor, agent, via, dataKey, startedAt } = begun;
            begin.run(workspace, id, profile ?? '', server ?? '', actor, agent, via, dataKey, startedAt, at);
          }
          const row = find.get(workspace, id);
          if (row === undefined) {
            removed.push(id);
            continue;
          }
          let bytes = -Number(unknown.get(workspace, id, from)?.['bytes'] ?? 0);
          if (bytes < 0) rewind.run(workspace, id, from);
          for (const [index, sealed] of chunks.entries()) {
            put.run(workspace, id, from + index, sealed);
            bytes += sealed.length;
          }
          const before = fromJson(String(row['servers']), 'recordings.servers');
          const known = new Set([...(Array.isArray(before) ? before.map(String) : []), ...servers]);
          const asked = JSON.stringify([...known]);
          grow.run(at, isEnded ? at : null, asked, entries, calls, dropped, bytes, workspace, id);
        }
        return removed;
      }),
  };
}

const prepare = (connection: SqliteConnection) => ({
  begin: connection.prepare(
    `insert into recordings (workspace, id, profile, server, actor, agent, via, data_key, started_at, updated_at,
       ended_at, servers, entries, calls, dropped, bytes)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, '[]', 0, 0, 0, 0) on conflict do nothing`,
  ),
  find: connection.prepare('select servers from recordings where workspace = ? and id = ?'),
  /** What a batch left of which nobody was told that it is written. */
  unknown: connection.prepare(
    `select sum(length(sealed)) as bytes from recording_chunks
     where workspace = ? and recording_id = ? and sequence >= ?`,
  ),
  rewind: connection.prepare(
    'delete from recording_chunks where workspace = ? and recording_id = ? and sequence >= ?',
  ),
  put: connection.prepare(
    'insert into recording_chunks (workspace, recording_id, sequence, sealed) values (?, ?, ?, ?)',
  ),
  grow: connection.prepare(
    `update recordings set updated_at = ?, ended_at = coalesce(?, ended_at), servers = ?, entries = ?,
       calls = ?, dropped = ?, bytes = bytes + ?
     where workspace = ? and id = ?`,
  ),
});
