import fc from 'fast-check';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogLine } from '../../src/api/index.ts';
import { printable } from '../../src/cli/index.ts';
import { limits, type Log, silentLog } from '../../src/kernel/index.ts';
import { createLogFiles } from '../../src/main/cells/log-files.ts';
import { formatLogLine, parseLogLine } from '../../src/main/cells/log-line.ts';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'sallyport-logs-')), 'logs');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const line = (text: string, over: Partial<LogLine> = {}): LogLine => ({
  at: 1_700_000_000_000,
  cell: 'cell_Ab12',
  from: 'server',
  text,
  ...over,
});
const pathOf = (slug: string): string => join(folder, `${slug}.log`);

async function read(files: ReturnType<typeof createLogFiles>, slug = 'echo'): Promise<string[]> {
  const found: string[] = [];
  for await (const { text } of files.lines(slug, null)) found.push(text);
  return found;
}

/** Follows until as many lines are there. */
async function follow(files: ReturnType<typeof createLogFiles>, count: number, onLine: (at: number) => void) {
  const left = new AbortController();
  const found: string[] = [];
  for await (const { text } of files.lines('echo', left.signal)) {
    found.push(text);
    onLine(found.length);
    if (found.length === count) left.abort();
  }
  return found;
}

describe('a line', () => {
  it('says when, of which cell and by whom, before what the server wrote', () => {
    expect(formatLogLine(line('hello'))).toBe('2023-11-14T22:13:20.000Z cell_Ab12 | hello\n');
    expect(formatLogLine(line('ended: idle', { from: 'sallyport' }))).toBe(
      '2023-11-14T22:13:20.000Z cell_Ab12 * ended: idle\n',
    );
  });

  it('is read as it was written, and is one line, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('server', 'sallyport'), (text, from) => {
        const said = line(printable(text), { from });
        const written = formatLogLine(said);
        expect(written.split('\n')).toHaveLength(2);
        expect(parseLogLine(written.slice(0, -1))).toEqual(said);
      }),
    );
  });

  it.each(['', 'hello', '2023-11-14T22:13:20.000Z cell_Ab12 > hello', 'Z cell_A | x'])(
    'is not %j',
    (text) => {
      expect(parseLogLine(text)).toBeNull();
    },
  );
});

describe('the log of a server', () => {
  it('is on disk, for the owner only, and there for the next gateway', async () => {
    const files = createLogFiles(folder, silentLog);
    files.append('echo', line('one'));
    files.append('other', line('not this'));
    files.append('echo', line('two'));
    files.flush();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(pathOf('echo')).mode & 0o777).toBe(0o600);
    expect(await read(createLogFiles(folder, silentLog))).toEqual(['one', 'two']);
  });

  it('has what waits to be written, too, and writes it by itself in time', async () => {
    const files = createLogFiles(folder, silentLog);
    files.append('echo', line('one'));
    expect(await read(files)).toEqual(['one']);
    files.append('echo', line('two'));
    await expect.poll(() => readFileSync(pathOf('echo'), 'utf8')).toContain('two');
  });

  it('is nothing before the first line, and makes no folder', async () => {
    expect(await read(createLogFiles(folder, silentLog))).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });

  it('is bounded: one file, and the one before it', async () => {
    const files = createLogFiles(folder, silentLog);
    const text = 'x'.repeat(1_000);
    for (let at = 0; at < 8_000; at += 1) {
      files.append('echo', line(`${at} ${text}`));
      if (at % 100 === 99) files.flush();
    }
    expect(readdirSync(folder).sort()).toEqual(['echo.log', 'echo.log.1']);
    for (const name of readdirSync(folder)) {
      const { size } = statSync(join(folder, name));
      expect(size).toBeLessThan(limits.serverLogFileBytesMax * 1.1);
    }
    const lines = await read(files);
    expect(lines).toHaveLength(limits.serverLogLinesMax);
    expect(lines.map((said) => Number(said.split(' ', 1)[0]))).toEqual(
      Array.from({ length: limits.serverLogLinesMax }, (_, at) => 8_000 - limits.serverLogLinesMax + at),
    );
  });

  it('goes on behind a line that was cut off, which is left out', async () => {
    mkdirSync(folder);
    writeFileSync(pathOf('echo'), `${formatLogLine(line('whole'))}2023-11-14T22:1`);
    const files = createLogFiles(folder, silentLog);
    files.append('echo', line('next'));
    expect(await read(files)).toEqual(['whole', 'next']);
  });

  it('may have several writers, each with its own lines', async () => {
    const writers = [1, 2, 3].map(() => createLogFiles(folder, silentLog));
    for (let at = 0; at < 30; at += 1) {
      for (const [who, files] of writers.entries()) {
        files.append('echo', line(`${who} ${at}`));
        files.flush();
      }
    }
    const lines = await read(createLogFiles(folder, silentLog));
    for (const who of writers.keys()) {
      const own = lines.filter((said) => said.startsWith(`${who} `));
      expect(own).toEqual(Array.from({ length: 30 }, (_, at) => `${who} ${at}`));
    }
  });

  it('that cannot be written is told once, costs its lines, and goes on when it can', async () => {
    const told: string[] = [];
    const log: Log = { ...silentLog, warn: (event) => void told.push(event) };
    const files = createLogFiles(folder, log);
    writeFileSync(folder, 'a file in the way');
    for (const text of ['one', 'two']) {
      files.append('echo', line(text));
      files.flush();
    }
    expect(told).toEqual(['server_log.unwritable']);
    rmSync(folder);
    files.append('echo', line('three'));
    expect(await read(files)).toEqual(['three']);
  });

  it('is not written through a link that somebody put there', () => {
    mkdirSync(folder);
    const elsewhere = join(folder, '../elsewhere');
    writeFileSync(elsewhere, '');
    symlinkSync(elsewhere, pathOf('echo'));
    const files = createLogFiles(folder, silentLog);
    files.append('echo', line('one'));
    files.flush();
    expect(readFileSync(elsewhere, 'utf8')).toBe('');
  });

  it('is gone with its server', async () => {
    const files = createLogFiles(folder, silentLog);
    files.append('echo', line('one'));
    files.flush();
    appendFileSync(`${pathOf('echo')}.1`, formatLogLine(line('zero')));
    expect(await read(files)).toEqual(['zero', 'one']);
    files.append('echo', line('two'));
    files.remove('echo');
    files.flush();
    expect(readdirSync(folder)).toEqual([]);
    chmodSync(folder, 0o700);
  });
});

