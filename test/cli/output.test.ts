import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createOutput,
  exitCodeOf,
  printable,
  printableJson,
  printableLines,
  renderError,
  table,
  when,
} from '../../src/cli/output.ts';
import { AppError, type AppErrorKind } from '../../src/kernel/index.ts';

/** What a terminal might obey, or not show. */
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

describe('printable', () => {
  it.each([
    ['plain text', 'plain text'],
    ['naïve ☃ 漢字 👍', 'naïve ☃ 漢字 👍'],
    ['a\tb', 'a b'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b[2J\u001b[Hgone', 'gone'],
    ['\u009b31mred', 'red'],
    ['\u001b]0;title\u0007text', 'text'],
    ['\u001b]52;c;c2VjcmV0\u001b\\clipboard', 'clipboard'],
    ['\u001bP+q544e\u001b\\dcs', 'dcs'],
    ['\u001bcreset', 'reset'],
    ['\u001b(0charset', 'charset'],
    ['over\rwritten', 'over�written'],
    ['two\nlines', 'two�lines'],
    ['back\b\bspace', 'back��space'],
    ['bell\u0007', 'bell�'],
    ['\u202egnp.exe', '�gnp.exe'],
    ['\u2066isolate\u2069', '�isolate�'],
    ['zero\u200bwidth', 'zero�width'],
    ['tag\u{e0041}s', 'tag�s'],
    ['line\u2028separator', 'line�separator'],
    ['lone \ud800 surrogate', 'lone � surrogate'],
    ['\u001b', '�'],
    ['\u001b]never ends', 'never ends'],
  ])('%j gives %j', (raw, shown) => expect(printable(raw)).toBe(shown));

  it('leaves nothing that a terminal obeys, whatever is put together', () => {
    const piece = fc.oneof(
      fc.constantFrom('\u001b', '\u009b', '[', ']', '\\', ';', '0', 'm', '\u0007', '\u009c', '\u202e', '\r'),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        expect(printable(pieces.join(''))).not.toMatch(UNSEEN);
      }),
    );
  });

  it('takes time in proportion to the text, on what slows `stripVTControlCharacters` down', () => {
    // A time limit of the test would be no proof; fifteen times the size of what takes Node 1.8 s is one.
    expect(printable('\u001b]a'.repeat(300_000))).toBe('a'.repeat(300_000));
  });

  it('keeps the lines of text that has several', () => {
    expect(printableLines('a\u001b[1m\nb\r\n')).toBe('a\nb�\n');
  });
});

describe('printableJson', () => {
  it('is the same value with nothing in it that a terminal obeys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
        const given = { value, text: `${text}\u009b\u202e\u{e0001}\u2028\u007f` };
        const json = printableJson(given);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(given)));
        expect(json).not.toMatch(UNSEEN);
      }),
    );
  });
});

describe('table', () => {
  it('pads columns to their widest cell and nothing after the last', () => {
    expect(
      table(
        ['NAME', 'STATE'],
        [
          ['a', 'enabled'],
          ['longer-name', 'x'],
        ],
      ),
    ).toBe('NAME         STATE\na            enabled\nlonger-name  x');
  });

  it('shows cells from outside on one line, without their escapes', () => {
    expect(table(['A'], [['x\ny\u001b[2J']])).toBe('A\nx�y');
  });
});

describe('when', () => {
  it.each([
    [null, '-'],
    [0, '1970-01-01 00:00:00'],
    [1_700_000_000_123, '2023-11-14 22:13:20'],
    [8.64e15 + 1, '8640000000000001'],
  ])('%s is %s', (at, text) => expect(when(at)).toBe(text));
});

describe('errors', () => {
  it('say what happened and what to do, and never what is for the log', () => {
    const error = new AppError('x_y', 'It broke.', {
      kind: 'failed',
      hint: 'Mend it.',
      detail: { inside: 'detail' },
      cause: new Error('cause'),
    });
    expect(renderError(error)).toBe('error: It broke.\nhint:  Mend it.');
    expect(renderError(new TypeError('x is not a function'))).toBe(
      "error: Something went wrong inside Sallyport.\nhint:  The gateway's log has the details.",
    );
  });

  it('are made safe: a message may quote a server', () => {
    const error = new AppError('x', 'It said \u001b]0;owned\u0007\u001b[2Jthis\nand that.', {
      kind: 'failed',
    });
    expect(renderError(error)).toBe('error: It said this\n       and that.');
  });

  it.each([
    ['invalid', 2],
    ['denied', 3],
    ['unauthenticated', 1],
    ['not_found', 1],
    ['conflict', 1],
    ['limited', 1],
    ['unavailable', 1],
    ['failed', 1],
  ] satisfies [AppErrorKind, number][])('of kind %s end with exit code %i', (kind, code) => {
    expect(exitCodeOf(new AppError('x', 'x', { kind }))).toBe(code);
  });

  it('that nobody foresaw end with exit code 1', () => expect(exitCodeOf('thrown')).toBe(1));
});

describe('createOutput', () => {
  const streams = (isTTY: boolean) => {
    const written = { stdout: '', stderr: '' };
    const sink = (name: keyof typeof written) =>
      Object.assign(
        new Writable({
          write(chunk: Buffer, _, done) {
            written[name] += chunk.toString();
            done();
          },
        }),
        { isTTY },
      );
    return { written, host: { stdout: sink('stdout'), stderr: sink('stderr') } };
  };

  it('prints one JSON value and no remark with --json', () => {
    const { written, host } = streams(true);
    const out = createOutput(host, true);
    out.show({ a: 1 }, () => 'text');
    out.note('remark');
    expect(out.paint('red', 'x')).toBe('x');
    expect(written).toEqual({ stdout: '{"a":1}\n', stderr: '' });
  });

  it('prints text on stdout and remarks on stderr, in colour at a terminal only', () => {
    const { written, host } = streams(false);
    const out = createOutput(host, false);
    out.show({ a: 1 }, () => 'text');
    out.note('remark');
    expect(out.paint('red', 'x')).toBe('x');
    expect(written).toEqual({ stdout: 'text\n', stderr: 'remark\n' });
    expect(createOutput(streams(true).host, false).paint('red', 'x')).toBe('\u001b[31mx\u001b[39m');
  });
});
