import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pieces } from '../../src/mcp/upstream/pieces.ts';

describe('bytes that come in pieces', () => {
  it('are the same however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(10), fc.nat(9_000)), { maxLength: 60 }),
        fc.nat(255),
        (lengths, seed) => {
          const pieces = new Pieces();
          const cut = lengths.map((length, at) => Buffer.alloc(length, `${seed}-${at} `));
          for (const piece of cut) pieces.push(piece);
          const whole = Buffer.concat(cut);
          expect(pieces.length).toBe(whole.length);
          expect(pieces.take().equals(whole)).toBe(true);
          expect([pieces.length, pieces.count]).toEqual([0, 0]);
          for (const piece of cut) pieces.push(piece);
          const { head, tail } = pieces.takeEdges(256);
          expect(head.equals(whole.subarray(0, 256))).toBe(true);
          expect(tail.equals(whole.subarray(-256))).toBe(true);
          expect([pieces.length, pieces.count]).toEqual([0, 0]);
        },
      ),
    );
  });

  it('are not copied where they came in one', () => {
    const pieces = new Pieces();
    const only = Buffer.from('{}');
    pieces.push(only);
    expect(pieces.take()).toBe(only);
  });

  it('of one byte each are few to keep', () => {
    const pieces = new Pieces();
    for (let at = 0; at < 100_000; at += 1) pieces.push(Buffer.of(at & 255));
    expect(pieces.count).toBeLessThan(30);
    expect(pieces.take()).toEqual(Buffer.from(Uint8Array.from({ length: 100_000 }, (_, at) => at & 255)));
  });

  it('do not change what was taken before', () => {
    const pieces = new Pieces();
    for (const text of ['a', 'b', 'c']) pieces.push(Buffer.from(text));
    const first = pieces.take();
    for (const text of ['d', 'e', 'f']) pieces.push(Buffer.from(text));
    expect([String(first), String(pieces.take())]).toEqual(['abc', 'def']);
  });
});
