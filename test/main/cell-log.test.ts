import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { createCellLog, maskOf } from '../../src/main/cells/cell-log.ts';

function makeLog(values: ReadonlyMap<string, string> = new Map(), stderr = new PassThrough()) {
  const clock = fixedClock(0);
  const written: string[] = [];
  const log = createCellLog({
    stderr,
    clock,
    mask: maskOf(values),
    write: (from, text) => written.push(from === 'server' ? text : `* ${text}`),
  });
  return { clock, stderr, log, written };
}

async function reading(...chunks: readonly (string | Buffer)[]) {
  const made = makeLog();
  for (const chunk of chunks) made.stderr.write(chunk);
  made.stderr.end();
  await made.log.drained;
  return made;
}

describe('the log of a cell', () => {
  it('has its lines, also the last one without an end, however they arrive', async () => {
    const { log, written } = await reading('on', 'e\ntw', 'o\n\nfour');
    expect(written).toEqual(['one', 'two', '', 'four']);
    expect(log.tail()).toBe('one\ntwo\n\nfour');
  });

  it('joins a character that arrived in two pieces', async () => {
    const bytes = Buffer.from('é\n');
    expect((await reading(bytes.subarray(0, 1), bytes.subarray(1))).written).toEqual(['é']);
  });

  it('has nothing that a terminal obeys, and no line that imitates another', async () => {
    const { written } = await reading('\u001b[2J\u001b]0;x\u0007a\rerror: forged\u202e\n');
    expect(written).toEqual(['a�error: forged�']);
  });

  it('bounds a line, whether or not it ends', async () => {
    const long = 'x'.repeat(limits.serverLogLineCharsMax * 3);
    const { written } = await reading(`${long}\nshort\n`, long, 'end');
    expect(written.length).toBeGreaterThan(2);
    for (const line of written) expect(line.length).toBeLessThanOrEqual(limits.serverLogLineCharsMax);
  });

  it('keeps the last lines for the error when it dies', async () => {
    const { log } = await reading(Array.from({ length: 100 }, (_, at) => `line ${at}`).join('\n'));
    expect(log.tail().split('\n')).toHaveLength(limits.cellStderrTailLines);
    expect(log.tail()).toMatch(/\nline 99$/);
  });

  it('survives a stream that breaks', async () => {
    const { stderr, log, written } = makeLog();
    stderr.write('one\n');
    await new Promise((done) => setImmediate(done));
    stderr.destroy(new Error('broken'));
    await log.drained;
    expect(written).toEqual(['one']);
  });
});

describe('a server that writes without end', () => {
  const flood = 'x'.repeat(99);
  const readAgain = (stderr: PassThrough) => expect.poll(() => stderr.isPaused()).toBe(false);

  it('has what was too much left out and counted, and is kept again when it calms down', async () => {
    const { clock, stderr, log, written } = makeLog();
    stderr.write(`${flood}\n`.repeat(limits.serverLogBurstBytes / 100));
    stderr.write('the first that is too much\n'.repeat(10));
    await expect.poll(() => log.tail()).toMatch(/the first that is too much$/);
    await readAgain(stderr);
    const kept = written.length;
    expect(kept).toBe(Math.floor(limits.serverLogBurstBytes / 100));
    clock.advance(1_000);
    stderr.write('the rest of a line\nheard again\n');
    stderr.end();
    await log.drained;
    expect(written.slice(kept)).toEqual([
      '* 270 bytes left out here: it wrote more than 16 KiB a second',
      'heard again',
    ]);
  });

  it('has what was left out told soon, also when it says nothing more', async () => {
    const { stderr, log, written } = makeLog();
    stderr.write(Buffer.alloc(limits.serverLogBurstBytes, 'y'));
    stderr.write('too much\n'.repeat(10));
    const told = () => written.filter((line) => line.startsWith('* '));
    await expect
      .poll(told, { timeout: 10_000 })
      .toEqual(['* 90 bytes left out here: it wrote more than 16 KiB a second']);
    expect(log.tail()).toMatch(/too much$/);
    stderr.end();
    await log.drained;
    expect(told()).toHaveLength(1);
    expect(written.at(-1)).toBe('too much');
  });

  it('has its last words kept all the same', async () => {
    const { stderr, log, written } = makeLog();
    stderr.write(Buffer.alloc(limits.serverLogBurstBytes, 'y'));
    stderr.write('too much\n'.repeat(1_000));
    stderr.end('panic: out of luck\n');
    await log.drained;
    expect(written.at(-1)).toBe('panic: out of luck');
    expect(written.filter((line) => line.startsWith('* '))).toEqual([
      `* ${9_000 + 19} bytes left out here: it wrote more than 16 KiB a second`,
    ]);
    expect(log.tail()).toContain('panic: out of luck');
    expect(written.length).toBeLessThan(100);
  });

  it('is not read while it waits, so that it cannot take the time of others', async () => {
    const { stderr } = makeLog();
    stderr.write(Buffer.alloc(limits.serverLogBurstBytes, 'y'));
    const paused = new Promise<void>((done) => stderr.once('pause', done));
    stderr.write('too much');
    await paused;
    expect(stderr.isPaused()).toBe(true);
    await readAgain(stderr);
  });
});

