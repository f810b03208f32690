import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkJson,
  editJson,
  findJson,
  jsonItems,
  jsonMembers,
  parseStrictJson,
} from '../../src/wire/index.ts';

const codeOf = (text: string | Uint8Array): string => {
  const parsed = parseStrictJson(text);
  return parsed.ok ? 'ok' : parsed.error;
};

describe('parseStrictJson', () => {
  it('agrees with JSON.parse on every value', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        expect(parseStrictJson(text)).toEqual({ ok: true, value: JSON.parse(text) });
        expect(parseStrictJson(Buffer.from(text))).toEqual({ ok: true, value: JSON.parse(text) });
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['', 'json_empty'],
    [' \n', 'json_empty'],
    ['{', 'json_syntax'],
    ['[1,]', 'json_syntax'],
    ['{"a":1,}', 'json_syntax'],
    ['{a:1}', 'json_syntax'],
    ["{'a':1}", 'json_syntax'],
    ['{"a" 1}', 'json_syntax'],
    ['[1 2]', 'json_syntax'],
    ['tru', 'json_syntax'],
    ['NaN', 'json_syntax'],
    ['+1', 'json_syntax'],
    ['01', 'json_trailing'],
    ['1.', 'json_trailing'],
    ['.5', 'json_syntax'],
    ['-', 'json_syntax'],
    ['0x1', 'json_trailing'],
    ['"a', 'json_syntax'],
    ['"a\nb"', 'json_syntax'],
    ['"\\x41"', 'json_syntax'],
    ['"\\u00g0"', 'json_syntax'],
    ['"\\', 'json_syntax'],
    ['/* c */ 1', 'json_syntax'],
    ['\ufeff1', 'json_syntax'],
    ['\u00a01', 'json_syntax'],
    ['1 2', 'json_trailing'],
    ['{}{}', 'json_trailing'],
    ['{"a":1,"a":2}', 'json_duplicate_key'],
    ['{"a":1,"\\u0061":2}', 'json_duplicate_key'],
    ['{"x":{"a":1,"b":2,"a":3}}', 'json_duplicate_key'],
    [`{${Array.from({ length: 30 }, (_, i) => `"k${i}":0`).join()},"k3":1}`, 'json_duplicate_key'],
    ['{"__proto__":1,"__proto__":2}', 'json_duplicate_key'],
    ['"\ud800"', 'json_surrogate'],
    ['"\\ud800"', 'json_surrogate'],
    ['"\\udc00\\ud800"', 'json_surrogate'],
    ['"\\udc00\\udc00"', 'json_surrogate'],
    ['"\\ud800\\u0041"', 'json_surrogate'],
    ['"\\ud800\\n"', 'json_surrogate'],
    ['{"\\udfff":1}', 'json_surrogate'],
    ['1e400', 'json_number'],
    ['-1e999', 'json_number'],
    [`1${'0'.repeat(2000)}`, 'json_number'],
    [`0.${'0'.repeat(2000)}1`, 'json_number'],
    ['['.repeat(129), 'json_too_deep'],
    ['{"a":'.repeat(129), 'json_too_deep'],
    ['['.repeat(1_000_000), 'json_too_deep'],
    [' '.repeat(16 * 1024 * 1024 + 1), 'json_too_long'],
  ])('refuses %.60s', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it('refuses bytes that are no UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x22, 0xf0, 0x9f, 0x22],
    ]) {
      expect(codeOf(Buffer.from(bytes))).toBe('json_utf8');
    }
    expect(codeOf(Buffer.from('\ufeff1'))).toBe('json_syntax');
  });

  it('takes what is at the limits, and pairs of surrogates', () => {
    expect(codeOf(`${'['.repeat(128)}${']'.repeat(128)}`)).toBe('ok');
    expect(codeOf('"\\ud83d\\ude00 \ud83d\ude00"')).toBe('ok');
    expect(checkJson('[[1]]', { depthMax: 1 })).toEqual({ ok: false, error: 'json_too_deep' });
    expect(checkJson('12345', { charsMax: 4 })).toEqual({ ok: false, error: 'json_too_long' });
  });

  it('makes __proto__ a key like any other', () => {
    const parsed = parseStrictJson('{"__proto__":{"polluted":true},"constructor":1}');
    expect(parsed.ok && Object.keys(parsed.value ?? {})).toEqual(['__proto__', 'constructor']);
    expect(parsed.ok && Object.getPrototypeOf(parsed.value)).toBe(Object.prototype);
    expect('polluted' in {}).toBe(false);
  });

  it('accepts nothing that JSON.parse refuses', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '1',
      '-',
      '.',
      'e',
      '0',
      'a',
      '\\',
      'u',
      '\\u0041',
      'true',
      'null',
      ' ',
      '"k"',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const text = pieces.join('');
        if (checkJson(text).ok) expect(() => JSON.parse(text)).not.toThrow();
      }),
      { seed: 21, numRuns: 5000 },
    );
  });
});

