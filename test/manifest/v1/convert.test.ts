import { describe, expect, it } from 'vitest';
import { type Companion, parseManifest, parseToolSpec } from '../../../src/manifest/index.ts';
import { replaced, TOOLSPEC, VERSION_1 } from '../documents.ts';

const companion = (text: string): Companion => {
  const { toolspec, errors } = parseToolSpec(text, { file: 'm.toolspec.yaml' });
  if (toolspec === undefined) throw new Error(JSON.stringify(errors));
  return { spec: toolspec, file: 'm.toolspec.yaml' };
};

describe('a version 1 manifest that is to run', () => {
  it('becomes an HTTP API with its toolspec', () => {
    const text = `${VERSION_1}displayName: Ledger\n`;
    expect(parseManifest(text, { file: 'm.yaml', companion: companion(TOOLSPEC) }).manifest).toEqual({
      schemaVersion: 2,
      name: 'ledger',
      version: '1.2.3',
      title: 'Ledger',
      server: { kind: 'api', baseUrl: 'https://api.ledger.example', toolspec: 'm.toolspec.yaml' },
      egress: [
        { host: 'api.ledger.example', port: 443, protocol: 'https' },
        { host: '*.eu.ledger.example', port: 443, protocol: 'https' },
      ],
      credentials: [
        {
          name: 'LEDGER_TOKEN',
          tier: 'sealed',
          required: true,
          placeholder: '{alnum:32}',
          hosts: ['api.ledger.example', '*.eu.ledger.example'],
          inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
        },
      ],
      tools: { default: ['list_books'] },
    });
  });

  it('keeps an entrusted value out of every cell, because the gateway makes the requests', () => {
    const entrusted = replaced(
      replaced(VERSION_1, 'tier: sealed', 'tier: entrusted'),
      'header: Authorization\n      format: "Bearer {token}"',
      'env: LEDGER_KEY',
    );
    const spec = replaced(TOOLSPEC, 'tools:', 'auth: { header: X-Key, format: "{token}" }\ntools:');
    expect(
      parseManifest(entrusted, { file: 'm.yaml', companion: companion(spec) }).manifest?.credentials,
    ).toEqual([
      expect.objectContaining({
        name: 'LEDGER_KEY',
        tier: 'sealed',
        inject: [{ header: 'X-Key', format: '{token}' }],
      }),
    ]);
  });

  it.each([
    ['builder: toolpack', 'builder: node', 'manifest_v1_image'],
    ['  builder: toolpack\n', '', 'manifest_v1_image'],
    ['header: Authorization', 'header: Host', 'manifest_v1_stricter'],
    ['"Bearer {token}"', '"{token} {token}"', 'manifest_v1_stricter'],
    ['name: ledger', `name: ${'a'.repeat(64)}`, 'manifest_v1_stricter'],
  ])('with %j -> %j is valid, but cannot: %s', (passage, by, code) => {
    const parsed = parseManifest(replaced(VERSION_1, passage, by), {
      file: 'm.yaml',
      companion: companion(TOOLSPEC),
    });
    expect(parsed.errors).toEqual([]);
    expect(parsed.manifest).toBeUndefined();
    expect(parsed.obstacle?.code).toBe(code);
  });

  it('cannot without its toolspec', () => {
    const parsed = parseManifest(VERSION_1, { file: 'm.yaml' });
    expect(parsed.manifest).toBeUndefined();
    expect(parsed.obstacle?.code).toBe('manifest_v1_toolspec_missing');
  });

  it('cannot with two credentials for one place', () => {
    const two =
      'credentials:\n  - { id: a, type: api_key, inject: { env: A } }\n  - { id: b, type: api_key, inject: { env: B } }\ntools:';
    const [head = ''] = replaced(VERSION_1, 'tier: sealed', 'tier: entrusted').split('credentials:');
    const text = `${head}${two}\n  - { name: list_books, default: true }\n  - { name: close_book }\n`;
    const spec = replaced(TOOLSPEC, 'tools:', 'auth: { header: X-Key, format: "{token}" }\ntools:');
    expect(parseManifest(text, { file: 'm.yaml', companion: companion(spec) }).obstacle?.code).toBe(
      'manifest_v1_credentials',
    );
  });
});
