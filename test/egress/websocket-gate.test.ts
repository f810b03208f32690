import { describe, expect, it } from 'vitest';
import { ControlGate } from '../../src/egress/websocket/control-gate.ts';
import { fixedClock, limits } from '../../src/kernel/index.ts';

const SECOND = 1_000;

/** How many of `tries` pass. */
const passed = (gate: ControlGate, tries: number): number =>
  Array.from({ length: tries }, () => gate.pass()).filter(Boolean).length;

describe('frames without a message', () => {
  const BURST = limits.webSocketControlBurst;

  it('pass up to a burst at once', () => {
    expect(passed(new ControlGate(fixedClock(0)), BURST * 2)).toBe(BURST);
  });

  it('pass at their rate after that, however long they were quiet', () => {
    const clock = fixedClock(0);
    const gate = new ControlGate(clock);
    expect(passed(gate, BURST)).toBe(BURST);
    clock.advance(SECOND);
    expect(passed(gate, limits.webSocketControlPerSecond)).toBe(limits.webSocketControlPerSecond);
    clock.advance(SECOND * 1_000);
    expect(passed(gate, BURST * 2)).toBe(BURST);
  });
});
