import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import {
  decodeFormText,
  type FormPiece,
  type FormReader,
  MultipartReader,
  multipartBoundary,
  UrlencodedReader,
} from '../../src/wire/index.ts';

/** Bytes of a piece. */
const bytesOf = (piece: FormPiece): Buffer => (Buffer.isBuffer(piece) ? piece : piece.bytes);

/** What a reader makes of a body cut at the given places: plain bytes joined, fields in braces. */
function readCut(reader: FormReader, body: Buffer, cuts: readonly number[]): string {
  const places = [0, ...cuts.map((cut) => cut % (body.length + 1)).toSorted((a, b) => a - b), body.length];
  const pieces: FormPiece[] = [];
  for (const [index, from] of places.slice(0, -1).entries())
    pieces.push(...reader.push(body.subarray(from, places[index + 1])));
  pieces.push(...reader.end());
  expect(Buffer.concat(pieces.map(bytesOf))).toEqual(body);
  return pieces
    .map((piece) => (Buffer.isBuffer(piece) ? piece.toString('latin1') : `{${piece.name}|${piece.value}}`))
    .join('');
}

const form = (body: string, cuts: readonly number[] = []): string =>
  readCut(new UrlencodedReader(new Set(['key', 'a b'])), Buffer.from(body, 'latin1'), cuts);

function multi(body: string, cuts: readonly number[] = []): { text: string; malformed: string | null } {
  const reader = new MultipartReader('XX', new Set(['key']));
  return { text: readCut(reader, Buffer.from(body, 'latin1'), cuts), malformed: reader.malformed };
}

const everyCut = (length: number): number[][] => Array.from({ length }, (_, at) => [at]);

describe('a urlencoded form', () => {
  const long = 'v'.repeat(limits.formFieldHeldBytesMax + 1);
  it.each([
    ['key=1', 'key={key|1}'],
    ['x=1&key=2&y', 'x=1&key={key|2}&y'],
    ['key', 'key'],
    ['key=', 'key={key|}'],
    ['', ''],
    ['&&key=1&&', '&&key={key|1}&&'],
    ['k%65y=a%20b+c', 'k%65y={key|a b c}'],
    ['a+b=1&a%20b=2', 'a+b={a b|1}&a%20b={a b|2}'],
    ['key=1&key=2', 'key={key|1}&key={key|2}'],
    ['keys=1;key=2', 'keys=1;key=2'],
    ['key=1=2', 'key={key|1=2}'],
    ['=key&%=1', '=key&%=1'],
    [`key=${long}&key=1`, `key=${long}&key={key|1}`],
    [`${long}=1&key=1`, `${long}=1&key={key|1}`],
  ])('%.40s, whole and cut everywhere', (body, expected) => {
    expect(form(body)).toBe(expected);
    for (const cuts of everyCut(Math.min(body.length, 60))) expect(form(body, cuts)).toBe(expected);
    expect(
      form(
        body,
        Array.from(body, (_, at) => at),
      ),
    ).toBe(expected);
  });

  it.each([
    '{"key":1',
    '["&key=1&"]',
    '"&key=1&"',
    '<a>&key=1',
    ' {"x":"&key=1"}',
    '\xef\xbb\xbf{"&key=1&":1}',
    '\0',
  ])('is malformed when it begins like something else: %j', (body) => {
    const reader = new UrlencodedReader(new Set(['key']));
    reader.push(Buffer.alloc(0));
    for (const byte of Buffer.from(body, 'latin1')) reader.push(Buffer.of(byte));
    expect(reader.malformed).toBe('form_beginning');
  });

  it.each(['key=1', '&key=1', '=1', '%6bey=1', '_a=1', 'key={"a":1}', '~', 'Z', '9'])(
    'is well-formed: %j',
    (body) => {
      const reader = new UrlencodedReader(new Set(['key']));
      reader.push(Buffer.from(body));
      expect(reader.malformed).toBe(null);
    },
  );

  it('is the same however it was cut, and never loses a byte', () => {
    const words = fc.constantFrom('key', 'key=', '&', '=', '%', '%6b', 'a', '+', 'b=', ';', 'PLACE');
    fc.assert(
      fc.property(
        fc.array(words, { maxLength: 12 }),
        fc.array(fc.nat(60), { maxLength: 5 }),
        (parts, cuts) => {
          const body = parts.join('');
          expect(form(body, cuts)).toBe(form(body));
          const fields = body
            .split('&')
            .filter((pair) => pair.includes('='))
            .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])
            .filter(([name = '']) => ['key', 'a b'].includes(decodeFormText(name)))
            .map(([name = '', value = '']) => `{${decodeFormText(name)}|${decodeFormText(value)}}`);
          expect(form(body).match(/\{[^}]*\}/g) ?? []).toEqual(fields);
        },
      ),
      { numRuns: 2_000, seed: 3 },
    );
  });
});

