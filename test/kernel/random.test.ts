import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/kernel/index.ts';

describe('random bytes', () => {
  it('are as many as asked for, and no two alike, also where what is kept ahead runs out', () => {
    const drawn = Array.from({ length: 2_000 }, (_, index) => systemRandom.bytes(10 + (index % 30)));
    expect(drawn.every((bytes, index) => bytes.length === 10 + (index % 30))).toBe(true);
    expect(new Set(drawn.map((bytes) => bytes.toString('hex'))).size).toBe(drawn.length);
  });

  it('are their receiver’s alone: what is drawn later does not change them, nor they it', () => {
    const first = systemRandom.bytes(16);
    const kept = first.toString('hex');
    const next = systemRandom.bytes(16);
    next.fill(0);
    const after = systemRandom.bytes(16);
    expect(first.toString('hex')).toBe(kept);
    expect(after.every((byte) => byte === 0)).toBe(false);
  });
});
