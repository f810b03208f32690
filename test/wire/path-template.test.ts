import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fillPathTemplate,
  matchPathTemplate,
  normalizeTarget,
  parsePathTemplate,
  type PathTemplate,
} from '../../src/wire/index.ts';

function template(text: string): PathTemplate {
  const parsed = parsePathTemplate(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}
const matches = (text: string, path: string): boolean => matchPathTemplate(template(text), path, 'TOKEN');

describe('a path template', () => {
  it.each([
    ['', 'path_form'],
    ['bot{token}', 'path_form'],
    [`/${'a'.repeat(512)}{token}`, 'path_form'],
    ['/bot', 'path_token'],
    ['/{token}{token}', 'path_token'],
    ['/{token}/{user}', 'path_character'],
    ['/{token}?a', 'path_character'],
    ['/{token}#a', 'path_character'],
    ['/a*/{token}', 'path_wildcard'],
    ['/**/{token}', 'path_wildcard'],
    ['/*{token}', 'path_wildcard'],
    ['/{token}/', 'path_not_normal'],
    ['//{token}', 'path_not_normal'],
    ['/../{token}', 'path_not_normal'],
    ['/%61/{token}', 'path_not_normal'],
    ['/a b/{token}', 'path_not_normal'],
  ])('%j is refused: %s', (text, error) => {
    expect(parsePathTemplate(text)).toEqual({ ok: false, error });
  });

  it.each([
    ['/bot{token}', '/botTOKEN', true],
    ['/bot{token}', '/botTOKEN/sendMessage', true],
    ['/bot{token}', '/botTOKEN/', true],
    ['/bot{token}', '/bot%54OKEN/x', true],
    ['/bot{token}', '/botTOKENx', false],
    ['/bot{token}', '/TOKEN', false],
    ['/bot{token}', '/bot/TOKEN', false],
    ['/bot{token}', '/x/botTOKEN', false],
    ['/{token}.json', '/TOKEN.json', true],
    ['/{token}.json', '/TOKEN/.json', false],
    ['/v1/*/keys/{token}', '/v1/a/keys/TOKEN', true],
    ['/v1/*/keys/{token}', '/v1/a/b/keys/TOKEN', false],
    ['/v1/*/keys/{token}', '/v1/keys/TOKEN', false],
    ['/v1/*/keys/{token}', '/v1/a%20b/keys/TOKEN', true],
    ['/v1/*/keys/{token}', '/v1/a%2Fb/keys/TOKEN', false],
    ['/v1/a%2Fb/keys/{token}', '/v1/a%2Fb/keys/TOKEN', true],
    ['/{token}/*', '/TOKEN', false],
    ['/{token}/*', '/TOKEN/', false],
    ['/{token}/*', '/TOKEN/x', true],
    ['/{token}/end', '/TOKEN/end/more', true],
    ['/{token}/end', '/TOKEN/ending', false],
  ])('%s and %s: %s', (text, path, expected) => {
    expect(matches(text, path)).toBe(expected);
  });

  it.each([
    ['123:Ab-c_d', '/bot123:Ab-c_d/send?x=/1'],
    ['a b%c', '/bota%20b%25c/send?x=/1'],
    ['a;b?c#d', '/bota%3Bb%3Fc%23d/send?x=/1'],
    ['a=b+c@d,e$f&g', '/bota=b+c@d,e$f&g/send?x=/1'],
    ['é', '/bot%C3%A9/send?x=/1'],
  ])('takes %j as %s', (value, expected) => {
    expect(fillPathTemplate(template('/bot{token}'), '/botTOKEN/send?x=/1', value)).toBe(expected);
  });

  it.each(['', 'a/b', 'a\\b', '%2f', 'a\nb', '\u0000', '\ud800'])('does not take %j', (value) => {
    expect(fillPathTemplate(template('/bot{token}'), '/botTOKEN/send', value)).toBe(null);
  });

  it.each(['.', '..', '.;x', '%2e%2e'])('does not take %j as a whole segment', (value) => {
    expect(fillPathTemplate(template('/a/{token}/b'), '/a/TOKEN/b', value)).toBe(null);
  });

  it('never lets a value out of its segment, and leaves the rest byte for byte', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (value) => {
        const filled = fillPathTemplate(template('/a/b{token}c'), '/%61/bTOKENc/%7e/d?q=%7e/x', value);
        if (filled === null) return;
        const target = normalizeTarget(filled);
        expect(target.ok).toBe(true);
        expect(filled.startsWith('/%61/b')).toBe(true);
        expect(filled.endsWith('c/%7e/d?q=%7e/x')).toBe(true);
        const segments = filled.slice(0, filled.indexOf('?')).split('/');
        expect(segments).toHaveLength(5);
        expect(decodeURIComponent(segments[2] ?? '')).toBe(`b${value}c`);
      }),
      { numRuns: 1_000 },
    );
  });
});
