import type { WorkspaceId } from '../../kernel/index.ts';
import type {
  AuditHeadRecord,
  CheckpointRecord,
  EventRecord,
  JournalProgressRecord,
  JournalRecord,
  StoredEvent,
} from '../records.ts';

/**
 * The audit log's tables: what its `AuditStore` asks for. Append-only; there is no method that changes or
 * deletes an event. On the hot path, so each database has an implementation of its own; not part of a transaction,
 * because an event must be recorded before what it announces happens.
 */
export interface AuditRepository {
  head(workspace: WorkspaceId): Promise<AuditHeadRecord | null>;
  /**
   * All or nothing. On return it outlives the end of the process; on the disk it is after the next `sync`.
   * @param headMac for the head that the last event makes
   * @param progress of a journal, in the same transaction
   * @throws AppError `audit_chain_moved` when the stored head is not the first event's `previous`,
   *   `audit_journal_moved` when the journal is not an open one with `progress.from` records
   */
  append(
    workspace: WorkspaceId,
    events: readonly EventRecord[],
    headMac: Buffer,
    progress?: JournalProgressRecord,
  ): Promise<void>;
  /**
   * Resolves when everything that was appended before the call is on the disk, what earlier calls failed at included.
   * @throws AppError `store_unavailable`
   */
  sync(): Promise<void>;
  /**
   * Events from a sequence on, in order, at most `limit` and at most `limits.auditPageEventsMax`.
   * The caller names the type that it appended; the hash chain, not the store, vouches for what comes back.
   */
  read<Event extends StoredEvent = StoredEvent>(
    workspace: WorkspaceId,
    fromSequence: number,
    limit: number,
  ): Promise<readonly Event[]>;
  addCheckpoint(checkpoint: CheckpointRecord): Promise<void>;
  /** @param after those that name a later event; default: all */
  checkpoints(workspace: WorkspaceId, after?: number): Promise<readonly CheckpointRecord[]>;
  /** In order of their ids. */
  journals(): Promise<readonly JournalRecord[]>;
  /** Adds or replaces it. */
  putJournal(row: JournalRecord): Promise<void>;
  forgetJournal(id: string): Promise<void>;
}
