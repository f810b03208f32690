/** Load over HTTP/1.1 with `load.mjs`. */
import type { Measured, Place } from './measured.ts';
import type { Helper } from './processes.ts';

/** The job that `load.mjs` takes. */
export interface LoadJob {
  /** Taken in turn by connections; `request` is what is sent there, as it is. */
  readonly places: readonly (Place & { readonly ca: string; readonly request: string })[];
  readonly servername: string;
  readonly connections: number;
  /** A new connection for each request. */
  readonly fresh: boolean;
  readonly ms: number;
  /** Between two requests of one connection. */
  readonly pauseMs: number;
}

export interface Generated extends Measured {
  /** Microseconds, of each request on a new connection; empty for kept ones. */
  readonly times: readonly number[];
}

/** @param helper runs `load.mjs` @throws what made it impossible */
export async function generate(helper: Helper, job: LoadJob): Promise<Generated> {
  const answer = await helper.ask<{ result?: Generated; error?: string }>(job);
  if (answer.result === undefined) throw new Error(answer.error ?? 'no result');
  return answer.result;
}

/** What several generators saw in the same time, as one. */
export function together(parts: readonly Generated[]): Measured {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const sum = (pick: (part: Generated) => number): number =>
    parts.reduce((total, part) => total + pick(part), 0);
  const times = parts.flatMap((part) => part.times).toSorted((a, b) => a - b);
  const quantile = (q: number): number => (times[Math.floor(times.length * q)] ?? 0) / 1_000;
  return {
    requests: sum(({ requests }) => requests),
    bytes: sum(({ bytes }) => bytes),
    failures: sum(({ failures }) => failures),
    seconds: Math.max(...parts.map(({ seconds }) => seconds)),
    p50: quantile(0.5),
    p99: quantile(0.99),
  };
}
