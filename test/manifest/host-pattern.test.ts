import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, hostPatternFault } from '../../src/manifest/host-pattern.ts';

describe('a host pattern', () => {
  it.each([
    'api.example.com',
    'localhost',
    '*.example.com',
    '*.eu.example.co.uk',
    'xn--bcher-kva.example',
    '3scale.example',
    '*.owner.github.io',
    '*.slack.com',
    '*.owner.s3.amazonaws.com',
  ])('may be %s', (pattern) => {
    expect(hostPatternFault(pattern)).toBeUndefined();
  });

  it.each([
    ['*', 'manifest_host_wildcard'],
    ['*.com', 'manifest_host_wildcard'],
    ['api.*.com', 'manifest_host_wildcard'],
    ['*.*.example.com', 'manifest_host_wildcard'],
    ['a*.example.com', 'manifest_host_wildcard'],
    ['*.co.uk', 'manifest_host_public_suffix'],
    ['*.github.io', 'manifest_host_public_suffix'],
    ['*.herokuapp.com', 'manifest_host_public_suffix'],
    ['*.s3.amazonaws.com', 'manifest_host_public_suffix'],
    ['*.vercel.app', 'manifest_host_public_suffix'],
    ['*.kawasaki.jp', 'manifest_host_public_suffix'],
    ['*.compute.amazonaws.com', 'manifest_host_public_suffix'],
    ['*.amazonaws.com', 'manifest_host_public_suffix'],
    ['*.eu-central-1.amazonaws.com', 'manifest_host_public_suffix'],
    ['*.core.windows.net', 'manifest_host_public_suffix'],
    ['127.0.0.1', 'manifest_host_address'],
    ['*.10.0.0.1', 'manifest_host_address'],
    ['010.0.0.1', 'manifest_host_address'],
    ['127.1', 'manifest_host_address'],
    ['2130706433', 'manifest_host_address'],
    ['0x7f000001', 'manifest_host_address'],
    ['[::1]', 'manifest_host_address'],
    ['::1', 'manifest_host_address'],
    ['10.0.0.1:443', 'manifest_host_address'],
    ['api.example.com:443', 'manifest_host_not_a_name'],
    ['api.example.com/v1', 'manifest_host_not_a_name'],
    ['https://api.example.com', 'manifest_host_not_a_name'],
    ['user@example.com', 'manifest_host_not_a_name'],
    ['API.example.com', 'manifest_host_not_canonical'],
    ['api.example.com.', 'manifest_host_not_canonical'],
    ['bücher.example', 'manifest_host_not_canonical'],
    ['', 'manifest_host_invalid'],
    ['*.', 'manifest_host_invalid'],
    ['.example.com', 'manifest_host_invalid'],
    ['a..example.com', 'manifest_host_invalid'],
    ['-a.example.com', 'manifest_host_invalid'],
    ['a_b.example.com', 'manifest_host_invalid'],
    ['a b.example.com', 'manifest_host_invalid'],
    [`${'a'.repeat(64)}.example.com`, 'manifest_host_invalid'],
    [`${'a.'.repeat(126)}example`, 'manifest_host_invalid'],
  ])('may not be %j: %s', (pattern, code) => {
    expect(hostPatternFault(pattern)?.code).toBe(code);
  });

  it('is told in its canonical form', () => {
    expect(hostPatternFault('*.Bücher.example')?.expected).toBe('"*.xn--bcher-kva.example"');
  });
});

describe('covers', () => {
  it.each([
    ['a.example.com', 'a.example.com', true],
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', '*.example.com', true],
    ['*.example.com', '*.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.b.example.com', '*.example.com', false],
    ['a.example.com', '*.example.com', false],
    ['*.example.com', 'aexample.com', false],
    ['*.example.com', '*.aexample.com', false],
    ['*.example.com', 'example.com.evil.example', false],
  ])('%s covers %s: %s', (outer, inner, expected) => {
    expect(covers(outer, inner)).toBe(expected);
  });

  it('never covers more than its own suffix', () => {
    const label = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 2, maxLength: 4 }),
        fc.array(label, { minLength: 1, maxLength: 6 }),
        (suffix, host) => {
          const below =
            host.length > suffix.length && host.slice(-suffix.length).join('.') === suffix.join('.');
          expect(covers(`*.${suffix.join('.')}`, host.join('.'))).toBe(below);
        },
      ),
    );
  });
});
