import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Manifest,
  manifestHash,
  parseManifest,
  withInject,
  writeManifest,
} from '../../src/manifest/index.ts';
import { replaced, VERSION_2 } from './documents.ts';

const read = (text: string): Manifest => {
  const { manifest, errors } = parseManifest(text, { file: 'm' });
  if (manifest === undefined) throw new Error(JSON.stringify(errors));
  return manifest;
};

describe('writeManifest', () => {
  it('writes what people would write', () => {
    expect(writeManifest(read(VERSION_2))).toBe(`schemaVersion: 2
name: github
version: 2025.4.8
title: GitHub
server:
  kind: sandboxed
  package: npm:@modelcontextprotocol/server-github@2025.4.8
  command: [ mcp-server-github ]
egress:
  - host: api.github.com
    methods: [ GET, POST, PUT, PATCH, DELETE ]
credentials:
  - name: GITHUB_PERSONAL_ACCESS_TOKEN
    tier: sealed
    env: GITHUB_PERSONAL_ACCESS_TOKEN
    placeholder: ghp_{alnum:36}
    hosts: [ api.github.com ]
    inject:
      - { header: Authorization, format: "Bearer {token}" }
tools:
  default: [ search_repositories, get_file_contents ]
`);
  });

  it('quotes what YAML 1.1 would take for something else', () => {
    const manifest = read(
      replaced(VERSION_2, 'search_repositories, get_file_contents', 'n, on, "12", "1e3", yes'),
    );
    expect(writeManifest(manifest)).toContain('[ "n", "on", "12", "1e3", "yes" ]');
  });

  it('keeps any manifest as it is', () => {
    const words = fc
      .string({ unit: 'binary', maxLength: 12 })
      .filter((text) => !/[^\P{Cc}\t\n\r\u0085]|[\ufffe\uffff]/u.test(text));
    const variable = fc.stringMatching(/^X_[A-Za-z0-9_]{0,8}$/);
    const host = fc.stringMatching(/^[a-z]{1,8}\.example\.com$/);
    const rule = fc.oneof(
      fc.record({
        header: fc.constantFrom('Authorization', 'X-Api-Key'),
        format: fc.constantFrom('{token}', 'Bearer {token}', 'a: "{token}" #'),
      }),
      fc.record({ query: fc.constantFrom('key', 'n', '1', '#') }),
      fc.record({ json: fc.constantFrom('/a', '/0', '/~0~1', '/ ') }),
      fc.constant({ basic: 'user' as const }),
      fc.record({ cookie: fc.constantFrom('sid', '1', 'n') }),
      fc.record({ path: fc.constantFrom('/bot{token}', '/*/{token}/a') }),
      fc.record({ form: fc.constantFrom('a', '#', 'user[key]') }),
      fc.record({ multipart: fc.constantFrom('a', ':', '1') }),
      fc.record({ websocket: fc.constantFrom('/d/token', '/ ') }),
      fc.record({ websocket: fc.constant('text'), format: fc.constantFrom('{token}', 'AUTH: {token}') }),
    );
    const manifests = fc.record({
      env: fc.dictionary(variable, words),
      args: fc.array(words, { maxLength: 4 }),
      hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 3 }),
      inject: fc.array(rule, { minLength: 1, maxLength: 1 }),
      idle: fc.option(fc.integer({ min: 1, max: 86_400 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(manifests, ({ env, args, hosts, inject, idle }) => {
        const manifest: Manifest = {
          schemaVersion: 2,
          name: 'any',
          version: '1.0.0',
          server: {
            kind: 'sandboxed',
            command: ['a', ...args],
            args,
            env,
            files: [{ host: '/a', cell: '/b', write: true }],
            limits: { memoryMiB: 64, cpus: 0.3, callSeconds: 5 },
            ...(idle === undefined ? {} : { idleSeconds: idle, shared: true }),
            addresses: 'real',
          },
          egress: hosts.map((name) => ({ host: name, port: 80, protocol: 'http', paths: ['/v1'] })),
          credentials: [
            {
              name: 'KEY',
              tier: 'sealed',
              required: false,
              env: 'KEY',
              placeholder: '{uuid}',
              hosts,
              inject,
            },
          ],
          tools: { default: ['1', 'n'] },
        };
        const again = read(writeManifest(manifest));
        expect(again).toEqual(manifest);
        expect(manifestHash(again)).toBe(manifestHash(manifest));
      }),
    );
  });
});

describe('withInject', () => {
  const bare = read(
    'schemaVersion: 2\nname: a\nversion: 0.1.0\nserver: { kind: sandboxed, command: [a] }\negress: [{ host: a.example.com }, { host: a.example.com, port: 8443 }, { host: b.example.com }]\n',
  );

  it('adds a credential that the manifest does not know', () => {
    expect(withInject(bare, 'API_KEY', { header: 'Authorization', format: 'Bearer {token}' })).toEqual({
      ok: true,
      value: {
        ...bare,
        credentials: [
          {
            name: 'API_KEY',
            tier: 'sealed',
            required: true,
            env: 'API_KEY',
            placeholder: '{alnum:32}',
            hosts: ['a.example.com', 'b.example.com'],
            inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
          },
        ],
      },
    });
  });

  it('adds a place to a credential, and replaces one that is there', () => {
    const github = read(VERSION_2);
    const added = withInject(github, 'GITHUB_PERSONAL_ACCESS_TOKEN', { query: 'access_token' });
    expect(added.ok && added.value.credentials[0]?.inject).toEqual([
      { header: 'Authorization', format: 'Bearer {token}' },
      { query: 'access_token' },
    ]);
    const changed = withInject(github, 'GITHUB_PERSONAL_ACCESS_TOKEN', {
      header: 'authorization',
      format: 'token {token}',
    });
    expect(changed.ok && changed.value.credentials[0]?.inject).toEqual([
      { header: 'authorization', format: 'token {token}' },
    ]);
    expect(github).toEqual(read(VERSION_2));
  });

  it.each([
    ['API_KEY', { header: 'Host', format: '{token}' }, 'manifest_header_reserved'],
    ['API_KEY', { header: 'X', format: 'none' }, 'manifest_format_token'],
    ['API_KEY', { json: 'key' }, 'manifest_json_pointer'],
    ['api-key', { query: 'key' }, 'manifest_credential_name'],
    ['PATH', { query: 'key' }, 'manifest_env_reserved'],
  ])('refuses %s with %j', (name, rule, code) => {
    const edited = withInject(bare, name, rule);
    expect(edited.ok ? [] : edited.error.map((error) => error.code)).toContain(code);
  });

  it('refuses a place for an entrusted credential', () => {
    const text =
      'schemaVersion: 2\nname: a\nversion: 0.1.0\nserver: { kind: sandboxed, command: [a] }\ncredentials: [{ name: K, tier: entrusted, env: K }]\n';
    const edited = withInject(read(text), 'K', { query: 'k' });
    expect(edited.ok ? [] : edited.error.map((error) => error.code)).toEqual([
      'manifest_entrusted_with_inject',
    ]);
  });
});
