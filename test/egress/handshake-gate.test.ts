/** How many handshakes of one cell begin, and when. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HandshakeGate } from '../../src/egress/handshake-gate.ts';
import { fixedClock, limits } from '../../src/kernel/index.ts';

const begins = (): { count: number; begin: () => boolean } => {
  const counted = {
    count: 0,
    begin: () => {
      counted.count += 1;
      return true;
    },
  };
  return counted;
};

/** Until no more begin. */
async function settled(counted: { readonly count: number }): Promise<number> {
  for (let before = -1; before !== counted.count; ) {
    before = counted.count;
    await turn();
    await turn();
  }
  return counted.count;
}

describe('the gate of handshakes', () => {
  it('lets a few begin in one turn of the event loop, and the next few after everybody else', async () => {
    const gate = new HandshakeGate(fixedClock(0));
    const counted = begins();
    for (let index = 0; index < 3 * limits.cellHandshakesPerTurn; index += 1) gate.pass(counted.begin);
    expect(counted.count).toBe(limits.cellHandshakesPerTurn);
    expect(gate.waiting).toBe(2 * limits.cellHandshakesPerTurn);
    await turn();
    expect(counted.count).toBe(2 * limits.cellHandshakesPerTurn);
    expect(await settled(counted)).toBe(3 * limits.cellHandshakesPerTurn);
    gate.close();
  });

  it('lets a burst begin, and after that as many as time allows, in the order in which they came', async () => {
    const clock = fixedClock(0);
    const gate = new HandshakeGate(clock);
    const order: number[] = [];
    const counted = begins();
    for (let index = 0; index < limits.cellHandshakesBurst; index += 1) {
      gate.pass(counted.begin);
      await turn();
    }
    expect(await settled(counted)).toBe(limits.cellHandshakesBurst);
    for (let index = 0; index < 10; index += 1) {
      gate.pass(() => {
        order.push(index);
        return counted.begin();
      });
    }
    expect(await settled(counted)).toBe(limits.cellHandshakesBurst);
    expect(gate.waiting).toBe(10);
    clock.advance((4 * 1_000) / limits.cellHandshakesPerSecond);
    gate.pass(counted.begin);
    expect(await settled(counted)).toBe(limits.cellHandshakesBurst + 4);
    expect(order).toEqual([0, 1, 2, 3]);
    gate.close();
    expect(gate.waiting).toBe(0);
  });

  it('begins the rest by itself as time goes on', async () => {
    const clock = { now: () => Date.now(), monotonic: () => performance.now() };
    const gate = new HandshakeGate(clock);
    const counted = begins();
    const total = limits.cellHandshakesBurst + 5;
    for (let index = 0; index < total; index += 1) {
      while (!gate.pass(counted.begin)) await turn();
    }
    while (counted.count < total) await turn();
    expect(gate.waiting).toBe(0);
    gate.close();
  });

  it('charges nothing for one that nobody wants any more', async () => {
    const gate = new HandshakeGate(fixedClock(0));
    const counted = begins();
    for (let index = 0; index < limits.cellHandshakesWaitingMax; index += 1) gate.pass(() => false);
    for (let index = 0; index < limits.cellHandshakesBurst; index += 1) {
      while (!gate.pass(counted.begin)) await turn();
    }
    expect(await settled(counted)).toBe(limits.cellHandshakesBurst);
    gate.close();
  });

  it('turns away one too many', () => {
    const gate = new HandshakeGate(fixedClock(0));
    const counted = begins();
    const asked = limits.cellHandshakesPerTurn + limits.cellHandshakesWaitingMax;
    for (let index = 0; index < asked; index += 1) expect(gate.pass(counted.begin)).toBe(true);
    expect(gate.pass(counted.begin)).toBe(false);
    gate.close();
  });
});
