import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  createZstdCompress,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  createContentScrubber,
  createScrubSet,
  parseContentEncoding,
  type ScrubHit,
} from '../../../src/egress/scrub/index.ts';
import { AppError, Secret } from '../../../src/kernel/index.ts';
import { CODINGS, skippableFrame } from './cases.ts';

const SECRET = 'sk_live_51Hb/9+zQ=key~value';
const set = createScrubSet([
  { name: 'KEY', mask: 'sk_live_MASKMASKMASKMASK', value: Secret.fromString(SECRET) },
]);

async function collect(stream: Duplex, chunks: readonly Buffer[]): Promise<Buffer> {
  const out: Buffer[] = [];
  const write = (async () => {
    for (const chunk of chunks) if (!stream.write(chunk)) await once(stream, 'drain');
    stream.end();
  })();
  // When the reading side fails, it says so itself.
  write.catch(() => {});
  for await (const chunk of stream) out.push(chunk);
  return Buffer.concat(out);
}

async function scrub(
  header: string | undefined,
  chunks: readonly Buffer[],
): Promise<{ out: Buffer; hits: ScrubHit[] }> {
  const hits: ScrubHit[] = [];
  const out = await collect(
    createContentScrubber(set, header, (hit) => hits.push(hit)),
    chunks,
  );
  return { out, hits };
}

describe.each(CODINGS)('a body in $label', ({ header, encode }) => {
  const before = Buffer.from(`{"text":"${'filler '.repeat(30)}","got":"`);
  const after = Buffer.from(`","more":"${'\u00e9t cetera '.repeat(30)}"}`);

  it('masks in a body that arrives byte by byte', async () => {
    const coded = encode(Buffer.concat([before, Buffer.from(SECRET), after]));
    const { out } = await scrub(
      header,
      [...coded].map((byte) => Buffer.from([byte])),
    );
    expect(out.toString()).toBe(`${before.toString()}sk_live_MASKMASKMASKMASK${after.toString()}`);
  });

  it('passes a large random body byte for byte', async () => {
    const plain = randomBytes(700_000);
    const coded = encode(plain);
    const chunks = Array.from({ length: Math.ceil(coded.length / 9_973) }, (_, index) =>
      coded.subarray(index * 9_973, (index + 1) * 9_973),
    );
    const { out, hits } = await scrub(header, chunks);
    expect(hits).toEqual([]);
    expect(out.equals(plain)).toBe(true);
  });

  it('passes an empty body', async () => {
    expect((await scrub(header, [])).out).toHaveLength(0);
    expect((await scrub(header, [encode(Buffer.alloc(0))])).out).toHaveLength(0);
  });
});

describe.each([
  ['gzip', '\0'],
  ['deflate', SECRET],
  ['br', SECRET],
])('what follows the end of a %s body', (header, garbage) => {
  it('is dropped, however long', async () => {
    const encode = CODINGS.find((coding) => coding.label === header)?.encode ?? expect.unreachable();
    const coded = encode(Buffer.from('the body'));
    const { out } = await scrub(header, [
      Buffer.concat([coded, Buffer.alloc(300_000, garbage)]),
      Buffer.alloc(300_000),
    ]);
    expect(out.toString()).toBe('the body');
  });
});

describe('event streams', () => {
  it.each([
    ['gzip', () => createGzip(), constants.Z_SYNC_FLUSH],
    ['deflate', () => createDeflate(), constants.Z_SYNC_FLUSH],
    ['br', () => createBrotliCompress(), constants.BROTLI_OPERATION_FLUSH],
    ['zstd', () => createZstdCompress(), constants.ZSTD_e_flush],
  ] as const)('in %s come out event by event, before the next one is sent', async (header, create, flush) => {
    const scrubber = createContentScrubber(set, header, () => {});
    const coder = create();
    coder.pipe(scrubber);
    for (const event of ['data: one\n\n', `data: ${SECRET}\n\n`, 'data: three\n\n']) {
      coder.write(event);
      coder.flush(flush);
      const [chunk] = await once(scrubber, 'data');
      expect(String(chunk)).toBe(event.replace(SECRET, 'sk_live_MASKMASKMASKMASK'));
    }
    coder.end();
    scrubber.resume();
    await once(scrubber, 'end');
  });
});

