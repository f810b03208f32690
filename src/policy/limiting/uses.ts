/**
 * Counting what conditions ask for as `usage`: calls that began, by whom, of what, since when. Pure. A clock that goes back
 * takes nothing away.
 */
import { limits } from '../../kernel/index.ts';
import { type UsageCounts, usageKey, type UsageName, type UsagePeriod } from '../rules/usage.ts';
import type { Count, Lasting } from './counting.ts';
import { countedName, type LimitedRequest } from './limit-plan.ts';
import { windowOf } from './windows.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Where one count is kept, of all that it is about: the caller, the server, the tool. */
export interface UsePlace {
  readonly name: UsageName;
  readonly key: string;
}

/** A caller is a user, where one is known, and otherwise the agent that the token was made for, whichever token it has by now. */
export const callerOf = ({
  user,
  agent,
}: Pick<LimitedRequest, 'user' | 'agent'>): { readonly user: string } | { readonly agent: string } =>
  typeof user === 'string' ? { user } : { agent: agent ?? '' };

export function placesOf(names: readonly UsageName[], request: LimitedRequest): readonly UsePlace[] {
  const caller = Object.entries(callerOf(request)).flat();
  return names.map((name) => {
    const { scope, period } = name;
    const about =
      scope === 'all'
        ? []
        : scope === 'server'
          ? [request.server]
          : [request.server, countedName(request.name)];
    return { name, key: JSON.stringify(['use', period, ...caller, ...about]) };
  });
}

/** @param kept under the keys of those places, in their order */
export const usedOf = (
  places: readonly UsePlace[],
  kept: readonly (Count | null)[],
  now: number,
): UsageCounts =>
  new Map(places.map(({ name }, index) => [usageKey(name), amountOf(kept[index] ?? null, now)]));

const amountOf = (count: Count | null, now: number): number =>
  count === null || count.atMs <= now ? 0 : count.amount;

/** One call more. */
export const countUse = (before: Count | null, period: UsagePeriod, now: number): Lasting =>
  lasting(amountOf(before, now) + 1, before, period, now);

/** A count that begins with what was counted elsewhere. */
export const startUse = (amount: number, period: UsagePeriod, now: number): Lasting =>
  lasting(amount, null, period, now);

function lasting(amount: number, before: Count | null, period: UsagePeriod, now: number): Lasting {
  const { endMs, lengthMs } = windowAt(period, now);
  const goesOn = before !== null && before.atMs > now && before.atMs - endMs <= lengthMs;
  const atMs = goesOn ? Math.max(before.atMs, period === 'ever' ? endMs : 0) : endMs;
  return { amount: Math.min(amount, Number.MAX_SAFE_INTEGER), atMs, forgetMs: atMs };
}

/** Nothing is older than usage is kept: what was not used for so long is as new. */
function windowAt(period: UsagePeriod, now: number): { readonly endMs: number; readonly lengthMs: number } {
  if (period === 'hour') return { endMs: (Math.floor(now / HOUR_MS) + 1) * HOUR_MS, lengthMs: HOUR_MS };
  if (period === 'ever')
    return { endMs: now + limits.usageDaysMax * DAY_MS, lengthMs: limits.usageDaysMax * DAY_MS };
  return windowOf(now, period, 'UTC');
}

/** The first day, `2026-11-21`, that a count of this period is about; null: it is shorter than a day. */
export function firstDayOf(period: UsagePeriod, now: number): string | null {
  if (period === 'hour') return null;
  if (period === 'ever') return dayAt(now - limits.usageDaysMax * DAY_MS);
  return period === 'month' ? `${dayAt(now).slice(0, 7)}-01` : dayAt(now);
}

const dayAt = (at: number): string => new Date(at).toISOString().slice(0, 10);
