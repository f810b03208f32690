import { describe, expect, it } from 'vitest';
import { CollectedBody } from '../../../src/egress/inject/request-body.ts';
import { limits } from '../../../src/kernel/index.ts';

describe('a body that is collected', () => {
  it('is the same however it was cut', () => {
    const whole = Buffer.from(Array.from({ length: 20_000 }, (_, at) => at % 251));
    const { collectedBlockBytes: block } = limits;
    for (const sizes of [[1], [whole.length], [block, 1], [1, block - 1, block + 1, 7], [3, 2 * block, 5]]) {
      const body = new CollectedBody({ bytes: 0, bytesMax: limits.cellBodyBytesMax });
      for (let [at, turn] = [0, 0]; at < whole.length; turn += 1) {
        const piece = whole.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
        body.onBody(piece);
        at += piece.length;
      }
      expect(body.take()).toEqual(whole);
    }
  });

  it('does not hold on to what small pieces were read with', () => {
    const body = new CollectedBody({ bytes: 0, bytesMax: limits.cellBodyBytesMax });
    const read = Buffer.from('abc');
    for (let at = 0; at < read.length; at += 1) body.onBody(read.subarray(at, at + 1));
    read.fill('x');
    expect(body.take().toString()).toBe('xbc'); // the first one is mostly all of the body, and not copied
  });

  it('gives back what it took, whole or not', () => {
    const memory = { bytes: 0, bytesMax: limits.cellBodyBytesMax };
    const body = new CollectedBody(memory);
    for (const piece of ['a', 'b', 'c']) body.onBody(Buffer.from(piece));
    expect(memory.bytes).toBe(3);
    body.release();
    expect([memory.bytes, body.take().length]).toEqual([0, 0]);
  });
});
