import { describe, expect, it } from 'vitest';
import { type CellId, fixedClock, limits } from '../../src/kernel/index.ts';
import { CallsInFlight } from '../../src/mcp/cell-calls.ts';
import type { CallRef } from '../../src/mcp/index.ts';

const CELL = 'cel_a' as CellId;
const never = new Promise<never>(() => undefined);
const call = (id: string, over: Partial<CallRef> = {}): CallRef => ({
  id,
  tool: 'search',
  readOnly: true,
  actor: 'tok_1',
  token: 'tok_1',
  user: null,
  agent: 'cursor',
  ...over,
});

describe('the calls of a cell', () => {
  it('are what began and did not end', () => {
    const clock = fixedClock(1_000);
    const calls = new CallsInFlight(clock);
    expect(calls.of(CELL)).toEqual({
      inFlight: [],
      count: 0,
      running: [],
      begun: false,
      last: null,
      ended: [],
    });
    const [first, second] = [call('1'), call('2', { tool: 'write', readOnly: false })];
    calls.enter(CELL, first, never);
    calls.enter(CELL, second, never);
    calls.enter('cel_b' as CellId, call('3'), never);
    clock.advance(5);
    calls.leave(CELL, '1');
    expect(calls.of(CELL)).toEqual({
      inFlight: [second],
      count: 1,
      running: [{ tool: 'write', readOnly: false }],
      begun: true,
      last: { call: first, endedMs: 1_005 },
      ended: [{ tool: 'search', readOnly: true, endedMs: 1_005 }],
    });
    expect([calls.count(CELL), calls.count('cel_b' as CellId), calls.count('cel_c' as CellId)]).toEqual([
      1, 1, 0,
    ]);
  });

  it('are one object until one begins or ends', () => {
    const calls = new CallsInFlight(fixedClock(0));
    calls.enter(CELL, call('1'), never);
    const before = calls.of(CELL);
    expect(calls.of(CELL)).toBe(before);
    calls.leave(CELL, 'unknown');
    expect(calls.of(CELL)).toBe(before);
    calls.enter(CELL, call('2'), never);
    expect(calls.of(CELL)).not.toBe(before);
    expect(before.count).toBe(1);
  });

  it('name a few of many, and each tool once', () => {
    const calls = new CallsInFlight(fixedClock(0));
    for (let index = 0; index < 1_000; index += 1) calls.enter(CELL, call(String(index)), never);
    calls.enter(CELL, call('last', { readOnly: false }), never);
    const { count, inFlight, running } = calls.of(CELL);
    expect([count, inFlight.length]).toEqual([1_001, limits.requestCallsMax]);
    /* What a tool says of itself may change under way. */
    expect(running).toEqual([
      { tool: 'search', readOnly: true },
      { tool: 'search', readOnly: false },
    ]);
  });

  it('remember when tools ended, of so many tools', () => {
    const clock = fixedClock(0);
    const calls = new CallsInFlight(clock);
    for (let index = 0; index < limits.cellEndedToolsMax + 10; index += 1) {
      calls.enter(CELL, call(`${index}`, { tool: `tool_${index}` }), never);
      calls.leave(CELL, `${index}`);
      clock.advance(1);
    }
    calls.enter(CELL, call('again', { tool: 'tool_20' }), never);
    calls.leave(CELL, 'again');
    const { ended } = calls.of(CELL);
    expect(ended).toHaveLength(limits.cellEndedToolsMax);
    expect(ended.slice(0, 2).map(({ tool }) => tool)).toEqual(['tool_20', 'tool_73']);
    expect(ended.some(({ tool }) => tool === 'tool_9')).toBe(false);
  });

  it('are forgotten with the cell', async () => {
    const calls = new CallsInFlight(fixedClock(0));
    const { promise, resolve } = Promise.withResolvers<void>();
    calls.enter(CELL, call('1'), promise);
    resolve();
    await promise;
    await Promise.resolve();
    calls.leave(CELL, '1');
    expect(calls.of(CELL).begun).toBe(false);
  });
});
