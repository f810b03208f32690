/** Bodies of answers: read to their end or their limit, decoded, and never further than anybody waits. */
import { Readable } from 'node:stream';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { collect } from '../../src/main/upstreams/api-answer.ts';

const never = new AbortController().signal;
const inPieces = (bytes: Buffer, size: number): Readable =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    ),
  );
const text = 'the answer, '.repeat(500);

describe('a body', () => {
  it.each([
    ['', Buffer.from(text)],
    ['identity', Buffer.from(text)],
    ['gzip', gzipSync(text)],
    ['X-GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
  ])('that is encoded as %j is decoded, however it is cut', async (coding, bytes) => {
    for (const size of [1, 7, 100_000]) {
      const { body, isCut } = await collect(inPieces(bytes, size), coding, never);
      expect([body.toString(), isCut]).toEqual([text, false]);
    }
  });

  it('that is broken, or in a coding that nobody knows, is an error', async () => {
    const bytes = gzipSync(text);
    await expect(collect(inPieces(bytes.subarray(0, 40), 10), 'gzip', never)).rejects.toMatchObject({
      code: 'api_answer_malformed',
    });
    await expect(collect(inPieces(Buffer.from(text), 10), 'gzip', never)).rejects.toMatchObject({
      code: 'api_answer_malformed',
    });
    const source = inPieces(bytes, 10);
    await expect(collect(source, 'compress', never)).rejects.toMatchObject({ code: 'api_answer_coding' });
    expect(source.destroyed).toBe(true);
  });

  it('that is encoded more often than anybody means it is not begun with', async () => {
    const often = (times: number): Buffer =>
      Array.from({ length: times }).reduce<Buffer>((bytes) => gzipSync(bytes), Buffer.from(text));
    const list = (times: number): string => Array.from({ length: times }, () => 'gzip').join(', ');
    expect((await collect(inPieces(often(3), 100), list(3), never)).body.toString()).toBe(text);
    const source = inPieces(often(4), 100);
    await expect(collect(source, list(4), never)).rejects.toMatchObject({ code: 'api_answer_coding' });
    expect(source.destroyed).toBe(true);
    await expect(collect(inPieces(often(1), 10), list(3_000), never)).rejects.toMatchObject({
      code: 'api_answer_coding',
    });
  });

  it('is read to its limit and no further, also where little becomes much', async () => {
    const piece = gzipSync(Buffer.alloc(limits.MIB));
    let read = 0;
    // Members without end: whoever reads to the end of it never comes back.
    const source = new Readable({
      read() {
        read += 1;
        this.push(read > 1_000 ? null : piece);
      },
    });
    const { body, isCut } = await collect(source, 'gzip', never);
    expect([body.length, isCut]).toEqual([limits.apiAnswerBytesMax, true]);
    expect(source.destroyed).toBe(true);
    expect(read).toBeLessThan(500);
  });

  it('is given up when nobody waits for it', async () => {
    const controller = new AbortController();
    const source = new Readable({ read() {} });
    const collected = collect(source, '', controller.signal);
    source.push('a');
    controller.abort(new Error('nobody waits'));
    await expect(collected).rejects.toThrow('nobody waits');
    expect(source.destroyed).toBe(true);
  });
});
