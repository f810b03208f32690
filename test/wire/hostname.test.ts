import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchHost, parseAuthority, parseHostname } from '../../src/wire/index.ts';

describe('parseHostname', () => {
  it.each([
    ['api.github.com', 'api.github.com'],
    ['API.GitHub.COM', 'api.github.com'],
    ['api.github.com.', 'api.github.com'],
    ['localhost', 'localhost'],
    ['m\u00fcnchen.de', 'xn--mnchen-3ya.de'],
    ['M\u00dcNCHEN.de', 'xn--mnchen-3ya.de'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    ['fa\u00df.de', 'xn--fa-hia.de'],
    ['\uff41\uff50\uff49.github.com', 'api.github.com'],
    ['api\u3002github\uff0ecom\uff61', 'api.github.com'],
    ['1password.com', '1password.com'],
    ['3com', '3com'],
    ['a1.b2', 'a1.b2'],
    [`${'a'.repeat(63)}.com`, `${'a'.repeat(63)}.com`],
  ])('takes %j for %s', (raw, host) => {
    expect(parseHostname(raw)).toEqual({ ok: true, value: host });
  });

  it.each([
    ['', 'hostname_empty'],
    ['.', 'hostname_empty'],
    ['a'.repeat(1025), 'hostname_too_long'],
    [`${'a.'.repeat(127)}b`, 'hostname_too_long'],
    ['a_b.com', 'hostname_character'],
    ['a b.com', 'hostname_character'],
    ['a.com\n', 'hostname_character'],
    ['a\0.com', 'hostname_character'],
    ['a%2ecom', 'hostname_character'],
    ['user@a.com', 'hostname_character'],
    ['a.com/b', 'hostname_character'],
    ['a.com\\b', 'hostname_character'],
    ['a.com:80', 'hostname_character'],
    ['a.com?x', 'hostname_character'],
    ['*.a.com', 'hostname_character'],
    ['a..b', 'hostname_label_empty'],
    ['.a.com', 'hostname_label_empty'],
    ['a.com..', 'hostname_label_empty'],
    [`${'a'.repeat(64)}.com`, 'hostname_label_too_long'],
    ['-a.com', 'hostname_label_hyphen'],
    ['a-.com', 'hostname_label_hyphen'],
    ['\u200da.com', 'hostname_idna'],
    ['a\uff0fb.com', 'hostname_idna'],
    ['\uff05\uff12\uff45com', 'hostname_idna'],
    ['xn--\u00fc.com', 'hostname_idna'],
    ['xn--aaaaaaaaaaaaaaaaa.com', 'hostname_idna'],
    ['127.0.0.1', 'hostname_ip_literal'],
    ['::1', 'hostname_ip_literal'],
    ['[::1]', 'hostname_ip_literal'],
    ['127.1', 'hostname_numeric'],
    ['127.0.0.1.', 'hostname_numeric'],
    ['0x7f.1', 'hostname_numeric'],
    ['0x7f000001', 'hostname_numeric'],
    ['017700000001', 'hostname_numeric'],
    ['2130706433', 'hostname_numeric'],
    ['a.1', 'hostname_numeric'],
    ['a.0x', 'hostname_numeric'],
    ['\uff11\uff12\uff17.0.0.1', 'hostname_numeric'],
    ['\u2460\u2461\u2466.1', 'hostname_numeric'],
  ])('refuses %j: %s', (raw, code) => {
    expect(parseHostname(raw)).toEqual({ ok: false, error: code });
  });

  it('keeps homographs apart from what they imitate', () => {
    for (const fake of ['\u0430pple.com', 'p\u0430ypal.com', 'g\u0456thub.com']) {
      const parsed = parseHostname(fake);
      expect(parsed.ok && parsed.value.startsWith('xn--')).toBe(true);
    }
  });

  it('is stable: what it gives, it takes as it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.domain(),
          fc.string({ unit: 'grapheme', maxLength: 40 }),
          fc.string({ unit: fc.constantFrom(...Array.from('aZ0.-_x\u00fc\uff0e\u3002%:[]')) }),
        ),
        (raw) => {
          const parsed = parseHostname(raw);
          if (!parsed.ok) return;
          expect(parsed.value).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/);
          expect(parseHostname(parsed.value)).toEqual(parsed);
          expect(parseHostname(`${parsed.value.toUpperCase()}.`)).toEqual(parsed);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('matchHost', () => {
  it.each([
    ['api.github.com', 'api.github.com', true],
    ['*.github.com', 'api.github.com', true],
    ['*.github.com', 'a.b.github.com', true],
    ['*.github.com', 'github.com', false],
    ['*.github.com', 'evilgithub.com', false],
    ['*.github.com', '.github.com', false],
    ['*.github.com', 'github.com.evil.com', false],
    ['github.com', 'api.github.com', false],
    ['api.github.com', 'api.github.com.', false],
    ['*', 'a.com', false],
    ['*.', 'a.com.', false],
    ['*.com', 'a.com', false],
    ['*.*.com', 'a.b.com', false],
    ['a.*.com', 'a.b.com', false],
    ['*.0.1', '10.0.0.1', false],
    ['', '', false],
    ['', 'a.com', false],
  ])('%j covers %j: %s', (pattern, host, covered) => {
    expect(matchHost(pattern, host)).toBe(covered);
  });
});

describe('parseAuthority', () => {
  it.each([
    ['api.github.com', { host: 'api.github.com', port: 443, kind: 'name' }],
    ['API.github.com.:8443', { host: 'api.github.com', port: 8443, kind: 'name' }],
    ['10.1.2.3:80', { host: '10.1.2.3', port: 80, kind: 'ipv4' }],
    ['[2001:DB8:0::1]', { host: '2001:db8::1', port: 443, kind: 'ipv6' }],
    ['[::1]:65535', { host: '::1', port: 65_535, kind: 'ipv6' }],
  ])('takes %j', (raw, authority) => {
    expect(parseAuthority(raw, 443)).toEqual({ ok: true, value: authority });
  });

  it.each([
    ['', 'authority_empty'],
    [':80', 'authority_empty'],
    ['a'.repeat(1100), 'authority_too_long'],
    ['user@a.com', 'authority_userinfo'],
    ['user:pass@a.com:80', 'authority_userinfo'],
    ['a.com:', 'authority_port'],
    ['a.com:0', 'authority_port'],
    ['a.com:080', 'authority_port'],
    ['a.com:65536', 'authority_port'],
    ['a.com:+80', 'authority_port'],
    ['a.com:80:80', 'authority_port'],
    ['a.com:8o', 'authority_port'],
    ['::1', 'authority_port'],
    ['[::1', 'authority_bracket'],
    ['[::1]80', 'authority_bracket'],
    ['[a.com]:80', 'authority_bracket'],
    ['[127.0.0.1]', 'authority_bracket'],
    ['[fe80::1%25eth0]', 'authority_bracket'],
    ['127.1:80', 'hostname_numeric'],
    ['a b:80', 'hostname_character'],
    ['a..b', 'hostname_label_empty'],
  ])('refuses %j: %s', (raw, code) => {
    expect(parseAuthority(raw, 443)).toEqual({ ok: false, error: code });
  });
});
