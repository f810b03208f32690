import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { Turns } from '../../src/mcp/upstream/turns.ts';

function stepper(turns: Turns, log: string[], clock: ReturnType<typeof fixedClock>) {
  return (name: string, steps: number, costMs: number): void => {
    let left = steps;
    turns.add(() => {
      left -= 1;
      log.push(name);
      clock.advance(costMs);
      return left > 0;
    });
  };
}

describe('turns', () => {
  it('go from one to the other, in the order in which they came, and end', async () => {
    const [clock, log] = [fixedClock(0), [] as string[]];
    const add = stepper(new Turns(clock), log, clock);
    add('a', 3, 0);
    add('b', 1, 0);
    add('c', 2, 0);
    expect(log).toEqual([]);
    await setImmediate();
    expect(log).toEqual(['a', 'b', 'c', 'a', 'c', 'a']);
    await setImmediate();
    expect(log).toHaveLength(6);
  });

  it('leave the event loop to everything else after a while, however many wait', async () => {
    const [clock, log] = [fixedClock(0), [] as string[]];
    const add = stepper(new Turns(clock), log, clock);
    for (const name of ['a', 'b', 'c']) add(name, 2, limits.mcpTurnMs / 2);
    const seen: number[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      await setImmediate();
      seen.push(log.length);
    }
    expect(seen).toEqual([2, 4, 6, 6]);
    expect(log).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });

  it('let one that takes too long have one step, and the next its turn after that', async () => {
    const [clock, log] = [fixedClock(0), [] as string[]];
    const add = stepper(new Turns(clock), log, clock);
    add('slow', 2, 10 * limits.mcpTurnMs);
    add('quick', 2, 0);
    const seen: string[][] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      await setImmediate();
      seen.push(log.splice(0));
    }
    expect(seen).toEqual([['slow'], ['quick', 'slow'], ['quick']]);
  });

  it('do not take those of others with them where a step fails', async () => {
    const [clock, log] = [fixedClock(0), [] as string[]];
    const turns = new Turns(clock);
    const failed = new Promise((resolve) => process.once('uncaughtException', resolve));
    const listeners = process.listeners('uncaughtException').slice(0, -1);
    for (const listener of listeners) process.off('uncaughtException', listener);
    try {
      turns.add(() => {
        throw new Error('broken');
      });
      stepper(turns, log, clock)('other', 1, 0);
      expect(String(await failed)).toBe('Error: broken');
      await setImmediate();
      expect(log).toEqual(['other']);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });
});
