/** What recording needs from outside. */
import type { Secret, WorkspaceId } from '../kernel/index.ts';
import type { SessionFacts } from './entry.ts';
import type { RecordingLink, Written } from './handover.ts';
import type { RecordingLevel } from './level.ts';
import type { Scrub } from './masking.ts';

/** What a session has grown by. Bytes are ciphertext. */
export interface Growth {
  readonly session: string;
  /** With its first chunk: whose it is, and its wrapped data key. */
  readonly begun: { readonly facts: SessionFacts; readonly dataKey: Uint8Array } | null;
  /** Number of its first chunk: what is there from it on is what nobody knows to be written, and gives way. */
  readonly from: number;
  readonly chunks: readonly Buffer[];
  /** How much there is of it with this. */
  readonly total: Written;
  /** Servers that were asked. */
  readonly servers: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly isEnded: boolean;
}

/** What whoever writes needs. */
export interface WriterPorts {
  /**
   * All of it or nothing, but for sessions that somebody removed meanwhile.
   *
   * @returns ids of those; a growth that begins its session is never of one
   * @throws AppError `store_…`
   */
  append(workspace: WorkspaceId, growths: readonly Growth[]): Promise<readonly string[]>;
  /** Takes these values out of texts, in every spelling. They stay the caller's. */
  scrubOf(values: readonly Secret[]): Scrub;
}

/** The values that a workspace has stored. */
export interface StoredValues {
  /** Another one whenever they may be others. @throws AppError when that cannot be known */
  version(workspace: WorkspaceId): Promise<string>;
  /** On record, as each use of a value is. They are the caller's. @throws AppError when they cannot be opened */
  open(workspace: WorkspaceId): Promise<readonly Secret[]>;
}

export interface RecordingPorts {
  readonly link: RecordingLink;
  readonly values: StoredValues;
  /** Puts the beginning of a session on record, and wraps its data key by the workspace's tenant key. @throws AppError */
  begin(workspace: WorkspaceId, facts: SessionFacts, key: Secret): Promise<Buffer>;
  /** The end of a session is written, in this chunk. Must not throw. */
  ended(workspace: WorkspaceId, session: string, lastChunk: number): void;
  /** What a profile's sessions are recorded at now; null: the local operator's view. From memory where possible. */
  levelOf(workspace: WorkspaceId, profile: string | null): RecordingLevel | Promise<RecordingLevel>;
  /** Told of what was lost, could not be written, or was removed while it went on. Must not throw. */
  failed(why: 'full' | 'store' | 'writer' | 'level' | 'removed', detail: string): void;
}
