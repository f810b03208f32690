/** Many servers and many callers at the same time. */
import { readFileSync } from 'node:fs';
import { statelessCaller } from './callers.ts';
import { quantile } from './measured.ts';

export const SERVERS = 50;
const CALLERS = 1_000;
const CALLS_EACH = 20;

export interface FleetResult {
  readonly calls: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  /** Of the process that serves them, resident, at the end. */
  readonly rssBytes: number;
}

export const nameOf = (index: number): string => `echo${index}`;

/** Every caller has a connection of its own, and asks again as soon as it is answered. */
export async function runFleet(url: string, token: string, pid: number): Promise<FleetResult> {
  const callers = Array.from({ length: CALLERS }, (_, index) =>
    statelessCaller(`${url}/mcp/default/${nameOf(index % SERVERS)}`, token),
  );
  // Every server is up, and every connection is made.
  await Promise.all(callers.slice(0, SERVERS).map((caller) => caller.call(0)));
  await Promise.all(callers.map((caller) => caller.call(0)));
  const times: number[] = [];
  let failed = 0;
  const began = performance.now();
  await Promise.all(
    callers.map(async (caller, index) => {
      for (let call = 1; call <= CALLS_EACH; call += 1) {
        const id = index * CALLS_EACH + call;
        const before = performance.now();
        const answer = await caller.call(id).catch(() => '');
        times.push(performance.now() - before);
        if (!answer.includes(`hello ${id}"`)) failed += 1;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  for (const caller of callers) caller.close();
  const sorted = times.toSorted((a, b) => a - b);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    calls: times.length,
    failed,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    perSecond: times.length / seconds,
    rssBytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024,
  };
}
