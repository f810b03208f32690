import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../src/manifest/index.ts';
import { replaced, VERSION_2 } from './documents.ts';

const hashOf = (text: string) => parseManifest(text, { file: 'm' }).hash;

const PINNED = '97391602fcb930cba7c62e2580abd391d5770c407b6f3dcc52c79f9b39d39adf';

describe('the content hash of version 2', () => {
  it('is pinned', () => {
    expect(hashOf(VERSION_2)).toBe(PINNED);
    expect(
      hashOf(
        'schemaVersion: 2\nname: a\nversion: 0.1.0\nserver: { kind: remote, url: "https://a.example/mcp" }\negress: [{ host: a.example }]\n',
      ),
    ).toBe('5e413980f1fcb262cb48f09c1314cb231e2e5597b08378c11dfedd09ea499401');
    expect(
      hashOf(
        'schemaVersion: 2\nname: a\nversion: 0.1.0\ntitle: "<é & \\u00a0>"\nserver: { kind: sandboxed, command: [a], env: { B: "1", A: n } }\n',
      ),
    ).toBe('6d454ee4feba83b83f7ac427a28c074c53d737bf164a743128a137f15b0a07cf');
  });

  it.each([
    ['comments and blank lines', `# a comment\n\n${VERSION_2.replaceAll('\n', ' # note\n\n')}`],
    [
      'another order of keys',
      `${VERSION_2.split('\n').slice(8).join('\n')}${VERSION_2.split('\n').slice(0, 8).join('\n')}\n`,
    ],
    ['quotes', replaced(VERSION_2, 'name: github', `'name': "github"`)],
    ['Windows line ends', VERSION_2.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${VERSION_2}`],
    ['block style', replaced(VERSION_2, '[mcp-server-github]', '\n    - mcp-server-github')],
    ['defaults left out', replaced(VERSION_2, ' port: 443, protocol: https,', '')],
    [
      'defaults written out',
      replaced(
        VERSION_2,
        'command: [mcp-server-github]',
        'command: [mcp-server-github]\n  args: []\n  env: {}\n  files: []\n  limits: {}\n  addresses: synthetic',
      ),
    ],
    ['required: true', replaced(VERSION_2, 'tier: sealed', 'tier: sealed\n    required: true')],
  ])('ignores %s', (_, text) => {
    expect(text).not.toBe(VERSION_2);
    expect(hashOf(text)).toBe(PINNED);
  });

  it('is the same for JSON', () => {
    const { manifest } = parseManifest(VERSION_2, { file: 'm' });
    expect(hashOf(JSON.stringify(manifest))).toBe(PINNED);
    expect(hashOf(JSON.stringify(manifest, null, '\t'))).toBe(PINNED);
  });

  it.each([
    ['name: github', 'name: gitlab'],
    ['version: 2025.4.8', 'version: 2025.4.9'],
    ['title: GitHub', 'title: Github'],
    ['server-github@2025.4.8', 'server-github@2025.4.7'],
    ['command: [mcp-server-github]', 'command: [mcp-server-github, --verbose]'],
    ['port: 443', 'port: 8443'],
    ['methods: [GET, ', 'methods: ['],
    ['tier: sealed', 'required: false'],
    ['alnum:36', 'alnum:37'],
    ['Bearer {token}', 'bearer {token}'],
    ['search_repositories, ', ''],
    ['tools: { default: [search_repositories, get_file_contents] }\n', ''],
  ])('sees %j -> %j', (passage, by) => {
    const changed = hashOf(replaced(VERSION_2, passage, by));
    expect(changed).toMatch(/^[0-9a-f]{64}$/);
    expect(changed).not.toBe(PINNED);
  });
});