const PART = '\r\nContent-Disposition: form-data; name="key"\r\n\r\n';
const whole = (content: string, head = PART): string => `--XX${head}${content}\r\n--XX--\r\n`;

describe('a multipart form', () => {
  it.each([
    ['a field', whole('1'), '{key|1}'],
    ['an empty field', whole(''), '{key|}'],
    ['without the last line end', whole('1').slice(0, -2), '{key|1}'],
    ['a value with line ends and hyphens', whole('\r\n--X\r\n--'), '{key|\r\n--X\r\n--}'],
    ['the name as a token', whole('1', PART.replaceAll('"', '')), '{key|1}'],
    [
      'a type',
      whole('1', PART.replace(/\r\n$/, 'Content-Type: text/plain; charset=utf-8\r\n\r\n')),
      '{key|1}',
    ],
    [
      'other parts around it',
      `--XX\r\nA: b\r\n\r\nx\r\n--XX${PART}1\r\n--XX${PART}2\r\n--XX--`,
      '{key|1}{key|2}',
    ],
  ])('%s, whole and cut everywhere', (_name, body, fields) => {
    const expected = { malformed: null, text: multi(body).text };
    expect(expected.text.match(/\{[^}]*\}/g)?.join('')).toBe(fields);
    for (const cuts of everyCut(body.length)) expect(multi(body, cuts)).toEqual(expected);
    expect(
      multi(
        body,
        Array.from(body, (_, at) => at),
      ),
    ).toEqual(expected);
  });

  it.each([
    ['another name', PART.replace('key', 'keys')],
    ['a file', PART.replace('"key"', '"key"; filename="a"')],
    ['a file, by the other name', PART.replace('"key"', `"key"; filename*=utf-8''a`)],
    ['two names', PART.replace('"key"', '"key"; name="x"')],
    ['an extended name', PART.replace('name=', `name*=utf-8''x; name=`)],
    ['a transfer coding', PART.replace(/\r\n$/, 'Content-Transfer-Encoding: base64\r\n\r\n')],
    ['another type', PART.replace(/\r\n$/, 'Content-Type: application/json\r\n\r\n')],
    ['another character set', PART.replace(/\r\n$/, 'Content-Type: text/plain; charset=utf-16\r\n\r\n')],
    ['two dispositions', PART.replace(/\r\n$/, 'Content-Disposition: form-data; name="x"\r\n\r\n')],
    ['a folded line', PART.replace(/\r\n$/, ' x\r\n\r\n')],
    ['a bare line feed', PART.replace('form-data;', 'form-data;\n')],
    ['an escape', PART.replace('key', '\\key')],
    ['no disposition', '\r\nContent-Type: text/plain\r\n\r\n'],
  ])('gives no field for a part with %s', (_name, head) => {
    const body = whole('1', head);
    expect(multi(body)).toEqual({ text: body, malformed: null });
  });

  it.each([
    ['a preamble', `x${whole('1')}`, 'multipart_preamble'],
    ['a line end before it', `\r\n${whole('1')}`, 'multipart_preamble'],
    ['an epilogue', `${whole('1')}x`, 'multipart_epilogue'],
    ['a second line end', `${whole('1')}\r\n`, 'multipart_epilogue'],
    ['no end', whole('1').slice(0, -4), 'multipart_incomplete'],
    ['half a line end', whole('1').slice(0, -1), 'multipart_incomplete'],
    ['nothing', '', 'multipart_incomplete'],
    ['the boundary after a bare line feed', whole('a\n--XX b'), 'multipart_delimiter'],
    ['a part behind a bare line feed', whole(`a\n--XX${PART}b`), 'multipart_delimiter'],
    ['the boundary within a line', whole('a--XXb'), 'multipart_delimiter'],
    ['spaces after the boundary', whole('1\r\n--XX \r\nb'), 'multipart_delimiter'],
    ['a longer boundary', whole('1\r\n--XXY\r\nb'), 'multipart_delimiter'],
    ['no line end of its own', `--XX${PART}--XX--\r\n`, 'multipart_delimiter'],
    ['the boundary in a head', whole('1', `\r\nA: --XX\r\n\r\n`), 'multipart_delimiter'],
    ['a part without a head', whole('1', '\r\n\r\n'), 'multipart_head'],
    ['a length that is too long', whole('123', '\r\nContent-Length: 4\r\n\r\n'), 'multipart_length'],
    ['a length that is too short', whole('123', '\r\nA: b\r\ncontent-length: 2\r\n\r\n'), 'multipart_length'],
    ['two lengths', whole('1', '\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n'), 'multipart_length'],
    ['a length that is none', whole('1', '\r\nContent-Length : 1\r\n\r\n'), 'multipart_length'],
    ['a character set for all', whole('cp037', PART.replace('key', '_charset_')), 'multipart_charset'],
    [
      'an endless head',
      whole('1', `\r\nA: ${'b'.repeat(limits.multipartHeadBytesMax)}\r\n\r\n`),
      'multipart_head',
    ],
  ])('is malformed with %s', (_name, body, reason) => {
    expect(multi(body).malformed).toBe(reason);
    for (const cuts of everyCut(Math.min(body.length, 150))) expect(multi(body, cuts).malformed).toBe(reason);
  });

  it('takes the length that a part says of itself, where it is right', () => {
    const body = `--XX\r\nContent-Length: 300\r\n\r\n${'v'.repeat(300)}\r\n--XX${PART}1\r\n--XX--`;
    const expected = { text: body.replace('\r\n\r\n1', '\r\n\r\n{key|1}'), malformed: null };
    expect(multi(body)).toEqual(expected);
    for (const cuts of everyCut(body.length)) expect(multi(body, cuts)).toEqual(expected);
  });

  it('passes a field that is too long as bytes', () => {
    const body = whole('v'.repeat(limits.formFieldHeldBytesMax + 200));
    expect(multi(body, [100, 4_000, 4_200])).toEqual({ text: body, malformed: null });
  });

  it('is the same however it was cut, and never loses a byte', () => {
    const words = fc.constantFrom('--XX', '\r\n', PART, '--', 'a', '\r', '\n', '-', whole('v'), 'X');
    fc.assert(
      fc.property(
        fc.array(words, { maxLength: 10 }),
        fc.array(fc.nat(200), { maxLength: 6 }),
        (parts, cuts) => {
          const body = `--XX${PART}${parts.join('')}`;
          const [cut, uncut] = [multi(body, cuts), multi(body)];
          expect(cut.malformed).toBe(uncut.malformed);
          if (uncut.malformed === null) expect(cut.text).toBe(uncut.text);
        },
      ),
      { numRuns: 2_000, seed: 5 },
    );
  });

  it.each([
    ['a header', 'a:', '\x01'],
    ['a type', 'Content-Type: text/plain', 'x'],
  ])('looks once at blanks in %s', (_what, beginning, end) => {
    const blanks = ' '.repeat(limits.multipartHeadBytesMax - 40);
    const part = Buffer.from(`--XX\r\n${beginning}${blanks}${end}\r\n\r\n\r\n`, 'latin1');
    const reader = new MultipartReader('XX', new Set(['key']));
    for (let parts = 0; parts < 12_000; parts += 1)
      expect(reader.push(part).every((piece) => Buffer.isBuffer(piece))).toBe(true);
    expect(reader.malformed).toBe(null);
  });
});

describe('the boundary of a multipart form', () => {
  it.each([
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data;boundary="a b:c"', 'a b:c'],
    ['multipart/form-data; charset=utf-8; BOUNDARY=a', 'a'],
    ['multipart/form-data', null],
    ['multipart/form-data; boundary=', null],
    ['multipart/form-data; boundary=a; boundary=b', null],
    ['multipart/form-data; boundary="a\\"b"', null],
    ["multipart/form-data; boundary=a; boundary*=utf-8''b", null],
    ['multipart/form-data; Boundary*0=b; boundary=a', null],
    ['multipart/form-data; boundary="a "', null],
    [`multipart/form-data; boundary=${'a'.repeat(71)}`, null],
    ['multipart/form-data; boundary=a b', null],
    ['multipart/form-data, multipart/form-data; boundary=a', null],
    ['multipart/mixed; boundary=a', null],
  ])('%s: %s', (type, boundary) => {
    expect(multipartBoundary(type)).toBe(boundary);
  });
});
