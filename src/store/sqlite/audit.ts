/**
 * Audit events on prepared statements. Every use of a credential waits for an append, so nothing here goes
 * through the query builder, and a batch is one transaction.
 */
import { AppError, limits, type WorkspaceId } from '../../kernel/index.ts';
import type { AuditHeadRecord, CheckpointRecord, JournalRecord, StoredEvent } from '../records.ts';
import type { AuditRepository } from '../repositories/audit.ts';
import type { Row, SqliteConnection } from './connection.ts';

/** `previous` of a workspace's first event. */
const NO_EVENT = '0'.repeat(64);
/** Before whatever somebody else may have put there, too. */
const BEFORE_ALL = Number.MIN_SAFE_INTEGER;

/**
 * @param sync for a connection whose commits are not on the disk when they return; default: they are
 */
export function sqliteAudit(
  connection: SqliteConnection,
  sync: () => Promise<void> = async () => undefined,
): AuditRepository {
  const selectHead = connection.prepare('select sequence, hash, mac from audit_heads where workspace = ?');
  const insertEvent = connection.prepare(
    `insert into audit_events (workspace, sequence, at, type, actor, server, data, previous, hash)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const upsertHead = connection.prepare(
    `insert into audit_heads (workspace, sequence, hash, mac) values (?, ?, ?, ?)
     on conflict (workspace) do update
     set sequence = excluded.sequence, hash = excluded.hash, mac = excluded.mac`,
  );
  const selectEvents = connection.prepare(
    `select sequence, at, type, actor, server, data, previous, hash from audit_events
     where workspace = ? and sequence >= ? order by sequence limit ?`,
  );
  const insertCheckpoint = connection.prepare(
    `insert into audit_checkpoints (workspace, sequence, at, hash, public_key, signature)
     values (?, ?, ?, ?, ?, ?) on conflict (workspace, sequence) do nothing`,
  );
  const selectCheckpoints = connection.prepare(
    'select sequence, at, hash, public_key, signature from audit_checkpoints where workspace = ? and sequence > ? order by sequence',
  );
  const selectJournals = connection.prepare(
    'select id, records, closed, mac from audit_journals order by id',
  );
  const upsertJournal = connection.prepare(
    `insert into audit_journals (id, records, closed, mac) values (?, ?, ?, ?)
     on conflict (id) do update set records = excluded.records, closed = excluded.closed, mac = excluded.mac`,
  );
  const advanceJournal = connection.prepare(
    'update audit_journals set records = ?, mac = ? where id = ? and records = ? and closed = 0',
  );
  const deleteJournal = connection.prepare('delete from audit_journals where id = ?');

  return {
    head: (workspace) =>
      connection.read(() => {
        const row = selectHead.get(workspace);
        return row === undefined ? null : toHead(row);
      }),

    async append(workspace, events, headMac, progress) {
      const first = events[0];
      const last = events.at(-1);
      if (first === undefined || last === undefined) return;
      await connection.write(() => {
        const head = selectHead.get(workspace)?.['hash'] ?? NO_EVENT;
        if (head !== first.previous) throw chainMoved();
        for (const { sequence, at, type, actor, server, data, previous, hash } of events) {
          insertEvent.run(workspace, sequence, at, type, actor, server, data, previous, hash);
        }
        upsertHead.run(workspace, last.sequence, last.hash, headMac);
        if (progress === undefined) return;
        const { from, row } = progress;
        if (advanceJournal.run(row.records, row.mac, row.id, from).changes !== 1) throw journalMoved();
      });
    },

    sync,

    read: <Event extends StoredEvent>(workspace: WorkspaceId, fromSequence: number, limit: number) =>
      connection.read(() =>
        selectEvents
          .all(workspace, fromSequence, Math.min(limit, limits.auditPageEventsMax))
          // See the interface: the caller says what it appended.
          .map((row) => toEvent(workspace, row) as Event),
      ),

    async addCheckpoint(checkpoint) {
      await connection.write(() => {
        insertCheckpoint.run(
          checkpoint.workspace,
          checkpoint.sequence,
          checkpoint.at,
          checkpoint.hash,
          checkpoint.publicKey,
          checkpoint.signature,
        );
      });
    },

    checkpoints: (workspace, after = BEFORE_ALL) =>
      connection.read(() =>
        selectCheckpoints.all(workspace, after).map((row) => toCheckpoint(workspace, row)),
      ),

    journals: () => connection.read(() => selectJournals.all().map(toJournal)),

    async putJournal({ id, records, closed, mac }) {
      await connection.write(() => void upsertJournal.run(id, records, closed ? 1 : 0, mac));
    },

    async forgetJournal(id) {
      await connection.write(() => void deleteJournal.run(id));
    },
  };
}

const chainMoved = (): AppError =>
  new AppError('audit_chain_moved', 'Another process has added to the audit log.', { kind: 'conflict' });

const journalMoved = (): AppError =>
  new AppError('audit_journal_moved', 'Another process has changed what is known of the audit journal.', {
    kind: 'conflict',
  });

const toJournal = (row: Row): JournalRecord => ({
  id: String(row['id']),
  records: Number(row['records']),
  closed: row['closed'] === 1,
  mac: macOf(row),
});

const macOf = ({ mac }: Row): Buffer => (mac instanceof Uint8Array ? Buffer.from(mac) : Buffer.alloc(0));

const toHead = (row: Row): AuditHeadRecord => ({
  sequence: Number(row['sequence']),
  hash: String(row['hash']),
  mac: macOf(row),
});

/** What was edited into something else than JSON is handed on as such: verification then names the event. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { unreadable: text };
  }
}

const toEvent = (workspace: WorkspaceId, row: Row): StoredEvent => ({
  workspace,
  sequence: Number(row['sequence']),
  at: Number(row['at']),
  type: String(row['type']),
  // Written by `append`; if the file was edited since, verification of the chain is what notices.
  actor: parsed(String(row['actor'])) as StoredEvent['actor'],
  ...(row['server'] === null ? {} : { server: String(row['server']) }),
  data: parsed(String(row['data'])) as StoredEvent['data'],
  previous: String(row['previous']),
  hash: String(row['hash']),
});

const toCheckpoint = (workspace: WorkspaceId, row: Row): CheckpointRecord => ({
  workspace,
  sequence: Number(row['sequence']),
  at: Number(row['at']),
  hash: String(row['hash']),
  publicKey: String(row['public_key']),
  signature: String(row['signature']),
});
