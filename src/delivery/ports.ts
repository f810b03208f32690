/** What a delivery needs from outside: the log, a place for what was reached, and somebody who takes a batch. */
import type { Checkpoint, RecordedEvent } from '../audit/index.ts';

/** How far something was taken: everything up to and with these. */
export interface Position {
  /** Sequence of an event; 0: none. */
  readonly sequence: number;
  /** Sequence that a checkpoint names; 0: none. */
  readonly checkpoint: number;
}

/** What is kept of a stream, so that it goes on where it was. */
export interface StreamState extends Position {
  /** What is being sent, or was when the process ended: it is sent again as the same batch. Null: nothing. */
  readonly sending: Position | null;
  /** Attempts that failed since the last one that did not. */
  readonly failures: number;
  /** Why the last one failed: a stable word. */
  readonly code: string | null;
  /** When the first of them failed; milliseconds since the Unix epoch. */
  readonly since: number | null;
}

export interface StreamStore {
  /** Null where there is none yet. */
  load(): Promise<StreamState | null>;
  save(state: StreamState): Promise<void>;
}

/** One workspace's log. */
export interface EventSource {
  /** Sequence of the last event; 0: there is none. */
  head(): Promise<number>;
  /** In order, from this one on. */
  read(from: number, limit: number): Promise<readonly RecordedEvent[]>;
  /** Those that name an event after this one, in order. */
  checkpoints(after: number): Promise<readonly Checkpoint[]>;
}

/** What goes out together. The same again after a failure or a restart, with the same id. */
export interface Batch {
  readonly id: string;
  /** When it was put together, or for a second time sent; milliseconds since the Unix epoch. */
  readonly at: number;
  readonly events: readonly RecordedEvent[];
  readonly checkpoints: readonly Checkpoint[];
}

export interface Sender {
  /**
   * Resolves when the receiver has taken all of it.
   *
   * @returns how many records the receiver took note of and will never keep
   * @throws AppError with a code that says what was in the way; `delivery_too_large` where half of it may do;
   *   `detail.retryAfterMs` where the receiver said when
   */
  send(batch: Batch, signal: AbortSignal): Promise<{ readonly rejected: number }>;
  /**
   * How far the receiver itself shows that it was taken, which the stored position may be behind of; null: it does not.
   */
  reached?(): Promise<Position | null>;
}
