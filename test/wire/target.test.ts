import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchPath, normalizeTarget } from '../../src/wire/index.ts';

describe('normalizeTarget', () => {
  it.each([
    ['/', '/', null],
    ['/v1/users', '/v1/users', null],
    ['/v1/users/', '/v1/users/', null],
    ['/v1/users?', '/v1/users', ''],
    ['/v1?a=1&b=/../%zz?c', '/v1', 'a=1&b=/../%zz?c'],
    ['/%41%7E%2d', '/A~-', null],
    ['/a%20b%c3%a9', '/a%20b%C3%A9', null],
    ['/projects/group%2fproject', '/projects/group%2Fproject', null],
    ['/a;v=1/b', '/a;v=1/b', null],
    ['/100%25', '/100%25', null],
    ['/...', '/...', null],
    ['/.well-known/x', '/.well-known/x', null],
    ["/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,=", null],
  ])('takes %j', (raw, path, query) => {
    expect(normalizeTarget(raw)).toEqual({ ok: true, value: { path, query, raw } });
  });

  it.each([
    ['', 'target_empty'],
    [`/${'a'.repeat(16 * 1024)}`, 'target_too_long'],
    ['*', 'target_form'],
    ['a.com:443', 'target_form'],
    ['https://a.com/', 'target_form'],
    ['?a', 'target_form'],
    ['/a b', 'target_character'],
    ['/a\tb', 'target_character'],
    ['/a\0', 'target_character'],
    ['/a\r\nX: y', 'target_character'],
    ['/\u00e9', 'target_character'],
    ['/a?\x7f', 'target_character'],
    ['/a#b', 'target_fragment'],
    ['/a\\..\\b', 'target_backslash'],
    ['/a%5c..%5Cb', 'target_backslash'],
    ['/a%', 'target_percent'],
    ['/a%2', 'target_percent'],
    ['/a%zz', 'target_percent'],
    ['/a%00', 'target_control'],
    ['/a%0d%0ab', 'target_control'],
    ['/a%7f', 'target_control'],
    ['/%c0%ae%c0%ae/', 'target_utf8'],
    ['/%ff', 'target_utf8'],
    ['/%ed%a0%80', 'target_utf8'],
    ['/%252e%252e/', 'target_double_encoding'],
    ['/a%252fb', 'target_double_encoding'],
    ['/%25%32%65%25%32%65/a', 'target_double_encoding'],
    ['/a/%252%65%252%65', 'target_double_encoding'],
    ['/a%25%32fb', 'target_double_encoding'],
    ['/..', 'target_dot_segment'],
    ['/a/../b', 'target_dot_segment'],
    ['/a/./b', 'target_dot_segment'],
    ['/a/%2e%2e/b', 'target_dot_segment'],
    ['/a/.%2E/b', 'target_dot_segment'],
    ['/a/..;/b', 'target_dot_segment'],
    ['/a/..%3bx/b', 'target_dot_segment'],
    ['/a/..%2fb', 'target_dot_segment'],
    ['/a%2f..%2fb', 'target_dot_segment'],
    ['/a%2f.', 'target_dot_segment'],
    ['//a', 'target_empty_segment'],
    ['/a//b', 'target_empty_segment'],
    ['/a/;x=1/b', 'target_empty_segment'],
    ['/a%2f/b', 'target_empty_segment'],
    ['/%2fa', 'target_empty_segment'],
  ])('refuses %j: %s', (raw, code) => {
    expect(normalizeTarget(raw)).toEqual({ ok: false, error: code });
  });

  it('never lets a target leave its prefix, whichever way an upstream reads it', () => {
    const piece = fc.constantFrom(
      'a',
      '.',
      '..',
      '%2e',
      '%2E',
      '/',
      '%2f',
      '%5c',
      '\\',
      ';',
      '%3b',
      '%25',
      '2e',
      '2f',
      '%00',
      '?',
      'x',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const raw = `/public/${pieces.join('')}`;
        const target = normalizeTarget(raw);
        if (!target.ok) return;
        expect(matchPath('/public', target.value.path)).toBe(true);
        const path = raw.split('?')[0] ?? '';
        // Readings of lenient upstreams: decode once or twice, turn backslashes, drop parameters, merge slashes.
        for (const once of [path, decodeURIComponent(path), tryDecode(decodeURIComponent(path))]) {
          for (const read of [
            once,
            once.replaceAll('\\', '/'),
            once.replace(/;[^/]*/g, ''),
            once.replace(/\/+/g, '/'),
          ]) {
            const resolved = new URL(`http://h${read.startsWith('/') ? read : `/${read}`}`).pathname;
            expect(resolved === '/public' || resolved.startsWith('/public/')).toBe(true);
          }
        }
      }),
      { seed: 3, numRuns: 3000 },
    );
  });
});

function tryDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

describe('matchPath', () => {
  it.each([
    ['/v1', '/v1', true],
    ['/v1', '/v1/', true],
    ['/v1', '/v1/users', true],
    ['/v1/', '/v1', true],
    ['/v1/', '/v1/users', true],
    ['/v1', '/v10', false],
    ['/v1', '/v1;x', false],
    ['/v1', '/V1', false],
    ['/v1', '/v1%2Fusers', false],
    ['/v1/users', '/v1', false],
    ['/', '/anything', true],
    ['', '/anything', false],
    ['v1', 'v1', false],
  ])('%j covers %j: %s', (prefix, path, covered) => {
    expect(matchPath(prefix, path)).toBe(covered);
  });
});
