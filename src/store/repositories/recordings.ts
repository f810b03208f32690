import type { WorkspaceId } from '../../kernel/index.ts';
import type { RecordingGrowth, RecordingRecord } from '../records.ts';
import type { RecordingsTable } from '../schema.ts';
import { asBuffer, fromJson, type Scope } from './scope.ts';

/** What is asked of the list of recorded sessions. What is absent is not asked about. */
interface RecordingQuery {
  readonly profile?: string;
  /** One that was asked in it. */
  readonly server?: string;
  /** Milliseconds since the Unix epoch: those that went on after it. */
  readonly since?: number;
  readonly limit: number;
}

/** Recorded sessions and their sealed chunks. */
export interface RecordingRepository {
  /**
   * All of it or nothing, but for sessions that somebody removed meanwhile: nothing is taken of those. Outlives the end of
   * the process on return, not a loss of power. Said again, it is the same as said once.
   *
   * @returns ids of the sessions that were removed; what begins is none of them
   * @throws AppError `store_…`
   */
  append(workspace: WorkspaceId, growths: readonly RecordingGrowth[]): Promise<readonly string[]>;
  find(workspace: WorkspaceId, id: string): Promise<RecordingRecord | null>;
  /** The latest first. */
  list(workspace: WorkspaceId, query: RecordingQuery): Promise<readonly RecordingRecord[]>;
  /** In their order. @param from the first number */
  chunks(
    workspace: WorkspaceId,
    id: string,
    from: number,
    limit: number,
  ): Promise<readonly { readonly sequence: number; readonly sealed: Buffer }[]>;
  /** With its chunks. @returns whether there was one */
  remove(workspace: WorkspaceId, id: string): Promise<boolean>;
  /** Of all of them, the oldest first: what a retention goes by. */
  sizes(
    workspace: WorkspaceId,
  ): Promise<readonly Pick<RecordingRecord, 'id' | 'updatedAt' | 'endedAt' | 'bytes'>[]>;
}

/** The empty string stands for none. */
const NONE = '';

/** All but what is done twice a second. */
export function recordingRepository({ db }: Scope): Omit<RecordingRepository, 'append'> {
  return {
    async find(workspace, id) {
      const row = await db
        .selectFrom('recordings')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async list(workspace, { profile, server, since, limit }) {
      let query = db.selectFrom('recordings').selectAll().where('workspace', '=', workspace);
      if (profile !== undefined) query = query.where('profile', '=', profile);
      // Slugs have no character that a pattern or JSON knows.
      if (server !== undefined) query = query.where('servers', 'like', `%"${server}"%`);
      if (since !== undefined) query = query.where('updated_at', '>=', since);
      const rows = await query.orderBy('started_at', 'desc').orderBy('id').limit(limit).execute();
      return rows.map(toRecord);
    },
    async chunks(workspace, id, from, limit) {
      const rows = await db
        .selectFrom('recording_chunks')
        .select(['sequence', 'sealed'])
        .where('workspace', '=', workspace)
        .where('recording_id', '=', id)
        .where('sequence', '>=', from)
        .orderBy('sequence')
        .limit(limit)
        .execute();
      return rows.map(({ sequence, sealed }) => ({ sequence, sealed: asBuffer(sealed) }));
    },
    async remove(workspace, id) {
      const result = await db
        .deleteFrom('recordings')
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
    async sizes(workspace) {
      const rows = await db
        .selectFrom('recordings')
        .select(['id', 'updated_at', 'ended_at', 'bytes'])
        .where('workspace', '=', workspace)
        .orderBy('updated_at')
        .execute();
      return rows.map(({ id, updated_at, ended_at, bytes }) => ({
        id,
        updatedAt: updated_at,
        endedAt: ended_at,
        bytes,
      }));
    },
  };
}

const slugsOf = (text: string): readonly string[] => {
  const value = fromJson(text, 'recordings.servers');
  return Array.isArray(value) ? value.map(String) : [];
};

const toRecord = (row: RecordingsTable): RecordingRecord => ({
  id: row.id,
  profile: row.profile === NONE ? null : row.profile,
  server: row.server === NONE ? null : row.server,
  actor: row.actor,
  agent: row.agent,
  via: row.via === 'session' ? 'session' : 'requests',
  dataKey: asBuffer(row.data_key),
  startedAt: row.started_at,
  updatedAt: row.updated_at,
  endedAt: row.ended_at,
  servers: slugsOf(row.servers),
  entries: row.entries,
  calls: row.calls,
  dropped: row.dropped,
  bytes: row.bytes,
});
