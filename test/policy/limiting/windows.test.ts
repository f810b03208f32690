/** Where days and months end, for people in a time zone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowOf } from '../../../src/policy/limiting/windows.ts';

const end = (now: string, period: 'day' | 'month', zone: string): string =>
  new Date(windowOf(Date.parse(now), period, zone).endMs).toISOString();

describe('a window ends', () => {
  it.each([
    ['2026-11-20T10:00:00Z', 'day', 'UTC', '2026-11-21T00:00:00.000Z'],
    ['2026-11-20T23:59:59Z', 'day', 'UTC', '2026-11-21T00:00:00.000Z'],
    ['2026-11-20T23:30:00Z', 'day', 'Europe/Berlin', '2026-11-21T23:00:00.000Z'],
    ['2026-11-20T10:00:00Z', 'day', 'Asia/Kathmandu', '2026-11-20T18:15:00.000Z'],
    ['2026-11-20T10:00:00Z', 'month', 'UTC', '2026-12-01T00:00:00.000Z'],
    ['2026-12-31T23:30:00Z', 'month', 'Europe/Berlin', '2027-01-31T23:00:00.000Z'],
    // A day of 23 hours, and one of 25.
    ['2026-03-28T23:30:00Z', 'day', 'Europe/Berlin', '2026-03-29T22:00:00.000Z'],
    ['2026-10-24T22:30:00Z', 'day', 'Europe/Berlin', '2026-10-25T23:00:00.000Z'],
  ] as const)('at %s, its %s in %s', (now, period, zone, expected) => {
    expect(end(now, period, zone)).toBe(expected);
  });
});

it('every moment has one window, which begins where the one before ends', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: Date.parse('2020-01-01'), max: Date.parse('2035-01-01') }),
      fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia'),
      fc.constantFrom('day' as const, 'month' as const),
      (now, zone, period) => {
        const { endMs, lengthMs } = windowOf(now, period, zone);
        expect(endMs).toBeGreaterThan(now);
        expect(endMs - now).toBeLessThanOrEqual(lengthMs);
        expect(windowOf(endMs - 1, period, zone).endMs).toBe(endMs);
        expect(windowOf(endMs, period, zone).endMs).toBeGreaterThan(endMs);
      },
    ),
    { numRuns: 60 },
  );
});
