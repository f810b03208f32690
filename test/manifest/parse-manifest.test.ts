import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../src/manifest/index.ts';
import { replaced, VERSION_2 } from './documents.ts';

const errorsOf = (text: string) => parseManifest(text, { file: 'm.yaml' }).errors;
const codesOf = (text: string) => errorsOf(text).map((error) => error.code);

describe('a version 2 manifest', () => {
  it('is read with its defaults filled in', () => {
    const least =
      'schemaVersion: 2\nname: a\nversion: 0.1.0\nserver: { kind: sandboxed, command: [a] }\negress: [{ host: a.example.com }]\ncredentials: [{ name: KEY, env: KEY, hosts: [a.example.com], inject: [{ header: X-Key }] }]\n';
    expect(parseManifest(least, { file: 'm.yaml' }).manifest).toEqual({
      schemaVersion: 2,
      name: 'a',
      version: '0.1.0',
      server: {
        kind: 'sandboxed',
        command: ['a'],
        args: [],
        env: {},
        files: [],
        limits: {},
        addresses: 'synthetic',
      },
      egress: [{ host: 'a.example.com', port: 443, protocol: 'https' }],
      credentials: [
        {
          name: 'KEY',
          tier: 'sealed',
          required: true,
          env: 'KEY',
          placeholder: '{alnum:32}',
          hosts: ['a.example.com'],
          inject: [{ header: 'X-Key', format: '{token}' }],
        },
      ],
    });
  });

  it('may use every key', () => {
    const full = `schemaVersion: 2
name: full
version: 1.0.0
title: Full
description: |
  Two
  lines.
homepage: https://example.com/docs
server:
  kind: sandboxed
  package: pypi:mcp-server-fetch==2025.4.7
  command: [mcp-server-fetch, serve]
  args: ["--port", "8080"]
  env: { LOG_LEVEL: "on", y: n }
  files: [{ host: /srv/notes, cell: /notes, write: true }]
  limits: { memoryMiB: 512, processes: 32, cpus: 1.5, openFiles: 256, diskMiB: 64, callSeconds: 90 }
  idleSeconds: 300
  shared: true
  addresses: real
egress:
  - { host: "*.example.com", port: 8443, protocol: https, methods: [GET], paths: [/v1, /v2/] }
  - { host: api.example.com, protocol: http }
credentials:
  - name: USER
    tier: sealed
    title: User
    description: The user's name.
    required: false
    env: API_USER
    placeholder: u-{uuid}
    hosts: [api.example.com]
    ports: [8443]
    methods: [GET]
    paths: [/v1/me]
    inject: [{ basic: user }, { query: user }, { json: /auth/user }, { json: "/a~1b/~0" }]
  - { name: PASS, tier: entrusted, env: API_PASS }
tools: { default: [a, b.c/d-e_f] }
`;
    const { manifest, errors, warnings } = parseManifest(full, { file: 'm.yaml' });
    expect(errors).toEqual([]);
    expect(warnings).toEqual([]);
    expect(manifest?.egress).toEqual([
      { host: '*.example.com', port: 8443, protocol: 'https', methods: ['GET'], paths: ['/v1', '/v2/'] },
      { host: 'api.example.com', port: 80, protocol: 'http' },
    ]);
    expect(manifest?.server).toMatchObject({
      env: { LOG_LEVEL: 'on', y: 'n' },
      idleSeconds: 300,
      shared: true,
      addresses: 'real',
    });
    expect(manifest?.credentials[1]).toEqual({
      name: 'PASS',
      tier: 'entrusted',
      required: true,
      env: 'API_PASS',
      placeholder: '{alnum:32}',
      hosts: [],
      inject: [],
    });
  });

  it('may describe a remote server and an API', () => {
    const remote =
      'schemaVersion: 2\nname: r\nversion: 1.0.0\nserver: { kind: remote, url: "https://mcp.example.com/mcp" }\negress: [{ host: mcp.example.com }]\n';
    const api =
      'schemaVersion: 2\nname: r\nversion: 1.0.0\nserver: { kind: api, baseUrl: "https://api.example.com:8443/v1", openapi: openapi.json }\negress: [{ host: api.example.com, port: 8443 }]\n';
    expect(parseManifest(remote, { file: 'r' }).manifest?.server).toEqual({
      kind: 'remote',
      url: 'https://mcp.example.com/mcp',
    });
    expect(parseManifest(api, { file: 'a' }).manifest?.server).toEqual({
      kind: 'api',
      baseUrl: 'https://api.example.com:8443/v1',
      openapi: 'openapi.json',
    });
  });

  it('names file, line, column, field, and what would be right', () => {
    expect(errorsOf(replaced(VERSION_2, 'egress:', 'egres:'))[0]).toEqual({
      file: 'm.yaml',
      line: 9,
      column: 1,
      field: 'egres',
      code: 'manifest_unknown_key',
      message: 'the key "egres" is unknown; did you mean "egress"?',
      expected:
        'one of schemaVersion, name, version, title, description, homepage, server, egress, credentials, tools',
    });
    expect(
      errorsOf(replaced(VERSION_2, 'hosts: [api.github.com]', 'hosts: [api.github.com, gist.github.com]')),
    ).toEqual([
      {
        file: 'm.yaml',
        line: 16,
        column: 29,
        field: 'credentials[0].hosts[1]',
        code: 'manifest_credential_unreachable',
        message: 'egress does not allow gist.github.com',
        expected: 'one of api.github.com, or an egress rule for gist.github.com',
      },
    ]);
  });

  it('shows every mistake at once, in the order of the text', () => {
    const text = replaced(
      replaced(replaced(VERSION_2, 'version: 2025.4.8', 'version: 1.10'), 'port: 443', 'port: "443"'),
      'alnum:36',
      'alnum:3',
    );
    expect(errorsOf(text).map(({ line, code }) => [line, code])).toEqual([
      [3, 'manifest_wrong_type'],
      [10, 'manifest_wrong_type'],
      [15, 'manifest_placeholder_length'],
    ]);
  });

  it('has a hash but is not a manifest when only a rule is broken', () => {
    const parsed = parseManifest(replaced(VERSION_2, 'name: github', 'name: GitHub'), { file: 'm.yaml' });
    expect(parsed.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(parsed.manifest).toBeUndefined();
  });
});

/** Passage, replacement, code. One line for each rule. */
const BROKEN: readonly (readonly [string, string, string])[] = [
  ['schemaVersion: 2', 'schemaVersion: 3', 'manifest_schema_version'],
  ['schemaVersion: 2', 'schemaVersion: "2"', 'manifest_schema_version'],
  ['schemaVersion: 2\n', '', 'manifest_schema_version'],
  ['name: github', 'name: git_hub', 'manifest_name_invalid'],
  ['name: github', 'name: -github', 'manifest_name_invalid'],
  ['name: github', `name: ${'a'.repeat(64)}`, 'manifest_name_invalid'],
  ['name: github', 'name: 123', 'manifest_wrong_type'],
  ['name: github\n', '', 'manifest_missing_key'],
  ['version: 2025.4.8', 'version: 2025.04.8', 'manifest_version_invalid'],
  ['version: 2025.4.8', 'version: v1.0.0', 'manifest_version_invalid'],
  ['title: GitHub', 'title: ""', 'manifest_text_invalid'],
  ['title: GitHub', 'title: "a\\u001bb"', 'manifest_control_character'],
  ['title: GitHub', 'title: "a\\nb"', 'manifest_text_invalid'],
  ['title: GitHub', 'title: "a\\u202eb"', 'manifest_text_invalid'],
  ['title: GitHub', 'title: "a\\u200bb"', 'manifest_text_invalid'],
  ['title: GitHub', 'title: "a\\U000E0041b"', 'manifest_text_invalid'],
  ['title: GitHub', 'description: "a\\u2067b"', 'manifest_text_invalid'],
  ['title: GitHub', 'description: "a\\ufeffb"', 'manifest_text_invalid'],
  ['title: GitHub', 'title:', 'manifest_wrong_type'],
  ['title: GitHub', 'homepage: javascript:alert(1)', 'manifest_url_invalid'],
  ['title: GitHub', 'homepage: https://user:pass@example.com/', 'manifest_url_invalid'],
  ['kind: sandboxed', 'kind: sandbox', 'manifest_unknown_choice'],
  ['  kind: sandboxed\n', '', 'manifest_missing_key'],
  ['kind: sandboxed', 'kind: sandboxed\n  url: https://x.example', 'manifest_unknown_key'],
  [
    'npm:@modelcontextprotocol/server-github@2025.4.8',
    'npm:@modelcontextprotocol/server-github',
    'manifest_package_unpinned',
  ],
  [
    'npm:@modelcontextprotocol/server-github@2025.4.8',
    'npm:@modelcontextprotocol/server-github@latest',
    'manifest_package_version',
  ],
  [
    'npm:@modelcontextprotocol/server-github@2025.4.8',
    'npm:@modelcontextprotocol/server-github@^2.0.0',
    'manifest_package_version',
  ],
  ['npm:@modelcontextprotocol/server-github@2025.4.8', 'npm:../../etc@1.0.0', 'manifest_package_invalid'],
  ['npm:@modelcontextprotocol/server-github@2025.4.8', 'docker:alpine@1.0.0', 'manifest_package_invalid'],
  ['command: [mcp-server-github]', 'command: []', 'manifest_command_empty'],
  ['command: [mcp-server-github]', 'command: mcp-server-github', 'manifest_wrong_type'],
  ['command: [mcp-server-github]', 'command: [../bin/sh]', 'manifest_command_program'],
  ['command: [mcp-server-github]', 'command: ["-rf"]', 'manifest_command_program'],
  ['command: [mcp-server-github]', 'command: [a, "x\\0y"]', 'manifest_control_character'],
  ['command: [mcp-server-github]', 'command: [a, 8080]', 'manifest_wrong_type'],
  ['  command: [mcp-server-github]\n', '', 'manifest_missing_key'],
  ['command: [mcp-server-github]', 'command: [a]\n  env: { PORT: 8080 }', 'manifest_wrong_type'],
  ['command: [mcp-server-github]', 'command: [a, "\\x7f"]', 'manifest_control_character'],
  ['command: [mcp-server-github]', 'command: [a]\n  env: { "A-B": x }', 'manifest_env_name'],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  env: { NODE_OPTIONS: --require=/x }',
    'manifest_env_reserved',
  ],
  ['command: [mcp-server-github]', 'command: [a]\n  env: { LD_PRELOAD: /x.so }', 'manifest_env_reserved'],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  env: { https_proxy: "http://x" }',
    'manifest_env_reserved',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  env: { NODE_EXTRA_CA_CERTS: /x }',
    'manifest_env_reserved',
  ],
  ['command: [mcp-server-github]', 'command: [a]\n  env: { __proto__: x }', 'manifest_env_reserved'],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  env: { npm_config_registry: x }',
    'manifest_env_reserved',
  ],
  ['command: [mcp-server-github]', 'command: [a]\n  env: { GIT_SSH_COMMAND: x }', 'manifest_env_reserved'],
  ['command: [mcp-server-github]', 'command: [a]\n  env: { GIT_CONFIG_COUNT: "1" }', 'manifest_env_reserved'],
  ['command: [mcp-server-github]', 'command: [a]\n  env: { BASH_ENV: /x }', 'manifest_env_reserved'],
  ['command: [mcp-server-github]', 'command: [a]\n  env: { PYTHONINSPECT: "1" }', 'manifest_env_reserved'],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: /a, cell: /package/x }]',
    'manifest_file_reserved',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: /a, cell: /data }, { host: /b, cell: /data/b }]',
    'manifest_file_nested',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: /a, cell: /data/b/ }, { host: /b, cell: /data }]',
    'manifest_file_nested',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  env: { GITHUB_PERSONAL_ACCESS_TOKEN: "" }',
    'manifest_env_repeated',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: notes, cell: /n }]',
    'manifest_file_path',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: /a/../b, cell: /n }]',
    'manifest_file_path',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: /, cell: /n }]',
    'manifest_file_reserved',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: /run/docker.sock, cell: /n }]',
    'manifest_file_reserved',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: /home/me, cell: /etc/ssl }]',
    'manifest_file_reserved',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  files: [{ host: /home/me, cell: /n, write: yes }]',
    'manifest_wrong_type',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  limits: { memoryMiB: 0 }',
    'manifest_number_out_of_range',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  limits: { processes: 1.5 }',
    'manifest_number_out_of_range',
  ],
  ['command: [mcp-server-github]', 'command: [a]\n  limits: { cpu: 1 }', 'manifest_unknown_key'],
  ...['0', '0.25', '256.1', '.nan', '.inf'].map(
    (cpus) =>
      [
        'command: [mcp-server-github]',
        `command: [a]\n  limits: { cpus: ${cpus} }`,
        'manifest_number_out_of_range',
      ] as const,
  ),
  ['command: [mcp-server-github]', 'command: [a]\n  limits: { cpus: one }', 'manifest_wrong_type'],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  limits: { callSeconds: 0 }',
    'manifest_number_out_of_range',
  ],
  [
    'command: [mcp-server-github]',
    'command: [a]\n  limits: { callSeconds: 1.5 }',
    'manifest_number_out_of_range',
  ],
  ['command: [mcp-server-github]', 'command: [a]\n  idleSeconds: -1', 'manifest_number_out_of_range'],
  ['command: [mcp-server-github]', 'command: [a]\n  shared: always', 'manifest_wrong_type'],
  ['command: [mcp-server-github]', 'command: [a]\n  addresses: fake', 'manifest_unknown_choice'],
  ['- { host: api.github.com, port: 443', '- { port: 443', 'manifest_missing_key'],
  ['- { host: api.github.com', '- { host: API.github.com', 'manifest_host_not_canonical'],
  ['- { host: api.github.com', '- { host: 140.82.121.6', 'manifest_host_address'],
  ['port: 443', 'port: 65536', 'manifest_number_out_of_range'],
  ['port: 443', 'port: 53', 'manifest_port_reserved'],
  ['protocol: https', 'protocol: udp', 'manifest_unknown_choice'],
  ['methods: [GET, POST', 'methods: [get, POST', 'manifest_unknown_choice'],
  ['methods: [GET, POST', 'methods: [POST, POST', 'manifest_repeated'],
  ['methods: [GET, POST, PUT, PATCH, DELETE]', 'methods: []', 'manifest_list_empty'],
  ['methods: [GET', 'paths: [v1], methods: [GET', 'manifest_path_invalid'],
  ['methods: [GET', 'paths: [/v1/*], methods: [GET', 'manifest_path_invalid'],
  ['methods: [GET', 'paths: [/a/../b], methods: [GET', 'manifest_path_invalid'],
  ['methods: [GET', 'paths: ["/a?b"], methods: [GET', 'manifest_path_invalid'],
  ['methods: [GET', 'paths: [/%61], methods: [GET', 'manifest_path_invalid'],
  [
    'credentials:',
    '  - { host: api.github.com, port: 443, protocol: http }\ncredentials:',
    'manifest_egress_protocol',
  ],
  ['credentials:', '  - { host: x.example }\n  - { host: x.example }\ncredentials:', 'manifest_repeated'],
  ['- name: GITHUB_PERSONAL_ACCESS_TOKEN', '- name: github_token', 'manifest_credential_name'],
  ['tier: sealed', 'tier: open', 'manifest_unknown_choice'],
  ['tier: sealed', 'required: "yes"', 'manifest_wrong_type'],
  ['env: GITHUB_PERSONAL_ACCESS_TOKEN', 'env: PATH', 'manifest_env_reserved'],
  ['ghp_{alnum:36}', 'ghp_{alnun:36}', 'manifest_placeholder_invalid'],
  ['ghp_{alnum:36}', 'ghp_{digit:16}', 'manifest_placeholder_weak'],
  ['hosts: [api.github.com]', 'hosts: []', 'manifest_list_empty'],
  ['    hosts: [api.github.com]\n', '', 'manifest_missing_key'],
  ['hosts: [api.github.com]', 'hosts: ["*.github.com"]', 'manifest_credential_unreachable'],
  [
    'hosts: [api.github.com]',
    'hosts: [api.github.com]\n    ports: [8443]',
    'manifest_credential_unreachable',
  ],
  [
    'hosts: [api.github.com]',
    'hosts: [api.github.com]\n    methods: [HEAD]',
    'manifest_credential_unreachable',
  ],
  [
    'inject: [ { header: Authorization, format: "Bearer {token}" } ]',
    'inject: []',
    'manifest_sealed_without_inject',
  ],
  [
    '    inject: [ { header: Authorization, format: "Bearer {token}" } ]\n',
    '',
    'manifest_sealed_without_inject',
  ],
  ['tier: sealed', 'tier: entrusted', 'manifest_entrusted_with_inject'],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ header: Host }', 'manifest_header_reserved'],
  [
    '{ header: Authorization, format: "Bearer {token}" }',
    '{ header: content-length }',
    'manifest_header_reserved',
  ],
  [
    '{ header: Authorization, format: "Bearer {token}" }',
    '{ header: Transfer-Encoding }',
    'manifest_header_reserved',
  ],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ header: "X Y" }', 'manifest_header_name'],
  ['Bearer {token}', 'Bearer', 'manifest_format_token'],
  ['Bearer {token}', '{token}{token}', 'manifest_format_token'],
  ['Bearer {token}', 'Bearer {token}\\r\\nX: y', 'manifest_format_characters'],
  ['Bearer {token}', 'Bearer {token} ', 'manifest_format_characters'],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ header: A, query: b }', 'manifest_inject_kind'],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ format: "{token}" }', 'manifest_inject_kind'],
  [
    '{ header: Authorization, format: "Bearer {token}" }',
    '{ query: k, format: "{token}" }',
    'manifest_inject_kind',
  ],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ basic: both }', 'manifest_unknown_choice'],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ query: "a b" }', 'manifest_query_name'],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ json: api_key }', 'manifest_json_pointer'],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ json: "/a~2" }', 'manifest_json_pointer'],
  ['{ header: Authorization, format: "Bearer {token}" }', '{ json: "" }', 'manifest_json_pointer'],
  [
    '{ header: Authorization, format: "Bearer {token}" }',
    '{ header: A }, { header: a }',
    'manifest_repeated',
  ],
  ['default: [search_repositories', 'default: ["a b"', 'manifest_tool_name'],
  ['default: [search_repositories', 'default: [get_file_contents', 'manifest_repeated'],
  ['tools: {', 'tools: { enabled: [],', 'manifest_unknown_key'],
];

