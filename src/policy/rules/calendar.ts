/** Days and hours as people in a time zone have them, and dates as callers write them. */
import { limits } from '../../kernel/index.ts';
import { charge, Unjudged } from './meter.ts';

export interface LocalTime {
  readonly hour: number;
  /** `09:30`. */
  readonly clock: string;
  /** `mon`, `tue` … */
  readonly weekday: string;
  /** `2026-11-21`. */
  readonly date: string;
}

const MINUTE_MS = 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();
/** By zone: the minute that was asked for last. Asked at every call, and worth a microsecond. */
const lastTimes = new Map<string, { readonly minute: number; readonly time: LocalTime }>();

export function isTimeZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}

/** @param zone one that `isTimeZone` */
export function localTime(at: Date, zone: string): LocalTime {
  const minute = Math.floor(at.getTime() / MINUTE_MS);
  const last = lastTimes.get(zone);
  if (last?.minute === minute) return last.time;
  const parts = new Map(
    formatOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const part = (name: Intl.DateTimeFormatPartTypes): string => parts.get(name) ?? '';
  const time = {
    hour: Number(part('hour')),
    clock: `${part('hour')}:${part('minute')}`,
    weekday: part('weekday').toLowerCase(),
    date: `${part('year')}-${part('month')}-${part('day')}`,
  };
  lastTimes.set(zone, { minute, time });
  return time;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  if (formats.size < limits.policyListMax) formats.set(zone, made);
  return made;
}

const DAY = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const MOMENT =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?$/i;
/** A smaller number is in seconds: in milliseconds it would be in January 1970. */
const MILLISECONDS_FROM = 1e11;

/**
 * A point in time as callers write it: RFC 3339 (UTC where no offset is given), a day, which is its last second, or a
 * number of seconds or milliseconds since 1970.
 *
 * @throws Unjudged for anything else
 */
export function momentOf(value: unknown): Date {
  if (typeof value === 'number') return valid(new Date(value < MILLISECONDS_FROM ? value * 1_000 : value));
  const text = typeof value === 'string' ? value.slice(0, 64).trim() : '';
  charge(text.length);
  if (DAY.test(text)) return valid(new Date(`${text}T23:59:59Z`));
  const written = MOMENT.exec(text);
  if (written === null) throw new Unjudged('this is no date');
  return valid(new Date(`${text.replace(' ', 'T')}${written[1] === undefined ? 'Z' : ''}`));
}

function valid(date: Date): Date {
  if (Number.isNaN(date.getTime())) throw new Unjudged('this is no date');
  return date;
}
