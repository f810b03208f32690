/** What is asked of a policy. */
import type { UsageCounts } from './usage.ts';

/** What can be asked about. `egress` is a request that a server sends. */
export const subjects = ['tool', 'prompt', 'resource', 'egress'] as const;
export type Subject = (typeof subjects)[number];

/** What is known of a request. What is absent is not known: a condition that asks for it cannot be judged. */
export interface RuleRequest {
  readonly subject: Subject;
  /** The server's slug. */
  readonly server: string;
  readonly profile: string;
  /** The server's own name of the tool or prompt, a resource's URI, or the host of an egress request. */
  readonly name: string;
  /** Of egress: all that have a call in flight. */
  readonly users: readonly string[];
  readonly agents: readonly string[];
  readonly tokens: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Address of the client. */
  readonly clientIp?: string;
  /** JSON text. */
  readonly args?: string;
  /** What a server says of its tool, as JSON text. */
  readonly annotations?: string;
  readonly egress?: EgressFacts;
  /** How often the caller called before: what rules ask for, `Rules.counts`. */
  readonly usage?: UsageCounts;
}

export interface EgressFacts {
  /** Every method that the upstream may take it for, in upper case. */
  readonly methods: readonly string[];
  /** Normalised, without the query. */
  readonly path: string;
  /** Of the body, where it is said before it is sent. */
  readonly bytes?: number;
  /** Tools of which a call is in flight. */
  readonly tools: readonly string[];
}
