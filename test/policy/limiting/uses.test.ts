/** Counting calls for rules: each period ends when it ends, and a clock that goes back takes nothing away. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Count } from '../../../src/policy/limiting/counting.ts';
import { countUse, firstDayOf, placesOf, startUse, usedOf } from '../../../src/policy/limiting/uses.ts';
import { usageNames, type UsagePeriod, usagePeriods } from '../../../src/policy/rules/usage.ts';

const START = Date.parse('2026-11-20T10:20:00Z');
const asked = { server: 'github', name: 'search', agent: 'claude', user: null };
const read = (period: UsagePeriod, kept: Count | null, now: number): number | undefined =>
  usedOf([{ name: { scope: 'all', period }, key: '' }], [kept], now).get(`all.${period}`);

it.each([
  ['hour', '2026-11-20T11:00:00Z'],
  ['day', '2026-11-21T00:00:00Z'],
  ['month', '2026-12-01T00:00:00Z'],
] as const)('a %s ends', (period, end) => {
  let kept: Count | null = countUse(null, period, START);
  kept = countUse(kept, period, START + 60_000);
  expect(read(period, kept, Date.parse(end) - 1)).toBe(2);
  expect(read(period, kept, Date.parse(end))).toBe(0);
  expect(read(period, countUse(kept, period, Date.parse(end)), Date.parse(end))).toBe(1);
});

it('what is counted for ever is forgotten when nothing came for as long as usage is kept', () => {
  const day = 86_400_000;
  const first = startUse(7, 'ever', START);
  const later = countUse(first, 'ever', START + 300 * day);
  expect(read('ever', later, START + 699 * day)).toBe(8);
  expect(read('ever', later, START + 700 * day)).toBe(0);
  expect(read('ever', first, START + 400 * day)).toBe(0);
});

it('no clock takes anything away before its time', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...usagePeriods),
      fc.array(fc.integer({ min: 0, max: 40 * 86_400_000 }), { minLength: 1, maxLength: 40 }),
      (period, backs) => {
        let kept: Count | null = null;
        let counted = 0;
        for (const back of backs.toSorted((one, other) => one - other)) {
          const now = START - back;
          kept = countUse(kept, period, now);
          counted += 1;
          expect(read(period, kept, now)).toBe(counted);
        }
      },
    ),
  );
});

it('a clock that was far ahead and was set right does not keep a count for ever', () => {
  const ahead = countUse(null, 'hour', START + 30 * 86_400_000);
  const right = countUse(ahead, 'hour', START);
  expect(read('hour', right, START)).toBe(2);
  expect(read('hour', right, Date.parse('2026-11-20T11:00:00Z'))).toBe(0);
});

it('each caller, server and tool has a count of its own, whichever token it comes with', () => {
  const keys = (parts: object) => placesOf(usageNames, { ...asked, ...parts }).map(({ key }) => key);
  expect(new Set(keys({})).size).toBe(12);
  expect(keys({ token: 'tok_2' })).toEqual(keys({ token: 'tok_1' }));
  const shared = (other: object) => keys(other).filter((key) => keys({}).includes(key)).length;
  expect([shared({ agent: 'codex' }), shared({ user: 'claude' })]).toEqual([0, 0]);
  expect([shared({ name: 'create' }), shared({ server: 'gitlab' })]).toEqual([8, 4]);
  // A name made to look like two.
  expect(shared({ server: 'git', name: 'hub","search' })).toBe(4);
});

it('what was counted elsewhere is asked for from the first day on', () => {
  const days = usagePeriods.map((period) => firstDayOf(period, START));
  expect(days).toEqual([null, '2026-11-20', '2026-11-01', '2025-10-16']);
});
