/** What can be watched for, and what a finding is. */
import type { RecordedEvent } from '../audit/index.ts';
import type { Json, JsonObject } from '../kernel/index.ts';

interface Named {
  readonly id: string;
}

export interface VolumeRule extends Named {
  readonly kind: 'volume';
  /** Whose calls are counted together. */
  readonly per: 'token' | 'server';
  readonly windowMinutes: number;
  /** Fewer calls than that are never unusual. */
  readonly minimum: number;
  /** How many times as many as usual are. */
  readonly factor: number;
}

/** How long a server is only watched before what is new of it is told. */
export interface FirstSeenRule extends Named {
  readonly kind: 'first-host' | 'first-tool';
  readonly learnHours: number;
}

export interface BurstRule extends Named {
  readonly kind: 'denials' | 'crash-loop';
  readonly count: number;
  readonly windowMinutes: number;
}

export interface EachRule extends Named {
  readonly kind: 'reflected-secret' | 'foreign-placeholder';
}

/** The owner's rules (`policy/`) that want somebody to be told. */
interface PolicyRule extends Named {
  readonly kind: 'policy-rule';
}

interface KillSwitchRule extends Named {
  readonly kind: 'kill-switch';
}

export interface OffHoursRule extends Named {
  readonly kind: 'off-hours';
  /** 1 is Monday. */
  readonly days: readonly number[];
  /** Minutes of the day: from the first on, up to the second. */
  readonly fromMinute: number;
  readonly untilMinute: number;
  /** IANA name. */
  readonly timeZone: string;
}

export type AlertRule =
  | VolumeRule
  | FirstSeenRule
  | BurstRule
  | EachRule
  | PolicyRule
  | KillSwitchRule
  | OffHoursRule;
export type AlertKind = AlertRule['kind'];

export interface Finding {
  /** What it is about: of one rule, the same again is not told for a while. */
  readonly key: string;
  /** What it has in common with others, of which there may be too many; absent: all of its rule. */
  readonly group?: string;
  readonly message: string;
  readonly data: JsonObject;
}

export interface Detector {
  /** Events come once each, in order. */
  observe(event: RecordedEvent): Finding | readonly Finding[] | null;
  /** All that it has to know to go on. */
  state(): Json;
}