describe('a rule of version 2', () => {
  it.each(BROKEN)('refuses %j -> %j as %s', (passage, by, code) => {
    const text = replaced(VERSION_2, passage, by);
    expect(codesOf(text)).toContain(code);
    for (const error of errorsOf(text)) expect(error.line).toBeGreaterThan(0);
  });

  it('holds for the second credential too', () => {
    const second =
      '  - { name: GITHUB_PERSONAL_ACCESS_TOKEN, env: OTHER, hosts: [api.github.com], inject: [{ header: X }] }\ntools:';
    expect(codesOf(replaced(VERSION_2, 'tools:', second))).toEqual(['manifest_credential_repeated']);
    const sameEnv =
      '  - { name: OTHER, env: GITHUB_PERSONAL_ACCESS_TOKEN, hosts: [api.github.com], inject: [{ header: X }] }\ntools:';
    expect(codesOf(replaced(VERSION_2, 'tools:', sameEnv))).toEqual(['manifest_env_repeated']);
  });

  it('binds an address and its credentials to egress', () => {
    const text =
      'schemaVersion: 2\nname: r\nversion: 1.0.0\nserver: { kind: remote, url: "https://mcp.example.com/" }\ncredentials: [{ name: K, env: K, hosts: [x.example.com], inject: [{ header: X }] }]\n';
    expect(codesOf(text)).toEqual([
      'manifest_url_unreachable',
      'manifest_env_without_cell',
      'manifest_credential_unreachable',
    ]);
  });

  it('leaves no place for two tool lists of an API', () => {
    const text =
      'schemaVersion: 2\nname: r\nversion: 1.0.0\nserver: { kind: api, baseUrl: "https://a.example.com", openapi: a.json, toolspec: b.yaml }\negress: [{ host: a.example.com }]\n';
    expect(codesOf(text)).toEqual(['manifest_api_tools']);
  });

  it('reads back as JSON what it gave, with an entrusted credential that names no host', () => {
    const text =
      'schemaVersion: 2\nname: r\nversion: 1.0.0\nserver: { kind: sandboxed, command: [a] }\ncredentials: [{ name: K, tier: entrusted, env: K }]\n';
    const { manifest } = parseManifest(text, { file: 'm.yaml' });
    expect(manifest?.credentials[0]?.hosts).toEqual([]);
    expect(parseManifest(JSON.stringify(manifest), { file: 'm.json' })).toMatchObject({
      errors: [],
      manifest,
    });
  });

  it('needs a variable to hand an entrusted value over', () => {
    const text =
      'schemaVersion: 2\nname: r\nversion: 1.0.0\nserver: { kind: sandboxed, command: [a] }\ncredentials: [{ name: K, tier: entrusted }]\n';
    expect(codesOf(text)).toEqual(['manifest_entrusted_without_env']);
  });
});

describe('a warning of version 2', () => {
  const warningsOf = (text: string) =>
    parseManifest(text, { file: 'm.yaml' }).warnings.map((warning) => warning.code);

  it('is not an error', () => {
    const { errors, manifest } = parseManifest(
      replaced(VERSION_2, '    env: GITHUB_PERSONAL_ACCESS_TOKEN\n', ''),
      { file: 'm.yaml' },
    );
    expect(errors).toEqual([]);
    expect(manifest?.credentials[0]?.env).toBeUndefined();
  });

  it.each([
    ['    env: GITHUB_PERSONAL_ACCESS_TOKEN\n', '', 'manifest_sealed_without_env'],
    ['port: 443, protocol: https', 'protocol: http', 'manifest_credential_in_clear'],
    ['command: [mcp-server-github]', 'command: [a]\n  env: { API_KEY: abc }', 'manifest_env_sounds_secret'],
    ['credentials:', '  - { host: localhost, protocol: http }\ncredentials:', 'manifest_host_internal'],
  ])('for %j -> %j is %s', (passage, by, code) => {
    expect(warningsOf(VERSION_2)).toEqual([]);
    expect(warningsOf(replaced(VERSION_2, passage, by))).toEqual([code]);
  });
});
