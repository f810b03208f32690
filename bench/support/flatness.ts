/** Whether call 100,000 is as quick as the first ones, and whether the gateway is as small. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Caller } from './callers.ts';
import type { GatewayMemory } from './gateway-process.ts';
import { median } from './measured.ts';

const CALLS = 100_000;
const PART = 10_000;

export interface Flatness {
  readonly firstMs: number;
  readonly lastMs: number;
  /** Heap and external memory after a collection, in bytes: after half of the calls, and after all. */
  readonly halfBytes: number;
  readonly endBytes: number;
}

/** @param caller of a connection that is warm */
export async function flatness(caller: Caller, gateway: ChildProcess): Promise<Flatness> {
  const times = new Float64Array(CALLS);
  let halfBytes = 0;
  for (let call = 0; call < CALLS; call += 1) {
    if (call === CALLS / 2) halfBytes = await collected(gateway);
    const before = performance.now();
    await caller.call(call);
    times[call] = performance.now() - before;
  }
  return {
    firstMs: median([...times.subarray(0, PART)]),
    lastMs: median([...times.subarray(-PART)]),
    halfBytes,
    endBytes: await collected(gateway),
  };
}

async function collected(gateway: ChildProcess): Promise<number> {
  const answer = once(gateway, 'message');
  gateway.send('memory');
  const [{ heapUsed, external }] = (await answer) as [GatewayMemory];
  return heapUsed + external;
}
