/**
 * What the recorder hands to whoever writes: plain data, and keys as `Secret`s, so that it may be somebody on another thread.
 * Whoever writes keeps nothing of a session from one batch to the next: a batch says where it goes on.
 */
import type { Secret, WorkspaceId } from '../kernel/index.ts';
import type { AskedEntry, SessionFacts } from './entry.ts';
import type { RecordingLevel } from './level.ts';
import type { Called, Judged, Said } from './render.ts';

/** Something that was said or done. */
export type Spoken =
  | ({ readonly kind: 'said' } & Said)
  | ({ readonly kind: 'judged' } & Judged)
  | ({ readonly kind: 'called' } & Called)
  | AskedEntry
  | { readonly kind: 'cancelled'; readonly ms: number; readonly request: number };

/** How far a session is written. */
export interface Written {
  /** Number of chunks, which is the next one's number. */
  readonly chunks: number;
  readonly entries: number;
  readonly calls: number;
  readonly dropped: number;
}

/** What one session goes on with. */
export interface Part {
  readonly facts: SessionFacts;
  /** Its data key, and the same as it is kept. */
  readonly secret: Secret;
  readonly dataKey: Uint8Array;
  readonly from: Written;
  readonly spoken: readonly { readonly said: Spoken; readonly level: RecordingLevel }[];
  /** What was lost after that. */
  readonly lost: { readonly messages: number; readonly ms: number } | null;
  /** When it ended; null: it goes on. */
  readonly endedMs: number | null;
}

export interface Batch {
  readonly workspace: WorkspaceId;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Whether the values that were told of last are all that there are; if not, no text is kept. */
  readonly areValuesKnown: boolean;
  readonly parts: readonly Part[];
}

/**
 * How far each of them is written now, in their order, null where somebody removed its recording meanwhile; or why the store
 * took none of it.
 */
export type BatchOutcome =
  | { readonly ok: true; readonly written: readonly (Written | null)[] }
  | { readonly ok: false; readonly why: string };

/** Whoever writes. One batch at a time. What begins its session is never removed. */
export interface RecordingLink {
  /** Another number: whoever writes now was told of no values. */
  readonly epoch: number;
  /** The values that a workspace has stored. They stay the caller's. */
  learn(workspace: WorkspaceId, values: readonly Secret[]): void;
  /** All of it or nothing. @throws Error where it is lost, or may be written and may be not */
  write(batch: Batch): Promise<BatchOutcome>;
  close(): Promise<void>;
}
