import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UpstreamShare } from '../../../src/egress/upstream/share.ts';
import { limits } from '../../../src/kernel/index.ts';

const never = new AbortController().signal;
let share: UpstreamShare;

beforeEach(async () => {
  vi.useFakeTimers();
  share = new UpstreamShare();
  for (let index = 0; index < limits.cellUpstreamsMax; index += 1) await share.enter(never);
});
afterEach(() => {
  vi.useRealTimers();
});

describe('what one cell has of the connections to upstreams', () => {
  it('is bounded; who comes then waits in line', async () => {
    expect([share.inUse, share.isFull]).toEqual([limits.cellUpstreamsMax, true]);
    const order: number[] = [];
    const waiting = [1, 2].map(async (number) => {
      const hasWaited = await share.enter(never);
      order.push(number);
      return hasWaited;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([]);
    share.remove();
    await waiting[0];
    expect([order, share.inUse]).toEqual([[1], limits.cellUpstreamsMax]);
    share.remove();
    expect(await Promise.all(waiting)).toEqual([true, true]);
    share.remove();
    expect([share.isFull, await share.enter(never)]).toEqual([false, false]);
  });

  it('is not exceeded by one that is counted while it is still being made', async () => {
    const waiting = vi.fn<() => void>();
    void share.enter(never).then(waiting);
    share.add(); // made
    share.remove(); // its making is over
    await vi.advanceTimersByTimeAsync(0);
    expect([share.inUse, waiting.mock.calls.length]).toEqual([limits.cellUpstreamsMax, 0]);
  });

  it('is waited for so long and no longer', async () => {
    const refused = share.enter(never).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(limits.cellUpstreamWaitMs);
    expect(await refused).toMatchObject({
      code: 'egress_upstreams_limit',
      facts: { reason: 'waited', allowed: String(limits.cellUpstreamsMax) },
    });
    share.remove();
    expect(share.inUse).toBe(limits.cellUpstreamsMax - 1);
  });

  it('is waited for by so many and no more, and not by those who have gone', async () => {
    const stop = new AbortController();
    const waiting = Array.from({ length: limits.cellUpstreamsWaitingMax }, () => share.enter(stop.signal));
    const settled = Promise.allSettled(waiting);
    await expect(share.enter(never)).rejects.toMatchObject({
      code: 'egress_upstreams_limit',
      facts: { reason: 'too_many_wait' },
    });
    stop.abort(new Error('gone'));
    for (const result of await settled) expect(result).toMatchObject({ reason: { message: 'gone' } });
    const next = share.enter(never);
    share.remove();
    expect(await next).toBe(true);
  });
});
