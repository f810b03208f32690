/** Days and months as people in a time zone have them, and when they end: also where one has 23 hours, or 25. */
import { limits } from '../../kernel/index.ts';
import { localTime } from '../rules/calendar.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export type Period = 'day' | 'month';

interface Window {
  readonly endMs: number;
  /** The longest that there is of its kind. */
  readonly lengthMs: number;
}

/** Letters of `2026-11-21` that say which one it is, and the longest that one lasts. */
const KINDS = {
  day: { letters: 10, lengthMs: 26 * HOUR_MS },
  month: { letters: 7, lengthMs: 32 * DAY_MS },
} as const;

const known = new Map<string, Window & { readonly seenMs: number }>();

/** @param zone one that is known */
export function windowOf(now: number, period: Period, zone: string): Window {
  const key = `${period} ${zone}`;
  const last = known.get(key);
  if (last !== undefined && last.seenMs <= now && now < last.endMs) return last;
  const { letters, lengthMs } = KINDS[period];
  const nameAt = (minute: number): string =>
    localTime(new Date(minute * MINUTE_MS), zone).date.slice(0, letters);
  let inside = Math.floor(now / MINUTE_MS);
  let outside = inside + lengthMs / MINUTE_MS;
  const name = nameAt(inside);
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (nameAt(middle) === name) inside = middle;
    else outside = middle;
  }
  const found = { seenMs: now, endMs: outside * MINUTE_MS, lengthMs };
  if (known.size >= limits.policyListMax) known.clear();
  known.set(key, found);
  return found;
}
