import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { definitionHash, isApprovable } from '../../../src/mcp/pinning/definition-hash.ts';
import { canonicalJson } from '../../../src/wire/index.ts';

const same = (one: string, other: string): boolean => definitionHash(one) === definitionHash(other);

describe('the hash of a definition', () => {
  it('is this one', () => {
    expect(canonicalJson(' { "b" : [1, 2.50, {}], "a":"\\u0041\\n" } ')).toBe('{"a":"A\\n","b":[1,2.50,{}]}');
    expect(definitionHash('{"name":"read"}')).toBe(
      'sha256-6a7296be2d50ccb2ca26b9ea6ec1692b395c27c07fdfe9a1a705c0e1c04a3b99',
    );
  });

  it.each([
    ['the order of members', '{"a":1,"b":{"c":2,"d":3}}', '{"b":{"d":3,"c":2},"a":1}'],
    ['spaces', '{"a":[1,2]}', ' {\n "a" : [ 1 , 2 ] } '],
    ['escapes', '{"\\u0061":"\\/\\u00e9"}', '{"a":"/é"}'],
  ])('does not depend on %s', (_, one, other) => {
    expect(same(one, other)).toBe(true);
  });

  it.each([
    ['a character that nobody sees', '{"description":"Reads."}', '{"description":"Reads.\u200b"}'],
    ['a composed letter', '{"description":"\\u00e9"}', '{"description":"e\\u0301"}'],
    ['an annotation', '{"annotations":{"readOnlyHint":true}}', '{"annotations":{"readOnlyHint":false}}'],
    ['how a number is written', '{"a":1}', '{"a":1.0}'],
    ['a number beyond precision', '{"a":9007199254740993}', '{"a":9007199254740992}'],
    ['a type', '{"a":"1"}', '{"a":1}'],
    ['the order of items', '{"a":[1,2]}', '{"a":[2,1]}'],
    ['a member named twice', '{"a":1,"a":2}', '{"a":2}'],
    ['which of two comes last', '{"a":1,"a":2}', '{"a":2,"a":1}'],
    ['an unknown member', '{"a":1}', '{"a":1,"x-new":null}'],
    ['a lone surrogate', '{"a":"\\ud800"}', '{"a":"\\ud801"}'],
    ['__proto__', '{"__proto__":1}', '{}'],
  ])('depends on %s', (_, one, other) => {
    expect(same(one, other)).toBe(false);
  });

  it('is that of the value, however it is written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(same(text, JSON.stringify(value, null, 2))).toBe(true);
        expect(JSON.parse(canonicalJson(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('of what is deeper than anybody reads is one, and nobody can agree to it', () => {
    const deep = (levels: number, inner: string): string =>
      `{"name":"x","inputSchema":${'['.repeat(levels)}${inner}${']'.repeat(levels)}}`;
    for (const levels of [127, 128, 50_000]) {
      expect(isApprovable(deep(levels, '1'))).toBe(levels === 127);
      expect(definitionHash(deep(levels, '1'))).toMatch(/^sha256-[0-9a-f]{64}$/);
      expect(same(deep(levels, '1'), deep(levels, '2'))).toBe(false);
    }
    expect(isApprovable(`"${'x'.repeat(262_142)}"`)).toBe(true);
    expect(isApprovable(`"${'x'.repeat(262_143)}"`)).toBe(false);
  });
});
