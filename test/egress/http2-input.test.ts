/** What waits on an HTTP/2 stream takes as much memory as it has bytes, and comes out as it came in. */
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BodyMemory } from '../../src/egress/message.ts';
import { type InputReader, StreamInput } from '../../src/egress/http2/stream-input.ts';
import { limits } from '../../src/kernel/index.ts';

/** Takes what it is given, as often as it is told; the rest it refuses. */
class Reader implements InputReader {
  readonly pieces: Buffer[] = [];
  hasEnded = false;
  isWhole = false;
  overflows = 0;
  arrivedBytes = 0;
  /** Pieces that it takes before it refuses one. */
  takes = Number.POSITIVE_INFINITY;

  onArrival(bytes: number): void {
    this.arrivedBytes += bytes;
  }

  onInput(data: Buffer): boolean {
    if (this.takes <= 0) return false;
    this.takes -= 1;
    this.pieces.push(data);
    return true;
  }

  onInputEnd(whole: boolean): void {
    this.hasEnded = true;
    this.isWhole = whole;
  }

  onInputOverflow(): void {
    this.overflows += 1;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

interface Bench {
  readonly stream: Duplex;
  readonly reader: Reader;
  readonly memory: BodyMemory;
  readonly input: StreamInput;
}

function bench(memory: BodyMemory = { bytes: 0, bytesMax: limits.cellBodyBytesMax }): Bench {
  const stream = new Duplex({ read: () => undefined, write: (_data, _encoding, done) => done() });
  const reader = new Reader();
  return { stream, reader, memory, input: new StreamInput(stream, reader, memory) };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

type Step =
  | { readonly kind: 'data'; readonly size: number }
  | { readonly kind: 'pause' | 'resume' | 'turn' }
  | { readonly kind: 'takes'; readonly pieces: number };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('data' as const), size: fc.integer({ min: 1, max: 20 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('data' as const),
        size: fc.integer({ min: 4_000, max: 80_000 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const, 'turn' as const) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('takes' as const), pieces: fc.integer({ min: 0, max: 4 }) }),
    },
  ),
  { maxLength: 60 },
);

describe('what comes in on a stream', () => {
  it.each([
    ['whole where it ended', false],
    ['no whole where it was reset', true],
  ])('is, where both were there before anybody could know of the stream, %s', async (_name, isReset) => {
    const stream = new Duplex({ read: () => undefined, write: (_data, _encoding, done) => done() });
    Object.defineProperty(stream, 'closed', { value: isReset }); // as `node:http2` has it
    stream.push(Buffer.from('half'));
    stream.push(null);
    const reader = new Reader();
    const input = new StreamInput(stream, reader, { bytes: 0, bytesMax: limits.cellBodyBytesMax });
    await turns();
    expect([input.bytes, reader.hasEnded, reader.isWhole]).toEqual([4, true, !isReset]);
  });

  it.each([['with its end', true], ['without']])(
    'is given though it was there before anybody could know of the stream, %s',
    async (_name, ends = false) => {
      for (const takes of [0, 1, 9]) {
        const stream = new Duplex({ read: () => undefined, write: (_data, _encoding, done) => done() });
        stream.push(Buffer.from('early'));
        if (ends) stream.push(null);
        const reader = new Reader();
        reader.takes = takes;
        const memory = { bytes: 0, bytesMax: 5 };
        const input = new StreamInput(stream, reader, memory);
        await turns();
        expect([reader.bytes.toString(), reader.hasEnded]).toEqual(
          takes === 0 ? ['', false] : ['early', ends],
        );
        reader.takes = 9;
        input.resume();
        if (!ends) {
          stream.push(Buffer.from(', late'));
          stream.push(null);
        }
        await turns();
        expect(reader.bytes.toString()).toBe(ends ? 'early' : 'early, late');
        expect([reader.hasEnded, reader.arrivedBytes, memory.bytes, reader.overflows]).toEqual([
          true,
          reader.bytes.length,
          0,
          0,
        ]);
      }
    },
  );

  it('comes out whole and in order, and then the end, however it is held back', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const { stream, reader, memory, input } = bench();
        const sent: Buffer[] = [];
        let next = 0;
        for (const step of plan) {
          if (step.kind === 'data') {
            const data = Buffer.from(Array.from({ length: step.size }, () => (next += 1) % 251));
            sent.push(data);
            stream.push(Buffer.from(data));
          } else if (step.kind === 'pause') input.pause();
          else if (step.kind === 'resume') input.resume();
          else if (step.kind === 'takes') reader.takes = step.pieces;
          else await turns();
        }
        stream.push(null);
        await turns();
        reader.takes = Number.POSITIVE_INFINITY;
        input.pause();
        input.resume();
        await turns();
        expect(reader.bytes.equals(Buffer.concat(sent))).toBe(true);
        expect(reader.hasEnded).toBe(true);
        expect(reader.arrivedBytes).toBe(reader.bytes.length);
        expect(memory.bytes).toBe(0);
      }),
      { numRuns: 200, seed: 9113 },
    );
  });

  it('is given at once, and what follows in the same turn as one', async () => {
    const { stream, reader } = bench();
    for (const text of ['a', 'b', 'c']) stream.push(Buffer.from(text));
    expect(reader.pieces.map(String)).toEqual(['a']);
    await turns();
    expect(reader.pieces.map(String)).toEqual(['a', 'bc']);
    stream.push(Buffer.from('d'));
    expect(reader.pieces.map(String)).toEqual(['a', 'bc', 'd']);
  });

  it('does not end while something waits, or when nobody took it', async () => {
    const { stream, reader, input } = bench();
    reader.takes = 0;
    stream.push(Buffer.from('a'));
    stream.push(null);
    await turns();
    expect(reader.hasEnded).toBe(false);
    reader.takes = 1;
    input.resume();
    await turns();
    expect([reader.bytes.toString(), reader.hasEnded]).toEqual(['a', true]);
  });

  it('asks the stream to wait as long as it is held back, and to go on after that', async () => {
    const { stream, reader, input } = bench();
    expect(stream.push(Buffer.from('a'))).toBe(true);
    input.pause();
    expect(stream.push(Buffer.from('b'))).toBe(false);
    input.resume();
    expect(stream.push(Buffer.from('c'))).toBe(true);
    await turns();
    reader.takes = 0;
    expect(stream.push(Buffer.alloc(8_000))).toBe(false);
  });

  it('holds on to nothing that was read with it', async () => {
    const { stream, reader, input } = bench();
    const record = Buffer.alloc(16_384);
    stream.push(record.subarray(0, 1));
    input.pause();
    for (let piece = 0; piece < 10_000; piece += 1) stream.push(record.subarray(1, 2));
    input.resume();
    await turns();
    expect(reader.bytes.length).toBe(10_001);
    expect(reader.pieces.length).toBeLessThan(6);
    for (const piece of reader.pieces) expect(piece.buffer).not.toBe(record.buffer);
  });

  it('is counted while it waits, given up where there is too much of it on all streams, and not counted any more', () => {
    const memory = { bytes: limits.cellBodyBytesMax - 10, bytesMax: limits.cellBodyBytesMax };
    const { stream, reader, input } = bench(memory);
    input.pause();
    stream.push(Buffer.alloc(10));
    expect([memory.bytes, reader.overflows]).toEqual([limits.cellBodyBytesMax, 0]);
    stream.push(Buffer.alloc(1));
    expect([memory.bytes, reader.overflows]).toEqual([limits.cellBodyBytesMax - 10, 1]);
    input.resume();
    expect(reader.pieces).toEqual([]);
  });

  it('is not counted any more when the stream is cut', async () => {
    const { stream, memory, input } = bench();
    input.pause();
    stream.push(Buffer.alloc(10));
    expect(memory.bytes).toBe(10);
    stream.destroy();
    await turns();
    expect(memory.bytes).toBe(0);
    stream.push(Buffer.alloc(10));
    expect(memory.bytes).toBe(0);
  });
});
