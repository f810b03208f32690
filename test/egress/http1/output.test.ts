import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Http1Output } from '../../../src/egress/http1/output.ts';
import { limits } from '../../../src/kernel/index.ts';

/** A socket that keeps what it is given, write by write, and takes as long about each as it is told. */
class Sink extends Writable {
  readonly writes: string[] = [];
  readonly #turns: number;

  constructor(turns = 0) {
    super({ highWaterMark: 65_536 });
    this.#turns = turns;
  }

  get text(): string {
    return this.writes.join('');
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#take(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: () => void): void {
    this.#take(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  #take(bytes: Buffer, done: () => void): void {
    this.writes.push(bytes.toString('latin1'));
    const wait = (turns: number): void => {
      if (turns === 0) done();
      else setImmediate(() => wait(turns - 1));
    };
    wait(this.#turns);
  }
}

const never = (): void => expect.unreachable();
const piece = (text: string): Buffer => Buffer.from(text);

describe('what is written in one turn', () => {
  it('leaves together when the turn is over, as one chunk behind the head', async () => {
    const sink = new Sink();
    const output = new Http1Output(sink, never);
    output.begin('HEAD\r\n\r\n', true);
    for (const text of ['one ', 'two ', 'three']) {
      expect(output.data(piece(text))).toBe(true);
      await Promise.resolve();
    }
    expect(sink.writes).toEqual([]);
    await turn();
    expect(sink.writes).toEqual(['HEAD\r\n\r\nd\r\none two three\r\n']);
  });

  it('waits for nothing that comes in the next', async () => {
    const sink = new Sink();
    const output = new Http1Output(sink, never);
    output.begin('HEAD\r\n\r\n', true);
    await turn();
    expect(sink.text).toBe('HEAD\r\n\r\n');
    for (const text of ['one', 'two']) {
      output.data(piece(text));
      await turn();
      expect(sink.text.endsWith(`3\r\n${text}\r\n`)).toBe(true);
    }
  });

  it('leaves at once with the end, and without chunks as it is', async () => {
    const sink = new Sink();
    const output = new Http1Output(sink, never);
    output.begin('CHUNKED\r\n\r\n', true);
    output.data(piece('one'));
    output.end('0\r\n\r\n');
    expect(sink.writes).toEqual(['CHUNKED\r\n\r\n3\r\none\r\n0\r\n\r\n']);
    output.begin('PLAIN\r\n\r\n', false);
    output.data(piece('two'));
    output.end('');
    expect(sink.writes.slice(1)).toEqual(['PLAIN\r\n\r\ntwo']);
    await turn();
    expect(sink.writes).toHaveLength(2);
  });

  it('leaves before anything that is written past it', () => {
    const sink = new Sink();
    const output = new Http1Output(sink, never);
    output.begin('HEAD\r\n\r\n', false);
    output.data(piece('one'));
    output.write('NEXT\r\n\r\n');
    expect(sink.text).toBe('HEAD\r\n\r\noneNEXT\r\n\r\n');
  });

  it('is not gathered without bound', () => {
    const sink = new Sink(1);
    const output = new Http1Output(sink, never);
    output.begin('', false);
    const part = Buffer.alloc(limits.answerGatheredBytesMax / 4, 'x');
    for (let count = 1; count < 4; count += 1) output.data(part);
    expect(sink.writes).toEqual([]);
    output.data(part);
    expect(sink.text).toHaveLength(limits.answerGatheredBytesMax);
  });

  it('is dropped with the socket', async () => {
    const sink = new Sink();
    const output = new Http1Output(sink, never);
    output.begin('HEAD\r\n\r\n', true);
    output.data(piece('one'));
    sink.destroy();
    expect(output.data(piece('two'))).toBe(true);
    output.end('0\r\n\r\n');
    await turn();
    expect(sink.writes).toEqual([]);
  });
});

describe('a sender that waits when it is told to', () => {
  it('is told when there is room again though the socket was never full', async () => {
    const sink = new Sink(1);
    let rooms = 0;
    const output = new Http1Output(sink, () => {
      rooms += 1;
    });
    output.write(Buffer.alloc(60_000, 'a'));
    expect(output.data(Buffer.alloc(6_000, 'b'))).toBe(false); // more than the socket takes, so far
    await turn();
    expect(rooms).toBe(1); // by now it has written the first
  });

  it('sends everything in order, never holds much more than the socket takes, and never waits for nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 1, max: 8 }),
        async (lengths, turns, perTurn) => {
          const sink = new Sink(turns);
          let go = Promise.withResolvers<void>();
          const output = new Http1Output(sink, () => go.resolve());
          sink.on('drain', () => go.resolve());
          output.begin('', false);
          let sent = '';
          for (const [index, length] of lengths.entries()) {
            const bytes = Buffer.alloc(length, String.fromCharCode(65 + (index % 26)));
            sent += bytes.toString();
            go = Promise.withResolvers();
            if (!output.data(bytes)) await go.promise;
            else if (index % perTurn === 0) await turn();
            expect(sink.writableLength).toBeLessThan(65_536 + limits.answerGatheredBytesMax + 20_000);
          }
          output.end('');
          sink.end();
          await new Promise((resolve) => sink.once('finish', resolve));
          expect(sink.text).toBe(sent);
        },
      ),
      { numRuns: 60 },
    );
  });
});
