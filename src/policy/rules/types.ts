/**
 * What a policy is made of, and what is asked of it. A rule says what it is about (`match`), when it holds (`when`) and
 * what then happens (`do`). The order of rules means nothing.
 */
import type { Condition } from './condition.ts';
import type { Subject } from './request.ts';
import type { UsageCounts, UsageName } from './usage.ts';

/** Patterns: a name in which `*` stands for any characters. What is absent is not asked about; an empty list matches nothing. */
export interface Match {
  readonly servers?: readonly string[];
  /** Of egress: tools of which a call is in flight. */
  readonly tools?: readonly string[];
  readonly prompts?: readonly string[];
  /** URIs of resources. */
  readonly resources?: readonly string[];
  /** Of egress: host names; `*.example.com` covers what is below it. */
  readonly hosts?: readonly string[];
  /** Of egress, in upper case. */
  readonly methods?: readonly string[];
  /** Of egress: beginnings of paths. */
  readonly paths?: readonly string[];
  /** Ids of users. */
  readonly users?: readonly string[];
  /** Names of agents, as their tokens have them. */
  readonly agents?: readonly string[];
  /** Ids of tokens. */
  readonly tokens?: readonly string[];
}

interface Approve {
  readonly do: 'approve';
  /** How many have to agree. */
  readonly people: number;
  /** How long the request waits, in minutes. */
  readonly expireMinutes: number;
  /** Whether whoever agrees has to say why. */
  readonly justification: boolean;
}

export const limitPeriods = ['minute', 'hour', 'day', 'month', 'session'] as const;
/** `credential` is known of requests of servers alone. */
export const limitKeys = ['token', 'user', 'agent', 'server', 'tool', 'credential'] as const;

export interface Limit {
  readonly do: 'limit';
  /** How many calls there may be in each period; null: not counted. */
  readonly calls: number | null;
  readonly per: (typeof limitPeriods)[number];
  /** How many of a minute's or an hour's calls may come at once; null: all of them. */
  readonly burst: number | null;
  /** Whose days and months are counted. */
  readonly zone: string;
  /** Who has a count of their own. */
  readonly by: readonly (typeof limitKeys)[number][];
  /** How many may be in flight at once; null: not counted. */
  readonly concurrent: number | null;
  /** Largest result, in bytes; null: not measured. */
  readonly resultBytes: number | null;
}

export const maskStrategies = ['redact', 'mask', 'partial', 'hash'] as const;

export interface Mask {
  readonly do: 'mask';
  readonly detectors: readonly string[];
  readonly keys: readonly string[];
  readonly pointers: readonly string[];
  readonly patterns: readonly string[];
  readonly strategy: (typeof maskStrategies)[number];
  /** Of `partial`: how many letters and digits are left at the end. */
  readonly keepLast: number;
}

export const recordLevels = ['metadata', 'arguments', 'full'] as const;

interface Record {
  readonly do: 'record';
  readonly level: (typeof recordLevels)[number];
}

export const alertSeverities = ['info', 'warning', 'critical'] as const;

interface Alert {
  readonly do: 'alert';
  readonly severity: (typeof alertSeverities)[number];
}

export type Action =
  | { readonly do: 'deny' }
  | { readonly do: 'allow' }
  | Approve
  | Limit
  | Mask
  | Record
  | Alert;
export const deeds = ['deny', 'approve', 'allow', 'limit', 'mask', 'record', 'alert'] as const;
export type Deed = (typeof deeds)[number];

/** Where something stands in the text of a policy. */
interface Place {
  readonly file: string;
  readonly line: number;
}

export interface Rule {
  readonly id: string;
  readonly subjects: ReadonlySet<Subject>;
  readonly match: Match;
  /** Absent: always. */
  readonly when: Condition | null;
  readonly action: Action;
  /** What whoever is refused is told; null: a sentence is made. */
  readonly message: string | null;
  /** What they could do in its place, in the author's words. */
  readonly instead: string | null;
  readonly place: Place;
}

/** One text of rules. */
export interface RuleSet {
  /** What becomes of calls that no rule is about; null: as other rule sets say, and `allow` where none does. */
  readonly fallback: 'allow' | 'deny' | null;
  readonly rules: readonly Rule[];
  readonly place: Place;
}

/** A rule that matched. */
export interface Matched {
  readonly rule: Rule;
  /** Why its condition could not be judged; it counts as met then, unless it would allow something. */
  readonly fault: string | null;
}

/** A limit that a request is held to, and what whoever exceeds it is told. */
export interface DecidedLimit extends Limit, Pick<Rule, 'message' | 'instead'> {
  readonly rule: string;
  /** The text that the rule stands in: ids are its own. */
  readonly source: string;
}

/** What is masked in the answer to a request. */
export interface DecidedMask extends Mask {
  readonly rule: string;
}

/** A rule that wants somebody to be told. */
export interface DecidedAlert extends Alert {
  readonly rule: string;
}

/** What a decision depends on that other calls change: it holds for as long as `moved` says so. */
export interface DecidedUsage {
  readonly names: readonly UsageName[];
  /** With these counts: the rule that says more than was decided, by its id; null: none does. */
  moved(counts: UsageCounts): string | null;
}

export interface RuleDecision {
  readonly outcome: 'allow' | 'approve' | 'deny';
  /** Every rule that matched. */
  readonly matched: readonly Matched[];
  /** The rule that the outcome comes from; null: the default. */
  readonly decisive: Matched | null;
  readonly approvals: readonly Approve[];
  readonly limits: readonly DecidedLimit[];
  readonly masks: readonly DecidedMask[];
  readonly records: readonly Record[];
  readonly alerts: readonly DecidedAlert[];
  /** What rules about it count; absent: nothing. */
  readonly usage?: DecidedUsage;
}
