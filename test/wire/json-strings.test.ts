import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkJson, JsonStrings } from '../../src/wire/index.ts';
import { json } from '../fuzz/json.ts';

interface Read {
  readonly malformed: string | null;
  /** Pointer and value of each string; of keys, with a `#` before it. */
  readonly strings: readonly string[];
}

function read(text: Buffer, pointers: readonly string[] = [], step = text.length + 1): Read {
  const strings: string[] = [];
  const reader: JsonStrings = new JsonStrings(text, pointers, (string) => {
    expect([text[string.start], text[string.end - 1]]).toEqual([0x22, 0x22]);
    strings.push(`${string.isKey ? '#' : ''}${reader.pointer} ${reader.valueOf(string)}`);
  });
  let turns = 0;
  while (!reader.read(step)) turns += 1;
  expect(turns).toBeLessThanOrEqual(text.length / step + 1);
  return { malformed: reader.malformed, strings: reader.malformed === null ? strings : [] };
}

/** The same, by parsing all of it. */
function parsed(value: unknown, pointer = ''): string[] {
  if (typeof value === 'string') return [`${pointer} ${value}`];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const at = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return [...(Array.isArray(value) ? [] : [`#${at} ${key}`]), ...parsed(member, at)];
  });
}

describe('the strings of a JSON text', () => {
  it.each([
    ['"a"', [' a']],
    ['""', [' ']],
    [
      ' {"a" : [ "b" , {"c":"d"} ] , "e":null,"f":-1.5e3} ',
      ['#/a a', '/a/0 b', '#/a/1/c c', '/a/1/c d', '#/e e', '#/f f'],
    ],
    ['{"~/":"x"}', ['#/~0~1 ~/', '/~0~1 x']],
    ['{"\\u0061":"\\ud83d\\ude00\\n"}', ['#/a a', '/a \u{1F600}\n']],
    ['{"__proto__":"x","é":"漢"}', ['#/__proto__ __proto__', '/__proto__ x', '#/é é', '/é 漢']],
    ['[[],{},[{}],0,10,true,false]', []],
    ['{"a":1,"a":"b"}', ['#/a a', '#/a a', '/a b']],
  ])('%s: %j', (text, strings) => {
    for (const step of [1, 3, 1_000])
      expect(read(Buffer.from(text), [], step)).toEqual({ malformed: null, strings });
  });

  it.each([
    ['', 'json_empty'],
    [' \n', 'json_empty'],
    ['{', 'json_syntax'],
    ['["a"', 'json_syntax'],
    ['["a",]', 'json_syntax'],
    ['[,"a"]', 'json_syntax'],
    ['{"a":"b",}', 'json_syntax'],
    ['{"a"}', 'json_syntax'],
    ['{"a":}', 'json_syntax'],
    ['{a:1}', 'json_syntax'],
    ["['a']", 'json_syntax'],
    ['["a"}', 'json_syntax'],
    ['{"a":1]', 'json_syntax'],
    ['{]', 'json_syntax'],
    ['[}', 'json_syntax'],
    ['"a', 'json_syntax'],
    ['"\\x41"', 'json_syntax'],
    ['"\\u00g0"', 'json_syntax'],
    ['"\n"', 'json_syntax'],
    ['"a" "b"', 'json_trailing'],
    ['"a"x', 'json_trailing'],
    ['[1 2]', 'json_syntax'],
    ['[01]', 'json_syntax'],
    ['[+1]', 'json_syntax'],
    ['[1.]', 'json_syntax'],
    ['[nul]', 'json_syntax'],
    ['[NaN]', 'json_syntax'],
    ['\ufeff"a"', 'json_syntax'],
    ['[1e999]', 'json_number'],
    [`[${'9'.repeat(1_100)}]`, 'json_number'],
    [`[${'9'.repeat(400)}]`, 'json_number'],
    ['"\\ud800"', 'json_surrogate'],
    ['"\\udc00"', 'json_surrogate'],
    ['"\\ud800\\u0041"', 'json_surrogate'],
    [`${'['.repeat(129)}${']'.repeat(129)}`, 'json_too_deep'],
    [' '.repeat(16 * 2 ** 20 + 1), 'json_too_long'],
  ])('%.20j is none: %s', (text, malformed) => {
    expect(read(Buffer.from(text))).toEqual({ malformed, strings: [] });
    expect(checkJson(text).ok).toBe(false);
  });

  it('is none that is no UTF-8', () => {
    expect(read(Buffer.of(0x22, 0xff, 0x22)).malformed).toBe('json_utf8');
  });

  it.each([
    ['{"a":1,"a":2}', ['/a'], 'json_duplicate_key'],
    ['{"a":1,"\\u0061":2}', ['/a'], 'json_duplicate_key'],
    ['{"a":{"b":1},"a":2}', ['/a/b'], 'json_duplicate_key'],
    ['{"a":[{"b":1,"b":2}]}', ['/a/0/b'], 'json_duplicate_key'],
    ['{"a~/":1,"a~/":2}', ['/a~0~1'], 'json_duplicate_key'],
    ['{"a":[{},{"b":1,"b":2}]}', ['/a/0/b'], null],
    ['{"a":{"b":1},"b":1}', ['/a/b', '/b'], null],
    ['{"x":1,"x":2,"a":{"a":1}}', ['/a'], null],
    ['{"a":1,"a":2}', ['/a/b'], 'json_duplicate_key'],
    ['{"__proto__":1,"__proto__":2}', ['/__proto__'], 'json_duplicate_key'],
  ])('%s has one place for each of %j: %s', (text, pointers, malformed) => {
    expect(read(Buffer.from(text), pointers).malformed).toBe(malformed);
  });

  it('are those that a parser finds, however it is read', () => {
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 1, max: 40 }), (text, step) => {
        const strict = checkJson(text);
        const { malformed, strings } = read(Buffer.from(text), [], step);
        if (!strict.ok && strict.error !== 'json_duplicate_key') return malformed === strict.error;
        const value: unknown = JSON.parse(text);
        /* Keys that are numbers come first in an object, wherever they stood; of two alike the last one counts. */
        const found = new Set(strings);
        return malformed === null && parsed(value).every((one) => found.has(one));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are taken for JSON where the strict parser does, whatever was changed', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '\\',
      'a',
      '0',
      '-',
      '.',
      'e',
      ' ',
      'true',
      '\\u0041',
      '\u0001',
      'é',
    ];
    const broken = fc
      .tuple(
        fc.json(),
        fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom('', ...pieces)), { maxLength: 3 }),
      )
      .map(([text, edits]) =>
        edits.reduce((all, [at, length, put]) => {
          const place = at % (all.length + 1);
          return all.slice(0, place) + put + all.slice(place + length);
        }, text),
      );
    fc.assert(
      fc.property(
        fc.oneof(
          broken,
          fc.array(fc.constantFrom(...pieces)).map((all) => all.join('')),
        ),
        (text) => {
          if (!text.isWellFormed()) return true; // no such bytes
          const strict = checkJson(text);
          const { malformed } = read(Buffer.from(text));
          return strict.ok || strict.error === 'json_duplicate_key'
            ? malformed === null || !strict.ok
            : malformed !== null;
        },
      ),
      { numRuns: 10_000 },
    );
  });

  it('are those of both other parsers, in twenty thousand texts', async () => {
    const report: string[] = [];
    await json.run(1, 20_000, (line) => report.push(line));
    expect(report.join()).toMatch(/^20000 texts, \d{4,} of them JSON/);
  });
});
