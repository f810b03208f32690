import { describe, expect, it } from 'vitest';
import { type CellId, fixedClock, limits } from '../../src/kernel/index.ts';
import { CallsInFlight } from '../../src/mcp/gate/cell-calls.ts';
import type { CallRef } from '../../src/mcp/index.ts';

const CELL = 'cel_a' as CellId;
const origin = { profile: 'dev', exited: new Promise<never>(() => undefined) };
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
      callers: [],
      profiles: [],
      begun: false,
      last: null,
      ended: [],
      endedCallers: [],
    });
    const [first, second] = [call('1'), call('2', { tool: 'write', readOnly: false })];
    calls.enter(CELL, first, origin);
    calls.enter(CELL, second, origin);
    calls.enter('cel_b' as CellId, call('3'), origin);
    clock.advance(5);
    calls.leave(CELL, '1');
    expect(calls.of(CELL)).toEqual({
      inFlight: [second],
      count: 1,
      running: [{ tool: 'write', readOnly: false }],
      callers: [{ token: 'tok_1', user: null, agent: 'cursor' }],
      profiles: ['dev'],
      begun: true,
      last: { call: first, endedMs: 1_005 },
      ended: [{ tool: 'search', readOnly: true, endedMs: 1_005 }],
      endedCallers: [{ token: 'tok_1', user: null, agent: 'cursor', endedMs: 1_005 }],
    });
    expect([calls.count(CELL), calls.count('cel_b' as CellId), calls.count('cel_c' as CellId)]).toEqual([
      1, 1, 0,
    ]);
  });

  it('are one object until one begins or ends', () => {
    const calls = new CallsInFlight(fixedClock(0));
    calls.enter(CELL, call('1'), origin);
    const before = calls.of(CELL);
    expect(calls.of(CELL)).toBe(before);
    calls.leave(CELL, 'unknown');
    expect(calls.of(CELL)).toBe(before);
    calls.enter(CELL, call('2'), origin);
    expect(calls.of(CELL)).not.toBe(before);
    expect(before.count).toBe(1);
  });

  it('name a few of many, and each tool once', () => {
    const calls = new CallsInFlight(fixedClock(0));
    for (let index = 0; index < 1_000; index += 1) calls.enter(CELL, call(String(index)), origin);
    calls.enter(CELL, call('last', { readOnly: false }), origin);
    const { count, inFlight, running } = calls.of(CELL);
    expect([count, inFlight.length]).toEqual([1_001, limits.requestCallsMax]);
    /* What a tool says of itself may change under way. */
    expect(running).toEqual([
      { tool: 'search', readOnly: true },
      { tool: 'search', readOnly: false },
    ]);
  });

  it('say who called, however many did, and from which profiles calls ever came', () => {
    const calls = new CallsInFlight(fixedClock(0));
    for (let index = 0; index < limits.requestCallsMax; index += 1)
      calls.enter(CELL, call(`${index}`), origin);
    calls.enter(CELL, call('late', { token: null, user: 'usr_2' }), { ...origin, profile: 'ops' });
    calls.enter(CELL, call('own', { agent: 'other' }), { ...origin, profile: null });
    expect(calls.of(CELL).callers).toEqual([
      { token: 'tok_1', user: null, agent: 'cursor' },
      { token: null, user: 'usr_2', agent: 'cursor' },
      { token: 'tok_1', user: null, agent: 'other' },
    ]);
    calls.leave(CELL, 'late');
    expect(calls.of(CELL).callers).toHaveLength(2);
    expect(calls.of(CELL).profiles).toEqual(['dev', 'ops']);
  });

  it('remember when tools ended, of so many tools', () => {
    const clock = fixedClock(0);
    const calls = new CallsInFlight(clock);
    for (let index = 0; index < limits.cellEndedToolsMax + 10; index += 1) {
      calls.enter(CELL, call(`${index}`, { tool: `tool_${index}` }), origin);
      calls.leave(CELL, `${index}`);
      clock.advance(1);
    }
    calls.enter(CELL, call('again', { tool: 'tool_20' }), origin);
    calls.leave(CELL, 'again');
    const { ended } = calls.of(CELL);
    expect(ended).toHaveLength(limits.cellEndedToolsMax);
    expect(ended.slice(0, 2).map(({ tool }) => tool)).toEqual(['tool_20', 'tool_73']);
    expect(ended.some(({ tool }) => tool === 'tool_9')).toBe(false);
  });

  it('are forgotten with the cell', async () => {
    const calls = new CallsInFlight(fixedClock(0));
    const { promise, resolve } = Promise.withResolvers<void>();
    calls.enter(CELL, call('1'), { profile: null, exited: promise });
    resolve();
    await promise;
    await Promise.resolve();
    calls.leave(CELL, '1');
    expect(calls.of(CELL).begun).toBe(false);
  });
});
