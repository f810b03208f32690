/** Counting against a limit: exact, in any order of calls and pauses, and never more for a clock that goes back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Count,
  type Taken,
  takeFromBucket,
  takeFromQuota,
  takeFromSession,
} from '../../../src/policy/limiting/counting.ts';

const START = Date.parse('2026-11-20T10:00:00Z');

/** Takes one at each of these moments; tells which were let through. */
function letThrough(
  moments: readonly number[],
  take: (before: Count | null, now: number) => Taken,
): number[] {
  let kept: Count | null = null;
  const passed: number[] = [];
  for (const now of moments) {
    const taken = take(kept, now);
    kept = taken.ok ? taken.count : (taken.anew ?? kept);
    if (taken.ok) passed.push(now);
  }
  return passed;
}

const bucket = fc.record({
  calls: fc.integer({ min: 1, max: 50 }),
  burst: fc.integer({ min: 1, max: 50 }),
  periodMs: fc.constantFrom(60_000, 3_600_000),
});
const pauses = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 150 });
const momentsOf = (found: readonly number[]): number[] => {
  let now = START;
  return found.map((pause) => (now += pause));
};

describe('a bucket', () => {
  it('lets through no more than it holds and what came back, between any two moments, and no fewer', () => {
    fc.assert(
      fc.property(bucket, pauses, (of, found) => {
        const moments = momentsOf(found);
        const passed = letThrough(moments, (before, now) => takeFromBucket(before, of, now));
        // The model: a count of calls as an exact fraction.
        let level = BigInt(of.burst) * BigInt(of.periodMs);
        let at = moments[0] ?? START;
        const expected: number[] = [];
        for (const now of moments) {
          level += BigInt(now - at) * BigInt(of.calls);
          at = now;
          const full = BigInt(of.burst) * BigInt(of.periodMs);
          if (level > full) level = full;
          if (level < BigInt(of.periodMs)) continue;
          level -= BigInt(of.periodMs);
          expected.push(now);
        }
        expect(passed).toEqual(expected);
      }),
    );
  });

  it('says exactly when the next one is let through', () => {
    fc.assert(
      fc.property(bucket, pauses, (of, found) => {
        let kept: Count | null = null;
        for (const now of momentsOf(found)) {
          const taken: Taken = takeFromBucket(kept, of, now);
          if (taken.ok) kept = taken.count;
          else {
            expect(takeFromBucket(kept, of, now + taken.waitMs - 1).ok).toBe(false);
            expect(takeFromBucket(kept, of, now + taken.waitMs).ok).toBe(true);
          }
        }
      }),
    );
  });

  it('gives nothing more for a clock that goes back, however far, and gives again after a period', () => {
    const of = { calls: 3, burst: 3, periodMs: 60_000 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (back) => {
        const passed = letThrough([START, START, START], (before, now) => takeFromBucket(before, of, now));
        expect(passed).toHaveLength(3);
        const moments = [START, START, START, START - back, START - back, START - back + 19_999];
        expect(letThrough(moments, (before, now) => takeFromBucket(before, of, now))).toHaveLength(3);
        const later = START - back + 2 * of.periodMs;
        expect(
          letThrough([...moments, later], (before, now) => takeFromBucket(before, of, now)),
        ).toHaveLength(4);
      }),
    );
  });

  it('is forgotten when it is full again, not before', () => {
    const of = { calls: 7, burst: 5, periodMs: 60_000 };
    const taken = takeFromBucket(null, of, START);
    if (!taken.ok) throw new Error('refused');
    expect(takeFromBucket(taken.count, of, taken.count.forgetMs)).toEqual(
      takeFromBucket(null, of, taken.count.forgetMs),
    );
    expect(takeFromBucket(taken.count, of, taken.count.forgetMs - 1)).not.toEqual(
      takeFromBucket(null, of, taken.count.forgetMs - 1),
    );
  });
});

describe('a quota', () => {
  const lengthMs = 86_400_000;
  const endOf = (now: number): number => (Math.floor(now / lengthMs) + 1) * lengthMs;
  const quota = (calls: number) => (before: Count | null, now: number) =>
    takeFromQuota(before, calls, { endMs: endOf(now), lengthMs }, now);

  it('lets so many through from one midnight to the next', () => {
    const midnight = endOf(START);
    const moments = [START, START, midnight - 1, midnight - 1, midnight, midnight, midnight + 1];
    expect(letThrough(moments, quota(2))).toEqual([START, START, midnight, midnight]);
  });

  it.each([1, lengthMs / 2, lengthMs, 3 * lengthMs, 400 * lengthMs])(
    'gives nothing more for a clock that goes back by %i ms',
    (back) => {
      const moments = [START, START, START - back, START - back];
      expect(letThrough(moments, quota(2))).toEqual([START, START]);
    },
  );

  it('is no longer than its window for a clock that was set right after a wrong year', () => {
    const wrong = START + 400 * lengthMs;
    expect(letThrough([wrong, START, endOf(START) - 1, endOf(START)], quota(2))).toEqual([
      wrong,
      endOf(START),
    ]);
  });
});

it('a session goes on for as long as something is let through', () => {
  const take = (before: Count | null, now: number) => takeFromSession(before, 3, 1_000, now);
  expect(letThrough([0, 900, 1_800, 2_700, 2_799], take)).toEqual([0, 900, 1_800]);
  expect(letThrough([0, 900, 1_800, 2_800], take)).toEqual([0, 900, 1_800, 2_800]);
});
