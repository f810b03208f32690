/**
 * What a recording is made of, in the order in which it was written. Texts in it are masked before they get here. It is JSON:
 * one entry a line, in sealed chunks (`chunk.ts`), and the same in an export.
 */
import type { MaskingHit } from '../masking/index.ts';
import type { Subject } from '../policy/index.ts';

/** Whose session it is. The first entry of each. */
export interface SessionFacts {
  readonly id: string;
  /** Null: the local operator's view of all servers. */
  readonly profile: string | null;
  /** The only server of its endpoint; null: all of the profile. */
  readonly server: string | null;
  /** `KIND:ID`, as the audit names it. */
  readonly actor: string;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
  /** `session`: one connection. `requests`: what one caller asked without a session, until it paused. */
  readonly via: 'session' | 'requests';
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
}

interface Timed {
  /** Since the session began, in milliseconds with fractions, by a clock that nobody sets. */
  readonly ms: number;
}

/** Something that was masked. */
export type Hit = MaskingHit;

interface SessionEntry extends Timed {
  readonly kind: 'session';
  readonly facts: SessionFacts;
}

/** A message between the client and the gateway. */
export interface MessageEntry extends Timed {
  readonly kind: 'message';
  readonly from: 'client' | 'gateway';
  readonly type: 'request' | 'response' | 'notification' | 'unknown';
  /** JSON-RPC id as written. */
  readonly id?: string;
  /** Of a client's request, of its answer, and of what was said about it meanwhile: which one it is in this session. */
  readonly request?: number;
  readonly method?: string;
  /** Length of its text before anything was masked, in characters. */
  readonly chars: number;
  /** Of a response: a JSON-RPC error is `error`, a result with `isError` is `tool_error`. */
  readonly outcome?: 'ok' | 'tool_error' | 'error' | 'cancelled';
  /** Of an error: the gateway's code, or the server's number. */
  readonly code?: string;
  /** At the level `full`: the message, or with `rest_too_long` its first `limits.recordingMessageCharsMax` characters. */
  readonly text?: string;
  readonly masked?: readonly Hit[];
  /** Why there is no text where there should be one; or not all of it. */
  readonly left?: LeftOut | 'rest_too_long';
}

/**
 * `too_long`: a message longer than `limits.recordingMaskedCharsMax`, arguments longer than `limits.recordingMessageCharsMax`.
 * `values_unknown`: what to mask could not be found out.
 */
export type LeftOut = 'too_long' | 'values_unknown';

/** What the owner's rules said of a request, with everything that they were told of it. */
export interface DecisionEntry extends Timed {
  readonly kind: 'decision';
  /** Which of the client's requests it is about. */
  readonly request: number;
  readonly subject: Exclude<Subject, 'egress'>;
  readonly server: string;
  /** The server's own name of it, or a resource's URI. */
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly outcome: 'allow' | 'approve' | 'deny';
  /** The rule that the outcome comes from; null: the default. */
  readonly rule: string | null;
  readonly users: readonly string[];
  readonly agents: readonly string[];
  readonly tokens: readonly string[];
  readonly clientIp?: string;
  /** What rules counted of its caller's calls before it, by `tool.day`. */
  readonly usage?: { readonly [name: string]: number };
  /** What the server says of its tool, as JSON text. */
  readonly annotations?: string;
  /** From the level `arguments` on: JSON text; null: it had none. */
  readonly arguments?: string | null;
  readonly masked?: readonly Hit[];
  readonly left?: LeftOut;
}

/** A call that went to its server, as the audit knows it. */
export interface CallEntry extends Timed {
  readonly kind: 'call';
  readonly request: number;
  /** `call_…`, which the audit's events of its requests carry. */
  readonly call: string;
  readonly cell: string;
  readonly server: string;
  readonly tool: string;
}

/** A prompt or a resource that was asked for of its server. Until its answer, what its cell sends may be about it. */
export interface AskedEntry extends Timed {
  readonly kind: 'asked';
  readonly request: number;
  readonly cell: string;
  readonly server: string;
}

/** Messages that could not be kept. */
interface DroppedEntry extends Timed {
  readonly kind: 'dropped';
  readonly messages: number;
}

/** Without it, the end of a recording is missing. */
interface EndEntry extends Timed {
  readonly kind: 'end';
  /** How many entries there are in front of it. */
  readonly entries: number;
}

export type Entry =
  | SessionEntry
  | MessageEntry
  | DecisionEntry
  | CallEntry
  | AskedEntry
  | DroppedEntry
  | EndEntry;