describe('spans', () => {
  const text = ' {"a": [1, "x]\\"}", {"b" : 1.50e3}], "c\\u0064":{} , "e":-0 }\n';
  const at = (...path: readonly (string | number)[]): string | null => {
    const span = findJson(text, path);
    return span === null ? null : text.slice(span.start, span.end);
  };

  it('finds values by path', () => {
    expect(at()).toBe(text.trim());
    expect(at('a')).toBe('[1, "x]\\"}", {"b" : 1.50e3}]');
    expect(at('a', 0)).toBe('1');
    expect(at('a', 1)).toBe('"x]\\"}"');
    expect(at('a', 2, 'b')).toBe('1.50e3');
    expect(at('cd')).toBe('{}');
    expect(at('e')).toBe('-0');
  });

  it.each([
    [['x']],
    [['a', 3]],
    [['a', 'length']],
    [['e', 'x']],
    [[0]],
    [['cd', 'x']],
    [['__proto__']],
    [['a', -1]],
  ])('finds nothing at %j', (path) => {
    expect(at(...path)).toBeNull();
  });

  it('finds in any text what JSON.parse finds', () => {
    const check = (whole: string, span: { start: number; end: number }): void => {
      const value: unknown = JSON.parse(whole.slice(span.start, span.end));
      if (Array.isArray(value)) {
        const items = jsonItems(whole, span);
        expect(items.map((item): unknown => JSON.parse(whole.slice(item.start, item.end)))).toEqual(value);
        for (const item of items) check(whole, item);
      } else if (typeof value === 'object' && value !== null) {
        const members = jsonMembers(whole, span);
        expect(
          members.map((member): unknown => [member.key, JSON.parse(whole.slice(member.start, member.end))]),
        ).toEqual(
          Object.entries(value).length === members.length
            ? members.map((m) => [m.key, Reflect.get(value, m.key)])
            : null,
        );
        for (const member of members) check(whole, member);
      }
    };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 1, '\t'), (value, indent) => {
        const whole = `\n${JSON.stringify(value, null, indent)} `;
        check(whole, findJson(whole, []) ?? expect.unreachable());
      }),
    );
  });

  it('replaces values and leaves everything else as it was', () => {
    expect(
      editJson(text, [
        { path: ['e'], json: '"$&"' },
        { path: ['a', 2, 'b'], json: '[2]' },
      ]),
    ).toBe(' {"a": [1, "x]\\"}", {"b" : [2]}], "c\\u0064":{} , "e":"$&" }\n');
    expect(editJson(text, [])).toBe(text);
    expect(editJson(text, [{ path: ['missing'], json: '1' }])).toBeNull();
    expect(
      editJson(text, [
        { path: ['a'], json: '1' },
        { path: ['a', 0], json: '2' },
      ]),
    ).toBeNull();
  });
});