describe('a value that a server was entrusted with', () => {
  it('is not in its log, nor in what an error quotes', async () => {
    const values = new Map([
      ['API_KEY', 'hunter22'],
      ['PIN', '123'],
    ]);
    const { stderr, log, written } = makeLog(values);
    stderr.end('login with hunter22:hunter22 and 123\n');
    await log.drained;
    expect(written).toEqual(['login with [API_KEY]:[API_KEY] and 123']);
    expect(log.tail()).toBe(written[0]);
  });

  it('of several lines is hidden line by line', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n}\n-----END KEY-----\n';
    const { hide } = maskOf(new Map([['PEM', key]]));
    expect(key.split('\n').map((line) => hide(line))).toEqual(['[PEM]', '[PEM]', '}', '[PEM]', '']);
    expect(hide('$& {MIIEvQIBADANBgkqhkiG9w0B}')).toBe('$& {[PEM]}');
  });

  it('may hold what patterns of a replacement mean', () => {
    const { hide } = maskOf(new Map([['$&', 'secret$1value']]));
    expect(hide('a secret$1value b')).toBe('a [$&] b');
  });

  it('that begins with another one is hidden whole', () => {
    const { hide } = maskOf(
      new Map([
        ['USER', 'hunter'],
        ['KEY', 'hunter22'],
      ]),
    );
    expect(hide('hunter hunter22')).toBe('[USER] [KEY]');
  });

  const value = 'SECRETVALUE123';
  const values = new Map([['KEY', value]]);
  /** No six characters of the value are in what was kept. */
  const expectHidden = (kept: string): void => {
    for (let at = 0; at + 6 <= value.length; at += 1) expect(kept).not.toContain(value.slice(at, at + 6));
  };

  it('is not put together by what is taken out of a line for the terminal', async () => {
    const { stderr, log, written } = makeLog(values);
    stderr.end('a SECRET\u001b[0mVALUE123 b\n\u001b]0;SECRETVALUE123\u0007c');
    await log.drained;
    expect(written).toEqual(['a [KEY] b', 'c']);
  });

  it('is found wherever a line without an end is cut', async () => {
    // From a cut well before the value to one well after it.
    for (let before = -2 * value.length; before <= 2 * value.length; before += 1) {
      const { stderr, log, written } = makeLog(values);
      const bytes = `${'x'.repeat(limits.serverLogLineCharsMax + before)}${value}`;
      for (let at = 0; at < bytes.length; at += 7) stderr.write(bytes.slice(at, at + 7));
      stderr.end('\n');
      await log.drained;
      expectHidden(written.join(''));
    }
  });

  it.each([3, 7, 11])('is not told by its parts where %i characters of it were left out', async (cut) => {
    const { clock, stderr, log, written } = makeLog(values);
    stderr.write('y\n'.repeat(limits.serverLogBurstBytes / 2 - value.length));
    stderr.write(`begins ${value.slice(0, cut)}`);
    // Too much, and the last that is known of it when the cell dies.
    stderr.write(`${value.slice(cut)} ends${'\nz'.repeat(10)}`);
    await expect.poll(() => log.tail()).toMatch(/z$/);
    expectHidden(log.tail() + written.join(''));
    stderr.write(`\n${'x'.repeat(limits.serverLogLineCharsMax * 5)} ${value.slice(0, cut)}`);
    await expect.poll(() => stderr.readableLength).toBe(0);
    clock.advance(60_000);
    // Piece by piece, and its line has no end yet.
    for (const character of value.slice(cut)) stderr.write(character);
    stderr.write(' and more of the same line');
    stderr.end('\nlast\n');
    await log.drained;
    expectHidden(written.join(''));
    expect(written.at(-1)).toBe('last');
  });

  it('is not told by its end where the beginning of the last words was too much to keep', async () => {
    for (let more = -value.length; more <= 2 * value.length; more += 1) {
      const { stderr, log, written } = makeLog(values);
      stderr.write(Buffer.alloc(limits.serverLogBurstBytes, 'y'));
      stderr.write(`${value}${'x'.repeat(limits.serverLogLineCharsMax + more)}`);
      await expect.poll(() => log.tail()).toMatch(/x$/);
      expectHidden(log.tail());
      stderr.end();
      await log.drained;
      expectHidden(written.join(''));
    }
  });

  it('is hidden whole where another one lies in it, wherever it is cut or coloured', async () => {
    const within = new Map([...values, ['NAME', value.slice(0, 6)], ['PART', value.slice(4, 9)]]);
    for (let before = -2 * value.length; before <= 2 * value.length; before += 1) {
      const { stderr, log, written } = makeLog(within);
      const cut = Math.abs(before) % value.length;
      const coloured = `${value.slice(0, cut)}\u001b[0m${value.slice(cut)}`;
      const bytes = `${'x'.repeat(limits.serverLogLineCharsMax + before)}${coloured}`;
      for (let at = 0; at < bytes.length; at += 7) stderr.write(bytes.slice(at, at + 7));
      stderr.end(`\n${coloured}\n`);
      await log.drained;
      expectHidden(written.join(''));
      expect(written.at(-1)).toBe('[KEY]');
    }
  });

  /** A stream that never pauses, so that all of it passes at once. */
  class Unpaused extends PassThrough {
    override pause(): this {
      return this;
    }
  }
  const text = fc.array(
    fc.oneof(
      fc.constantFrom(value, `${value}\n`, 'OTHERVALUE99', '\n', '\u001b[31m'),
      fc.nat(value.length).map((cut) => `${value.slice(0, cut)}\u001b[0m${value.slice(cut)}`),
      fc.nat(limits.serverLogLineCharsMax * 2).map((length) => 'x'.repeat(length)),
    ),
    { maxLength: 40 },
  );
  const step = fc.record({
    bytes: fc.constantFrom(1, 9, 900, 40_000),
    waits: fc.nat(4_000),
    asks: fc.boolean(),
  });

  it('is in nothing that is kept or quoted, whatever is cut, coloured and left out', () => {
    const within = new Map([...values, ['NAME', value.slice(0, 6)], ['OTHER', 'OTHERVALUE99']]);
    const property = fc.property(text, fc.array(step, { minLength: 1, maxLength: 30 }), (parts, steps) => {
      const stderr = new Unpaused();
      const { clock, log, written } = makeLog(within, stderr);
      const bytes = Buffer.from(parts.join(''));
      const quoted: string[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const { bytes: length = 1, waits = 0, asks = false } = steps[turn % steps.length] ?? {};
        stderr.emit('data', bytes.subarray(at, at + length));
        at += length;
        clock.advance(waits);
        if (asks) quoted.push(log.tail());
      }
      stderr.emit('end');
      expectHidden([...quoted, log.tail(), written.join('')].join('\n'));
    });
    fc.assert(property, { numRuns: 100 });
  });
});