describe('following a log', () => {
  it('begins with the lines so far, and goes on with those of any process', async () => {
    const files = createLogFiles(folder, silentLog);
    const another = createLogFiles(folder, silentLog);
    files.append('echo', line('one'));
    const found = await follow(files, 4, (at) => {
      if (at === 1) another.append('echo', line('two'));
      if (at === 2) files.append('echo', line('three'));
      if (at === 3) another.append('echo', line('four'));
    });
    expect(found).toEqual(['one', 'two', 'three', 'four']);
  });

  it('waits for a log that is not there yet', async () => {
    const files = createLogFiles(folder, silentLog);
    setTimeout(() => createLogFiles(folder, silentLog).append('echo', line('first')), 50);
    expect(await follow(files, 1, () => undefined)).toEqual(['first']);
  });

  it('misses nothing where a new file is begun, or the file is emptied', async () => {
    const files = createLogFiles(folder, silentLog);
    const big = 'x'.repeat(1_000);
    const count = 2 * Math.ceil(limits.serverLogFileBytesMax / 1_000);
    files.append('echo', line('begin'));
    const found = await follow(files, count + 2, (at) => {
      if (at === 1) {
        for (let number = 0; number < count; number += 1) files.append('echo', line(`${number} ${big}`));
        files.flush();
        files.append('echo', line('end'));
      }
    });
    expect(found.slice(1, -1).map((text) => Number(text.split(' ', 1)[0]))).toEqual(
      Array.from({ length: count }, (_, at) => at),
    );
    expect(found.at(-1)).toBe('end');
    expect(existsSync(`${pathOf('echo')}.1`)).toBe(true);
  });

  it('has each line once where a new file is begun just after the old one was opened', async () => {
    const files = createLogFiles(folder, silentLog);
    files.append('echo', line('one'));
    files.flush();
    // What was opened is the older file by now.
    linkSync(pathOf('echo'), `${pathOf('echo')}.1`);
    expect(await read(files)).toEqual(['one']);
    rmSync(pathOf('echo'));
    files.append('echo', line('two'));
    files.flush();
    expect(await read(files)).toEqual(['one', 'two']); // the control: another one is read
  });

  it('begins anew where the file is emptied in the middle of a line', async () => {
    const files = createLogFiles(folder, silentLog);
    files.append('echo', line('one'));
    files.flush();
    appendFileSync(pathOf('echo'), '2023-11-14T22:13:20.000Z cell_Ab12 | a line without its e');
    const left = new AbortController();
    const lines = files.lines('echo', left.signal)[Symbol.asyncIterator]();
    expect((await lines.next()).value).toMatchObject({ text: 'one' });
    writeFileSync(pathOf('echo'), formatLogLine(line('two')));
    expect((await lines.next()).value).toEqual(line('two'));
    left.abort();
    await lines.return?.();
  });

  it('ends when nobody wants more', async () => {
    const files = createLogFiles(folder, silentLog);
    const left = new AbortController();
    setTimeout(() => left.abort(), 20);
    const found: unknown[] = [];
    for await (const said of files.lines('echo', left.signal)) found.push(said);
    expect(found).toEqual([]);
  });
});
