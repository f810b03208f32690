/** Counts put together by what somebody asks for. Pure. */
import { type Counts, NOTHING, quantileMs, sum } from './counts.ts';
import type { Usage, UsageKey } from './fold.ts';

export const usageParts = ['day', 'server', 'tool', 'agent', 'actor'] as const;
export type UsagePart = (typeof usageParts)[number];

export interface UsageLine extends Omit<Counts, 'latency'> {
  /** What it is of; what was not asked for is absent. */
  readonly of: Partial<UsageKey>;
  /** The end of the range that the middle call is in, and the one that 95 of 100 do not exceed; null: none, or beyond the last. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/** Those with the most calls first, then with the most requests; by day, the latest first. */
export function report(usages: Iterable<Usage>, by: readonly UsagePart[]): readonly UsageLine[] {
  const found = new Map<string, { readonly of: Partial<UsageKey>; counts: Counts }>();
  for (const usage of usages) {
    const of: Partial<UsageKey> = Object.fromEntries(by.map((part) => [part, usage[part]]));
    const text = JSON.stringify(of);
    const before = found.get(text);
    if (before === undefined) found.set(text, { of, counts: sum(NOTHING, usage.counts) });
    else before.counts = sum(before.counts, usage.counts);
  }
  return [...found.values()]
    .map(({ of, counts }): UsageLine => {
      const { latency: _latency, ...rest } = counts;
      return { of, ...rest, p50Ms: quantileMs(counts, 0.5), p95Ms: quantileMs(counts, 0.95) };
    })
    .toSorted(
      (a, b) =>
        (b.of.day ?? '').localeCompare(a.of.day ?? '') ||
        b.calls + b.denied - (a.calls + a.denied) ||
        b.requests + b.requestsDenied - (a.requests + a.requestsDenied),
    );
}
