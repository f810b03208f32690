import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectionText } from '../fuzz/http1-inputs.ts';
import { readOurs } from '../fuzz/http1-ours.ts';
import { seeded, split } from '../fuzz/random.ts';

const SEED = 20_251_121;

describe.each(['request', 'response'] as const)('a connection of %ss', (kind) => {
  it('is read the same however the bytes are split', () => {
    const states = new Set<string>();
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, sizeMax) => {
        const below = seeded(seed);
        const bytes = Buffer.from(connectionText(below, kind), 'latin1');
        const seen = readOurs(kind, [bytes]);
        states.add(seen.state);
        expect(readOurs(kind, split(below, bytes, sizeMax))).toEqual(seen);
        expect(readOurs(kind, split(below, bytes, 1))).toEqual(seen);
      }),
      { numRuns: 2_000, seed: SEED },
    );
    /* The inputs must reach every end, or the property says little. */
    expect([...states].toSorted()).toEqual(['between', 'error', 'over', 'pending']);
  });
});

describe('a long head', () => {
  it('is refused at the same byte however it is split', () => {
    const text = `GET / HTTP/1.1\r\nHost: a\r\nA: ${'b'.repeat(40_000)}\r\n\r\n`;
    const bytes = Buffer.from(text, 'latin1');
    const below = seeded(SEED);
    for (const sizeMax of [1, 7, 1_000, 40_000]) {
      expect(readOurs('request', split(below, bytes, sizeMax)).error).toBe('head_too_large');
    }
  });
});
