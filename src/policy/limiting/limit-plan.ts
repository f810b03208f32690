/**
 * What one request is counted against, and whether all of that has room for it. It counts everywhere or nowhere: a request
 * that one limit refuses takes nothing of the others.
 */
import { limits } from '../../kernel/index.ts';
import type { DecidedLimit } from '../rules/types.ts';
import {
  type Count,
  type Lasting,
  type Taken,
  takeFromBucket,
  takeFromQuota,
  takeFromSession,
} from './counting.ts';
import { windowOf } from './windows.ts';

/** Who asks for what. What a count is for and is not known here is one count for all of whom it is not. */
export interface LimitedRequest {
  readonly server: string;
  /** The server's own name of what is asked for. */
  readonly name: string;
  readonly agent?: string;
  readonly token?: string | null;
  readonly user?: string | null;
  /** Those that it uses: each has a count of its own. */
  readonly credentials?: readonly string[];
  /** Which conversation it is part of. */
  readonly session?: string;
}

interface Counted {
  readonly limit: DecidedLimit;
  readonly calls: number;
  readonly key: string;
}

interface Flying {
  readonly limit: DecidedLimit;
  readonly max: number;
  readonly key: string;
}

/** Where to look; each key once. */
export interface LimitPlan {
  readonly counted: readonly Counted[];
  readonly flying: readonly Flying[];
}

/** What is kept under the plan's keys, in its order. */
export interface KeptCounts {
  readonly counts: readonly (Count | null)[];
  /** How many are in flight. */
  readonly flights: readonly number[];
}

export interface Exceeded {
  readonly limit: DecidedLimit;
  /** Null: when another one ends, which nobody knows beforehand. */
  readonly waitMs: number | null;
}

export type LimitVerdict =
  /** What is to be kept in either case. */
  | { readonly ok: true; readonly counts: readonly KeptCount[] }
  | { readonly ok: false; readonly counts: readonly KeptCount[]; readonly exceeded: Exceeded };

interface KeptCount extends Lasting {
  readonly key: string;
}

export function planLimits(decided: readonly DecidedLimit[], request: LimitedRequest): LimitPlan {
  const counted = new Map<string, Counted>();
  const flying = new Map<string, Flying>();
  for (const limit of decided) {
    const { calls, concurrent, by } = limit;
    for (const credential of by.includes('credential') ? (request.credentials ?? []) : ['']) {
      if (calls !== null) {
        const key = keyOf(limit, limit.per, request, credential);
        counted.set(key, { limit, calls, key });
      }
      if (concurrent !== null) {
        const key = keyOf(limit, 'concurrent', request, credential);
        flying.set(key, { limit, max: concurrent, key });
      }
    }
  }
  return { counted: [...counted.values()], flying: [...flying.values()] };
}

/** @param now milliseconds since the Unix epoch */
export function decideLimits(plan: LimitPlan, kept: KeptCounts, now: number): LimitVerdict {
  const counts: KeptCount[] = [];
  const anew: KeptCount[] = [];
  let exceeded: Exceeded | null = null;
  for (const [index, { max, limit }] of plan.flying.entries()) {
    if ((kept.flights[index] ?? 0) >= max) exceeded ??= { limit, waitMs: null };
  }
  for (const [index, { limit, calls, key }] of plan.counted.entries()) {
    const taken = take(kept.counts[index] ?? null, limit, calls, now);
    if (taken.ok) {
      counts.push({ ...taken.count, key });
      continue;
    }
    if (taken.anew !== null) anew.push({ ...taken.anew, key });
    if (taken.waitMs > (exceeded?.waitMs ?? -1)) exceeded = { limit, waitMs: taken.waitMs };
  }
  return exceeded === null ? { ok: true, counts } : { ok: false, counts: anew, exceeded };
}

/** The largest result that all of them allow, in bytes; null: any. */
export function resultBytesMax(decided: readonly DecidedLimit[]): DecidedLimit | null {
  let least: DecidedLimit | null = null;
  for (const limit of decided) {
    if (limit.resultBytes !== null && limit.resultBytes < (least?.resultBytes ?? Infinity)) least = limit;
  }
  return least;
}

const PERIOD_MS = { minute: 60_000, hour: 3_600_000 } as const;

function take(before: Count | null, { per, burst, zone }: DecidedLimit, calls: number, now: number): Taken {
  if (per === 'minute' || per === 'hour')
    return takeFromBucket(before, { calls, burst: burst ?? calls, periodMs: PERIOD_MS[per] }, now);
  if (per === 'session') return takeFromSession(before, calls, limits.limitSessionIdleMs, now);
  return takeFromQuota(before, calls, windowOf(now, per, zone), now);
}

function keyOf(
  { source, rule, by, per }: DecidedLimit,
  kind: DecidedLimit['per'] | 'concurrent',
  request: LimitedRequest,
  credential: string,
): string {
  const { server, token, user, agent, session } = request;
  const tool = `${server}\n${countedName(request.name)}`;
  const values = { server, token, user, agent, credential, tool };
  const own = by.map((key) => [key, values[key] ?? '']);
  // Whoever has several conversations has a count for each.
  const conversation = kind === 'session' && per === 'session' ? [session ?? ''] : [];
  // A credential's name is its server's own.
  const home = by.includes('credential') && !by.includes('server') ? [server] : [];
  return JSON.stringify([source, rule, kind, ...own, ...home, ...conversation]);
}

/** A name as counts are kept under it. */
export const countedName = (name: string): string =>
  name.length <= limits.countedNameCharsMax
    ? name
    : `${name.slice(0, limits.countedNameCharsMax)}…${name.length}`;
