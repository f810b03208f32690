/** What a verification of a chain is asked, and what it answers. The codes are public: scripts go by them. */
import type { WorkspaceId } from '../kernel/index.ts';
import type { Checkpoint } from './ports.ts';

export type VerifyProblemCode =
  /** The content does not have the hash that is stored with it. */
  | 'event_edited'
  /** Events `sequence` to `through` are not there. */
  | 'event_missing'
  /** The event stood at another sequence when it was recorded. */
  | 'event_moved'
  /** Nobody recorded this event here: later ones were moved to make room. */
  | 'event_inserted'
  /** The sequence does not rise. */
  | 'event_repeated'
  /** The store cannot read the row. */
  | 'event_unreadable'
  /** The event does not follow the one before it: one of the two was replaced. */
  | 'link_broken'
  /** The end of the chain is gone: events `sequence` to `through`. */
  | 'chain_truncated'
  /** There are events behind the head. */
  | 'events_after_head'
  /** There are events, and no head. */
  | 'head_missing'
  /** The head names another hash than that of the last event. */
  | 'head_mismatch'
  /** The head was not written by a holder of the audit key. */
  | 'head_mac_wrong'
  /** Events `sequence` to `through`, which this process recorded or built on, are gone or replaced. */
  | 'chain_rolled_back'
  /** A journal that a gateway left behind was changed, or is gone: the event says which one, and in what way. */
  | 'audit_journal_forged'
  | 'checkpoint_signature_wrong'
  /** A genuine checkpoint names another hash than that of the event: history before it was rewritten. */
  | 'checkpoint_mismatch'
  /** A genuine checkpoint stands behind the end of the chain: the end is gone. */
  | 'checkpoint_ahead';

export interface VerifyProblem {
  readonly code: VerifyProblemCode;
  /** The event concerned, or the first of them. */
  readonly sequence: number;
  /** The last event concerned, where there are several. */
  readonly through?: number;
  readonly message: string;
}

export interface VerifyReport {
  readonly workspace: WorkspaceId;
  /** True when nothing at all is wrong. */
  readonly ok: boolean;
  /** Events that were read. */
  readonly events: number;
  readonly head: { readonly sequence: number; readonly hash: string } | null;
  /** Checkpoints that were compared, those handed in included. */
  readonly checkpoints: number;
  /** The key that checkpoints are signed by: raw Ed25519, hex. */
  readonly publicKey: string;
  /** In order of sequence; at most `limits.auditProblemsMax`. */
  readonly problems: readonly VerifyProblem[];
  /** Whether there are more problems than are listed. */
  readonly more: boolean;
}

export interface VerifyOptions {
  /** Checkpoints that were kept outside of the database: with one, even a restored old state is found out. */
  readonly anchors?: readonly Checkpoint[];
}
