/** What a program says to the explicit proxy first: read in one way, or not at all. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loginOf, targetOf } from '../../src/egress/proxy/request.ts';
import { Fields } from '../../src/wire/index.ts';
import { basic } from './proxy-world.ts';

const fieldsOf = (...lines: readonly (readonly [string, string])[]): Fields => {
  const fields = new Fields();
  for (const [name, value] of lines) fields.add(name, value);
  return fields;
};
const loginWith = (value: string) => loginOf(fieldsOf(['Proxy-Authorization', value]));
const ask = (method: string, target: string, ...lines: readonly (readonly [string, string])[]) =>
  targetOf({ method, target, minor: 1, fields: fieldsOf(...lines) });

describe('a login', () => {
  it.each([
    [basic('github', 'sally_a'), { server: 'github', token: 'sally_a' }],
    [basic('sally_a', ''), { server: null, token: 'sally_a' }],
    [basic('', 'sally_a'), { server: null, token: 'sally_a' }],
    [basic('github', 'a:b'), { server: 'github', token: 'a:b' }],
    [`BASIC   ${Buffer.from('sally_a').toString('base64')}`, { server: null, token: 'sally_a' }],
    ['bearer sally_a', { server: null, token: 'sally_a' }],
  ])('%s is %j', (value, login) => {
    expect(loginWith(value)).toEqual(login);
  });

  it.each([
    basic('', ''),
    basic('GitHub', 'sally_a'),
    basic('a'.repeat(64), 'sally_a'),
    'Basic',
    'Basic %%%',
    'Basic YTpi YTpi',
    'Bearer',
    'Bearer a b',
    'Negotiate YTpi',
    '',
  ])('%j is none', (value) => {
    expect(loginWith(value)).toBeNull();
  });

  it('is said once', () => {
    expect(loginOf(fieldsOf())).toBeNull();
    const twice = ['Proxy-Authorization', basic('github', 'sally_a')] as const;
    expect(loginOf(fieldsOf(twice, twice))).toBeNull();
    expect(loginOf(fieldsOf(['Authorization', basic('github', 'sally_a')]))).toBeNull();
  });

  it('is read back as it was said', () => {
    const slug = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,30}$/);
    const token = fc.stringMatching(/^[A-Za-z0-9_]{1,80}$/);
    fc.assert(
      fc.property(slug, token, (server, secret) => {
        expect(loginWith(basic(server, secret))).toEqual({ server, token: secret });
        expect(loginWith(basic(secret, ''))).toEqual({ server: null, token: secret });
      }),
    );
  });
});

describe('a target', () => {
  it.each([
    ['a.test:443', {}, { kind: 'tunnel', host: 'a.test', port: 443 }],
    ['A.Test.:8443', {}, { kind: 'tunnel', host: 'a.test', port: 8443 }],
  ])('CONNECT %s', (target, _, expected) => {
    expect(ask('CONNECT', target)).toEqual({ ok: true, value: expected });
    expect(ask('CONNECT', target, ['Host', target])).toEqual({ ok: true, value: expected });
    /* Some repeat the name alone. */
    expect(ask('CONNECT', target, ['Host', 'a.test'], ['Content-Length', '0'])).toEqual({
      ok: true,
      value: expected,
    });
  });

  it.each([
    ['http://a.test', 80],
    ['http://a.test/', 80],
    ['HTTP://A.TEST:8080/x?y#z', 8080],
  ])('GET %s', (target, port) => {
    expect(ask('GET', target)).toEqual({ ok: true, value: { kind: 'request', host: 'a.test', port } });
  });

  it.each([
    ['CONNECT', 'a.test', 'port_missing'],
    ['CONNECT', 'a.test:', 'port_missing'],
    ['CONNECT', 'a.test:0', 'authority_port'],
    ['CONNECT', '10.0.0.1:443', 'target_address'],
    ['CONNECT', '[::1]:443', 'target_address'],
    ['CONNECT', '0x7f.1:443', 'hostname_numeric'],
    ['CONNECT', 'u@a.test:443', 'authority_userinfo'],
    ['CONNECT', 'http://a.test:443', 'authority_port'],
    ['GET', '/', 'target_is_a_path'],
    ['OPTIONS', '*', 'target_is_a_path'],
    ['GET', 'https://a.test/', 'target_scheme'],
    ['GET', 'ftp://a.test/', 'target_scheme'],
    ['GET', 'http:///x', 'authority_empty'],
    ['GET', 'http://u:p@a.test/', 'authority_userinfo'],
    ['GET', 'http://127.0.0.1/', 'target_address'],
  ])('%s %s is refused as %s', (method, target, reason) => {
    expect(ask(method, target)).toEqual({ ok: false, error: reason });
  });
});
