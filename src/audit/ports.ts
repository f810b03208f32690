/**
 * What the audit log needs from outside: a durable place for events, and listeners that are told what was recorded.
 */
import type { WorkspaceId } from '../kernel/index.ts';
import type { RecordedEvent } from './events.ts';

/** The end of a workspace's chain, and the MAC that only the holder of the audit key can make for it. */
export interface AuditHead {
  readonly sequence: number;
  /** Hex SHA-256 of the last event. */
  readonly hash: string;
  /** HMAC-SHA256 over workspace, sequence and hash: 32 bytes. */
  readonly mac: Buffer;
}

/** A signed statement that a chain had this hash at this sequence. Worth most outside of the database. */
export interface Checkpoint {
  readonly workspace: WorkspaceId;
  readonly sequence: number;
  readonly hash: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Raw Ed25519 public key, hex: 32 bytes. */
  readonly publicKey: string;
  /** Ed25519 signature, hex: 64 bytes. */
  readonly signature: string;
}

/** An event as it is stored: what is JSON is text already, in canonical form. */
export interface EventRow {
  readonly sequence: number;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly type: string;
  /** `{"kind":…,"id":…}` */
  readonly actor: string;
  readonly server: string | null;
  readonly data: string;
  /** Hex SHA-256. */
  readonly previous: string;
  readonly hash: string;
}

/**
 * A journal that this home's gateways write, and how far it has come into the chain. The row is there for as long as the
 * journal is, so that a journal that nobody began is found out, and one that is gone is missed.
 */
export interface JournalRow {
  readonly id: string;
  /** Records that are in the chain: those with a lower number. */
  readonly records: number;
  /** Whether it was brought to its end: its files may be gone. */
  readonly closed: boolean;
  /** HMAC-SHA256 over the rest: 32 bytes. */
  readonly mac: Buffer;
}

/** A step of a journal into the chain. */
export interface JournalProgress {
  /** How many records were in the chain before. */
  readonly from: number;
  readonly row: JournalRow;
}

/** Append-only. What is about one workspace has it as its first parameter. */
export interface AuditStore {
  /** Sequence, hash and MAC of the head row, read together. Null while nothing was recorded. */
  head(workspace: WorkspaceId): Promise<AuditHead | null>;
  /**
   * Adds events and sets the head to the last one's sequence and hash with `headMac`, in one transaction that outlives
   * the end of this process on return, and a loss of power after the next `sync`.
   * With `progress`, the journal's row changes with it.
   * @throws AppError `audit_chain_moved` when the stored head's hash is not `events[0].previous` (64 zeros: no head),
   *   `audit_journal_moved` when the journal's row is not an open one with `from` records; with nothing written
   */
  append(
    workspace: WorkspaceId,
    events: readonly EventRow[],
    headMac: Buffer,
    progress?: JournalProgress,
  ): Promise<void>;
  /**
   * Resolves when everything that was appended before the call is on the disk. After a failure, it succeeds only when
   * that holds for what the failed ones were about, too.
   */
  sync(): Promise<void>;
  /** At most `limit` events with `sequence >= fromSequence`, in order of sequence. */
  read(workspace: WorkspaceId, fromSequence: number, limit: number): Promise<readonly RecordedEvent[]>;
  addCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /** All of them, in order of sequence. */
  checkpoints(workspace: WorkspaceId): Promise<readonly Checkpoint[]>;
  /** All of them, in order of their ids. */
  journals(): Promise<readonly JournalRow[]>;
  /** Adds or replaces a journal's row. */
  putJournal(row: JournalRow): Promise<void>;
  forgetJournal(id: string): Promise<void>;
}

/**
 * Is told of events after they are durable, in order per workspace. Must return at once and keep its own bounded
 * queue; what it throws is logged and changes nothing for whoever appended.
 */
export interface AuditSink {
  readonly name: string;
  deliver(events: readonly RecordedEvent[], checkpoint: Checkpoint | null): void;
}
