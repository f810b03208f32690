/** What is counted of one thing on one day, and how counts of several are put together. Whole numbers only. */

export interface Counts {
  readonly calls: number;
  /** Of those: results, results that say that they are errors, errors of the server, given up by the client, our own failures. */
  readonly ok: number;
  readonly toolErrors: number;
  readonly errors: number;
  readonly cancelled: number;
  readonly failed: number;
  /** Calls that never began. */
  readonly denied: number;
  /** All calls together, in milliseconds. */
  readonly durationMs: number;
  /** How many calls took up to each of `LATENCY_MS`, and longer. */
  readonly latency: readonly number[];
  /** Of servers: requests that had an answer, or should have. */
  readonly requests: number;
  /** Of those: without an answer, or with one of 500 and above. */
  readonly requestErrors: number;
  readonly requestsDenied: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** Upper ends of what latencies are sorted into, in milliseconds. */
export const LATENCY_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000] as const;

export const NOTHING: Counts = {
  calls: 0,
  ok: 0,
  toolErrors: 0,
  errors: 0,
  cancelled: 0,
  failed: 0,
  denied: 0,
  durationMs: 0,
  latency: Array.from({ length: LATENCY_MS.length + 1 }, () => 0),
  requests: 0,
  requestErrors: 0,
  requestsDenied: 0,
  requestBytes: 0,
  responseBytes: 0,
};

/** What no number holds exactly any more stays as it is. */
const add = (one: number, other: number): number => Math.min(one + other, Number.MAX_SAFE_INTEGER);

export const sum = (one: Counts, other: Counts): Counts => ({
  calls: add(one.calls, other.calls),
  ok: add(one.ok, other.ok),
  toolErrors: add(one.toolErrors, other.toolErrors),
  errors: add(one.errors, other.errors),
  cancelled: add(one.cancelled, other.cancelled),
  failed: add(one.failed, other.failed),
  denied: add(one.denied, other.denied),
  durationMs: add(one.durationMs, other.durationMs),
  latency: one.latency.map((count, index) => add(count, other.latency[index] ?? 0)),
  requests: add(one.requests, other.requests),
  requestErrors: add(one.requestErrors, other.requestErrors),
  requestsDenied: add(one.requestsDenied, other.requestsDenied),
  requestBytes: add(one.requestBytes, other.requestBytes),
  responseBytes: add(one.responseBytes, other.responseBytes),
});

/** One call that took so long. */
export const latencyOf = (ms: number): readonly number[] => {
  const found = LATENCY_MS.findIndex((end) => ms <= end);
  const at = found < 0 ? LATENCY_MS.length : found;
  return NOTHING.latency.map((_, index) => (index === at ? 1 : 0));
};

/** What so large a share of calls did not exceed, in milliseconds; null: there were none, or it is above the last end. */
export function quantileMs({ latency }: Counts, share: number): number | null {
  const calls = latency.reduce((all, count) => all + count, 0);
  let seen = 0;
  for (const [index, count] of latency.entries()) {
    seen += count;
    if (calls > 0 && seen >= calls * share) return LATENCY_MS[index] ?? null;
  }
  return null;
}
