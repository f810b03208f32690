import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { createServerLog } from '../../src/main/cells/server-log.ts';

async function reading(...chunks: readonly (string | Buffer)[]) {
  const log = createServerLog();
  const followed: string[] = [];
  log.follow((line) => followed.push(line));
  const stderr = new PassThrough();
  const tail = log.read(stderr);
  for (const chunk of chunks) stderr.write(chunk);
  stderr.end();
  await new Promise((done) => stderr.once('end', done));
  return { log, followed, tail };
}

describe('the log of a server', () => {
  it('has its lines, also the last one without an end, however they arrive', async () => {
    const { log, followed, tail } = await reading('on', 'e\ntw', 'o\n\nfour');
    expect(log.lines()).toEqual(['one', 'two', '', 'four']);
    expect(followed).toEqual(log.lines());
    expect(tail()).toBe('one\ntwo\n\nfour');
  });

  it('joins a character that arrived in two pieces', async () => {
    const bytes = Buffer.from('é\n');
    expect((await reading(bytes.subarray(0, 1), bytes.subarray(1))).log.lines()).toEqual(['é']);
  });

  it('has nothing that a terminal obeys, and no line that imitates another', async () => {
    const { log } = await reading('\u001b[2J\u001b]0;x\u0007a\rerror: forged\u202e\n');
    expect(log.lines()).toEqual(['a�error: forged�']);
  });

  it('bounds a line, whether or not it ends', async () => {
    const long = 'x'.repeat(limits.serverLogLineCharsMax * 3);
    for (const line of (await reading(`${long}\nshort\n`, long, 'end')).log.lines())
      expect(line.length).toBeLessThanOrEqual(limits.serverLogLineCharsMax);
  });

  it('keeps the newest lines of all cells, and of each cell its own last ones', async () => {
    const log = createServerLog();
    const [first, second] = [new PassThrough(), new PassThrough()];
    const firstTail = log.read(first);
    const secondTail = log.read(second);
    first.end(Array.from({ length: limits.serverLogLinesMax }, (_, at) => `first ${at}`).join('\n'));
    await new Promise((done) => first.once('end', done));
    second.end('second');
    await new Promise((done) => second.once('end', done));
    expect(log.lines()).toHaveLength(limits.serverLogLinesMax);
    expect(log.lines().at(-1)).toBe('second');
    expect(log.lines()[0]).toBe('first 1');
    expect(secondTail()).toBe('second');
    expect(firstTail().split('\n')).toHaveLength(limits.cellStderrTailLines);
    expect(firstTail()).toContain(`first ${limits.serverLogLinesMax - 1}`);
  });

  it('calls nobody who stopped following, and survives a stream that breaks', async () => {
    const log = createServerLog();
    const followed: string[] = [];
    log.follow((line) => followed.push(line))();
    const stderr = new PassThrough();
    log.read(stderr);
    stderr.write('one\n');
    await new Promise((done) => setImmediate(done));
    stderr.destroy(new Error('broken'));
    await new Promise((done) => stderr.once('close', done));
    expect(log.lines()).toEqual(['one']);
    expect(followed).toEqual([]);
  });
});