describe('what is not passed', () => {
  const codeOf = async (promise: Promise<unknown>): Promise<string> => {
    const error = await promise.then(
      () => null,
      (reason: unknown) => reason,
    );
    return error instanceof AppError ? error.code : `no AppError: ${String(error)}`;
  };

  it.each(['compress', 'gzip, lzma', 'toString', '__proto__', 'gzip, gzip, gzip, gzip'])(
    'a body in %s',
    (header) => {
      try {
        parseContentEncoding(header);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: 'scrub_coding_unsupported', kind: 'unavailable' });
      }
    },
  );

  it.each(CODINGS.filter((coding) => coding.header !== undefined && coding.header !== 'identity'))(
    'a body in $label that ends early, or is none',
    async ({ header, encode }) => {
      const coded = encode(Buffer.from('some text that goes on for a while '.repeat(20)));
      expect(await codeOf(scrub(header, [coded.subarray(0, coded.length - 12)]))).toBe(
        'scrub_content_malformed',
      );
      expect(
        await codeOf(scrub(header, [Buffer.from('\x07<html>plain text, whatever the header says</html>')])),
      ).toBe('scrub_content_malformed');
    },
  );

  it.each(CODINGS.filter((coding) => coding.header !== undefined && coding.header !== 'identity'))(
    'a body in $label that ends at any byte before its last',
    async ({ header, encode, label }) => {
      const coded = encode(Buffer.from('some text that goes on for a while'));
      const codes = new Set<string>();
      const whole: number[] = [];
      for (let length = 1; length < coded.length; length += 1) {
        const code = await codeOf(scrub(header, [coded.subarray(0, length)]));
        if (code.startsWith('no AppError: null')) whole.push(length);
        else codes.add(code);
      }
      expect([...codes]).toEqual(['scrub_content_malformed']);
      // Where a member or a frame ends, the body may have ended.
      expect(whole).toHaveLength(
        { 'gzip of two members': 1, 'zstd of two frames': 1, 'zstd with skippable frames': 5 }[label] ?? 0,
      );
    },
  );

  it.each([
    ['gzip', gzipSync('the body')],
    ['zstd', zstdCompressSync('the body')],
  ])('a %s body with more after its end that is no body', async (header, coded) => {
    for (const chunks of [[Buffer.concat([coded, Buffer.from('more')])], [coded, Buffer.from('more')]])
      expect(await codeOf(scrub(header, chunks))).toBe('scrub_content_malformed');
  });

  it.each([
    ['empty frames', zstdCompressSync('')],
    ['skippable frames', skippableFrame(0)],
    ['frames of one byte', zstdCompressSync('x')],
  ])('a zstd body of many %s', async (_, frame) => {
    const few = Buffer.concat(Array.from({ length: 100 }, () => frame));
    expect(await codeOf(scrub('zstd', [few]))).toBe('no AppError: null');
    const many = Buffer.concat(Array.from({ length: 300 }, () => frame));
    expect(await codeOf(scrub('zstd', [many]))).toBe('scrub_content_expansion');
  });

  it('a body that grows out of proportion where it is not seen', async () => {
    const padded = Buffer.concat([gzipSync('the body'), Buffer.alloc(100 * 1024 * 1024)]);
    const bomb = brotliCompressSync(padded, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
    expect(await codeOf(scrub('gzip, br', [bomb]))).toBe('scrub_content_expansion');
  });

  it('a body that grows out of proportion', async () => {
    const bomb = brotliCompressSync(Buffer.alloc(128 * 1024 * 1024), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 1 },
    });
    const stream = createContentScrubber(set, 'br', () => {});
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    const failed = once(stream, 'error');
    stream.end(bomb);
    expect((await failed)[0]).toMatchObject({ code: 'scrub_content_expansion' });
    expect(bytes).toBeLessThan(80 * 1024 * 1024);
  });

  it('more than the reader asked for', async () => {
    const coded = gzipSync(Buffer.alloc(20 * 1024 * 1024));
    const unread = createContentScrubber(set, 'gzip', () => {});
    unread.end(coded);
    await once(unread, 'readable');
    // The same body is read to its end beside it, twice: time enough to run ahead.
    for (let round = 0; round < 2; round += 1)
      expect((await scrub('gzip', [coded])).out).toHaveLength(20 * 1024 * 1024);
    expect(unread.readableLength).toBeLessThan(1024 * 1024);
    unread.destroy();
  });
});
