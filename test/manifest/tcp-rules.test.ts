/** Rules of the protocol tcp: passed on unread, so only where no sealed value goes. */
import { describe, expect, it } from 'vitest';
import { parseManifest, writeManifest } from '../../src/manifest/index.ts';

interface Parts {
  readonly rule?: string;
  readonly addresses?: string;
  /** Of the credential. */
  readonly tier?: string;
  readonly host?: string;
  readonly ports?: string;
}

/** A server with a key for `api.example.com` and a database beside it. */
function documentWith({
  rule = '{ host: db.example.com, port: 5432, protocol: tcp }',
  addresses = 'synthetic',
  tier = 'sealed',
  host = 'api.example.com',
  ports = '',
}: Parts = {}): string {
  const place = tier === 'sealed' ? `, inject: [{ header: X-Key }]${ports}` : '';
  return `schemaVersion: 2
name: a
version: 1.0.0
server: { kind: sandboxed, command: [a], addresses: ${addresses} }
egress:
  - { host: api.example.com }
  - { host: "*.eu.example.com" }
  - ${rule}
credentials:
  - { name: KEY, tier: ${tier}, env: KEY, hosts: ["${host}"]${place} }
`;
}

const read = (parts: Parts) => parseManifest(documentWith(parts), { file: 'm.yaml' });

describe('a rule of the protocol tcp', () => {
  it('is read, and written as it was', () => {
    const { manifest, errors } = read({});
    expect(errors).toEqual([]);
    expect(manifest?.egress.at(-1)).toEqual({ host: 'db.example.com', port: 5432, protocol: 'tcp' });
    if (manifest === undefined) throw new Error('no manifest');
    expect(parseManifest(writeManifest(manifest), { file: 'm.yaml' }).manifest).toEqual(manifest);
  });

  it('may share a host with an entrusted credential', () => {
    expect(
      read({ tier: 'entrusted', rule: '{ host: api.example.com, port: 5432, protocol: tcp }' }).errors,
    ).toEqual([]);
  });

  const ONTO_API = '{ host: api.example.com, port: 5432, protocol: tcp }';
  it.each<[string, Parts, string, string]>([
    [
      'no port',
      { rule: '{ host: db.example.com, protocol: tcp }' },
      'manifest_missing_key',
      'egress[2].port',
    ],
    [
      'methods',
      { rule: '{ host: db.example.com, port: 5432, protocol: tcp, methods: [GET] }' },
      'manifest_tcp_unread',
      'egress[2].methods',
    ],
    [
      'paths',
      { rule: '{ host: db.example.com, port: 5432, protocol: tcp, paths: [/a] }' },
      'manifest_tcp_unread',
      'egress[2].paths',
    ],
    ['the host of a sealed credential', { rule: ONTO_API }, 'manifest_tcp_sealed', 'egress[2].protocol'],
    [
      'the host of a sealed credential, bound to another port',
      { rule: ONTO_API, ports: ', ports: [443]' },
      'manifest_tcp_sealed',
      'egress[2].protocol',
    ],
    [
      'a wildcard over the host of a sealed credential',
      { rule: '{ host: "*.example.com", port: 5432, protocol: tcp }' },
      'manifest_tcp_sealed',
      'egress[2].protocol',
    ],
    [
      'a host under the wildcard of a sealed credential',
      { rule: '{ host: db.eu.example.com, port: 5432, protocol: tcp }', host: '*.eu.example.com' },
      'manifest_tcp_sealed',
      'egress[2].protocol',
    ],
    ['true addresses', { addresses: 'real' }, 'manifest_tcp_addresses', 'egress[2].protocol'],
    [
      'the place of another rule',
      { rule: '{ host: api.example.com, port: 443, protocol: tcp }', tier: 'entrusted' },
      'manifest_egress_protocol',
      'egress[2]',
    ],
  ])('is refused with %s', (_name, parts, code, field) => {
    expect(read(parts).errors).toContainEqual(expect.objectContaining({ code, field }));
  });
});
