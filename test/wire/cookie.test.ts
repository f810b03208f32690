import { describe, expect, it } from 'vitest';
import { isCookieValue, parseCookiePairs } from '../../src/wire/index.ts';

describe('a Cookie header', () => {
  it.each([
    ['a=1', ['a=1@2']],
    ['a=1; b=2', ['a=1@2', 'b=2@7']],
    ['a=1;b=2;  c=', ['a=1@2', 'b=2@6', 'c=@12']],
    ['a="x y"; b=1=2', ['a="x y"@2', 'b=1=2@11']],
    ['a={1,2}; b=x y', ['a={1,2}@2', 'b=x y@11']],
    ['a=1 ;\tb=2\u00a0', ['a=1@2', 'b=2\u00a0@8']],
  ])('%s has the pairs %j', (header, expected) => {
    const pairs = parseCookiePairs(header);
    expect(pairs?.map(({ name, value, start }) => `${name}=${value}@${start}`)).toEqual(expected);
    for (const { value, start } of pairs ?? []) expect(header.slice(start, start + value.length)).toBe(value);
  });

  it.each([
    '',
    'a',
    'a=1;',
    'a=1; b',
    'a b=1',
    '=1',
    'a="1',
    'a="; b=1; c="',
    'a=x"y',
    'a="x\\"; b=1; c="',
    'a=""x"',
    'a=1;\u00a0b=2',
  ])('%s could be read in two ways', (header) => {
    expect(parseCookiePairs(header)).toBe(null);
  });

  it.each([
    ['abc-_.~/+=:@', true],
    ['', false],
    ['a;b', false],
    ['a b', false],
    ['a,b', false],
    ['a"b', false],
    ['a\\b', false],
    ['a\r\nb', false],
    ['\u00e9', false],
  ])('takes %j as a value: %s', (value, expected) => {
    expect(isCookieValue(value)).toBe(expected);
  });
});
