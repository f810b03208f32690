import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { gather } from '../../src/mcp/upstream/gathered-writes.ts';

/** A stream that notes what each call to the kernel would be given. */
function noted(): { readonly stream: Writable; readonly calls: string[] } {
  const calls: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      calls.push(String(chunk));
      done();
    },
    writev(chunks, done) {
      calls.push(chunks.map(({ chunk }) => String(chunk)).join(''));
      done();
    },
  });
  return { stream, calls };
}
const turn = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

it('what is written in one turn goes out at once, in its order, and what comes later by itself', async () => {
  const { stream, calls } = noted();
  for (const text of ['a', 'b', 'c']) {
    gather(stream);
    stream.write(text);
  }
  stream.write('d');
  expect(calls).toEqual([]);
  await turn();
  expect(calls).toEqual(['abcd']);
  stream.write('e');
  expect(calls).toEqual(['abcd', 'e']);
});

it('nothing is kept back of a stream that is ended in the same turn, or that is gone', async () => {
  const { stream, calls } = noted();
  gather(stream);
  stream.write('last ');
  stream.end('words');
  await turn();
  expect(calls.join('')).toBe('last words');
  stream.destroy();
  gather(stream);
  expect(stream.writableCorked).toBe(0);
});
