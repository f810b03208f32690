import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { FATAL_LINE } from '../../src/sandbox/limit-hit.ts';
import { type Tail, tapTail } from '../../src/sandbox/stderr-tail.ts';

const KIB = 1024;
const trace = (bytes: number): string => 'goroutine 7 [select]:\n'.repeat(Math.ceil(bytes / 22));

async function tailOf(chunks: readonly string[]): Promise<Tail> {
  const source = new PassThrough();
  const tail = tapTail(source, 4 * KIB, FATAL_LINE);
  for (const chunk of chunks) {
    source.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return tail;
}

describe('the end of what a program said', () => {
  it('is as much as was asked for', async () => {
    expect((await tailOf(['x'.repeat(3 * KIB), 'y'.repeat(3 * KIB)])).text()).toBe(
      `${'x'.repeat(KIB)}${'y'.repeat(3 * KIB)}`,
    );
  });

  it.each([
    ['in one piece', ['fatal error: runtime: out of memory\n\n', trace(30 * KIB)]],
    ['in two', ['ready\nfatal error: runtime: out', ` of memory\n${trace(30 * KIB)}`]],
    ['byte by byte', ['fatal error: runtime: out of memory\n'.split(''), trace(30 * KIB)].flat()],
  ])('has before it the line that says why, which a long trace pushed out: %s', async (_how, chunks) => {
    const text = (await tailOf(chunks)).text();
    expect(text.startsWith('fatal error: runtime: out of memory\n')).toBe(true);
    expect(text.length).toBeLessThan(5 * KIB);
  });

  it('has that line once where it is in it anyhow', async () => {
    const text = (await tailOf(['fatal error: runtime: out of memory\n', trace(KIB)])).text();
    expect(text.match(/fatal error/g)).toHaveLength(1);
  });

  it('forgets it when the program has said much since: it lived on', async () => {
    const chunks = [
      'fatal error: runtime: out of memory\n',
      ...Array.from({ length: 20 }, () => trace(16 * KIB)),
    ];
    expect((await tailOf(chunks)).text()).not.toContain('fatal error');
  });
});
