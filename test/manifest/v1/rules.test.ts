import { describe, expect, it } from 'vitest';
import { parseManifest, parseToolSpec } from '../../../src/manifest/index.ts';
import { replaced, TOOLSPEC, VERSION_1 } from '../documents.ts';

const findings = (text: string) =>
  parseManifest(text, { file: 'm' }).errors.map(({ field, code }) => [field, code]);
const specFindings = (text: string) =>
  parseToolSpec(text, { file: 'm' }).errors.map(({ field, code }) => [field, code]);

const BROKEN: readonly (readonly [string, string, string, string])[] = [
  ['name: ledger', 'name: Ledger', 'name', 'manifest_name_invalid'],
  ['name: ledger', 'name: led_ger', 'name', 'manifest_name_invalid'],
  ['version: 1.2.3', 'version: "1.2"', 'version', 'manifest_version_invalid'],
  ['version: 1.2.3', 'version: 01.2.3', 'version', 'manifest_version_invalid'],
  ['version: 1.2.3', 'version: 1.2.3-beta', 'version', 'manifest_version_invalid'],
  ['  repo: git.example.org/acme/ledger\n', '', 'source.repo', 'manifest_missing_key'],
  ['  tag: v1.2.3\n', '', 'source.tag', 'manifest_missing_key'],
  ['package: cmd/server', 'package: ../server', 'source.package', 'manifest_path_invalid'],
  ['package: cmd/server', 'package: /server', 'source.package', 'manifest_path_invalid'],
  ['package: cmd/server', 'package: a b', 'source.package', 'manifest_path_invalid'],
  ['  ref: images.example.org/acme/ledger\n', '', 'image.ref', 'manifest_missing_key'],
  ['sha256:5e', 'sha256:5E', 'image.digest', 'manifest_digest_invalid'],
  ['entrypoint: /app/server', 'entrypoint: app/server', 'image.entrypoint', 'manifest_path_invalid'],
  ['builder: toolpack', 'builder: ruby', 'image.builder', 'manifest_unknown_choice'],
  ['tier: sealed', 'tier: open', 'tier', 'manifest_unknown_choice'],
  ['tier: sealed\n', '', 'tier', 'manifest_unknown_choice'],
  ['- api.ledger.example', '- API.ledger.example', 'entitlements.egress[0]', 'manifest_host_not_canonical'],
  ['- api.ledger.example', '- api.ledger.example:443', 'entitlements.egress[0]', 'manifest_host_not_a_name'],
  ['- api.ledger.example', '- api.ledger.example/v1', 'entitlements.egress[0]', 'manifest_host_not_a_name'],
  ['- api.ledger.example', '- 10.0.0.1', 'entitlements.egress[0]', 'manifest_host_address'],
  ['*.eu.ledger.example', '*.com', 'entitlements.egress[1]', 'manifest_host_wildcard'],
  ['*.eu.ledger.example', '*', 'entitlements.egress[1]', 'manifest_host_wildcard'],
  ['*.eu.ledger.example', 'eu.*.example', 'entitlements.egress[1]', 'manifest_host_wildcard'],
  ['*.eu.ledger.example', '*.github.io', 'entitlements.egress[1]', 'manifest_host_public_suffix'],
  ['id: ledger_token', 'id: ""', 'credentials[0].id', 'manifest_missing_key'],
  ['header: Authorization', 'header: ""', 'credentials[0].inject.header', 'manifest_sealed_without_inject'],
  ['"Bearer {token}"', 'Bearer', 'credentials[0].inject.format', 'manifest_format_token'],
  [
    'header: Authorization',
    'header: Authorization\n      env: X',
    'credentials[0].inject.env',
    'manifest_sealed_with_env',
  ],
  ['tier: sealed', 'tier: entrusted', 'credentials[0].inject.env', 'manifest_entrusted_without_env'],
  ['tier: sealed', 'tier: entrusted', 'credentials[0].inject', 'manifest_entrusted_with_inject'],
  ['    vendor: acme\n', '', 'credentials[0].vendor', 'manifest_missing_key'],
  ['vendor: acme', 'vendor: Acme Inc', 'credentials[0].vendor', 'manifest_name_invalid'],
  ['name: close_book', 'name: list_books', 'tools[1].name', 'manifest_repeated'],
  ['name: close_book', 'name:', 'tools[1].name', 'manifest_missing_key'],
  ['tier: sealed', 'tier: sealed\ncategory: news', 'category', 'manifest_unknown_choice'],
  ['tier: sealed', 'tier: sealed\negres: []', 'egres', 'manifest_unknown_key'],
  ['  builder: toolpack', '  bilder: toolpack', 'image.bilder', 'manifest_unknown_key'],
  ['tier: sealed', 'Tier: sealed', 'Tier', 'manifest_unknown_key'],
  ['tier: sealed', 'tier: sealed\ntier: sealed', 'tier', 'manifest_duplicate_key'],
  ['schemaVersion: 1', 'schemaVersion: 1.5', 'schemaVersion', 'manifest_wrong_type'],
  ['schemaVersion: 1', 'schemaVersion: "1"', 'schemaVersion', 'manifest_wrong_type'],
  ['schemaVersion: 1', 'schemaVersion: 9', 'schemaVersion', 'manifest_schema_version'],
  ['default: true', 'default: "true"', 'tools[0].default', 'manifest_wrong_type'],
  ['scopes: ["books:read", "books:write"]', 'scopes: books', 'credentials[0].scopes', 'manifest_wrong_type'],
  ['tag: v1.2.3', 'tag: [v1]', 'source.tag', 'manifest_wrong_type'],
];

describe('a version 1 manifest', () => {
  it('without mistakes has none', () => {
    expect(findings(VERSION_1)).toEqual([]);
  });

  it.each(BROKEN)('with %j -> %j is refused at %s as %s', (passage, by, field, code) => {
    expect(findings(replaced(VERSION_1, passage, by))).toContainEqual([field, code]);
  });

  it('may be entrusted', () => {
    const text = replaced(
      replaced(VERSION_1, 'tier: sealed', 'tier: entrusted'),
      'header: Authorization\n      format: "Bearer {token}"',
      'env: LEDGER_TOKEN',
    );
    expect(findings(text)).toEqual([]);
  });

  it('shows a missing value where it would stand', () => {
    const [error] = parseManifest(replaced(VERSION_1, '  ref: images.example.org/acme/ledger\n', ''), {
      file: 'm',
    }).errors;
    expect(error).toMatchObject({ line: 9, column: 3, field: 'image.ref' });
  });
});

const BROKEN_SPEC: readonly (readonly [string, string, string, string])[] = [
  ['schemaVersion: 1', 'schemaVersion: 2', 'schemaVersion', 'manifest_schema_version'],
  ['name: ledger', 'name: Ledger', 'name', 'manifest_name_invalid'],
  ['https://api.ledger.example', 'http://api.ledger.example', 'baseUrl', 'toolspec_base_url'],
  ['https://api.ledger.example', 'https://api.ledger.example/', 'baseUrl', 'toolspec_base_url'],
  ['https://api.ledger.example', 'https://api.ledger.example:8443', 'baseUrl', 'toolspec_base_url'],
  ['https://api.ledger.example', 'https://me@api.ledger.example', 'baseUrl', 'toolspec_base_url'],
  ['https://api.ledger.example', 'https://10.0.0.1', 'baseUrl', 'manifest_host_address'],
  [
    'https://write.eu.ledger.example',
    'ftp://write.eu.ledger.example',
    'tools[1].baseUrl',
    'toolspec_base_url',
  ],
  ['tools:', 'auth: { header: "", format: "{token}" }\ntools:', 'auth.header', 'manifest_missing_key'],
  ['tools:', 'auth: { header: X, format: Bearer }\ntools:', 'auth.format', 'manifest_format_token'],
  ['name: close_book', 'name: list_books', 'tools[1].name', 'manifest_repeated'],
  ['method: GET', 'method: HEAD', 'tools[0].method', 'manifest_unknown_choice'],
  ['path: /v1/years', 'path: v1/years', 'tools[0].path', 'manifest_path_invalid'],
  ['encoding: form', 'encoding: xml', 'tools[1].encoding', 'manifest_unknown_choice'],
  ['    description: All books of a year\n', '', 'tools[0].description', 'manifest_missing_key'],
  ['name: on, in: query', 'name: n, in: query', 'tools[0].params[2].name', 'manifest_repeated'],
  ['name: on, in: query', 'name: on, in: cookie', 'tools[0].params[2].in', 'manifest_unknown_choice'],
  ['name: on, in: query', 'name: on, in: body', 'tools[0].params[2].in', 'toolspec_body_not_allowed'],
  [
    'name: on, in: query, type: string',
    'name: on, in: query, type: date',
    'tools[0].params[2].type',
    'manifest_unknown_choice',
  ],
  [
    'type: integer, required: true',
    'type: integer',
    'tools[0].params[0].required',
    'toolspec_path_param_optional',
  ],
  ['/years/{year}/', '/years/{jahr}/', 'tools[0].path', 'toolspec_path_hole'],
  ['/years/{year}/', '/years/', 'tools[0].params[0].name', 'toolspec_path_param_unused'],
  [
    'required: true, description',
    'required: yes, description',
    'tools[0].params[0].required',
    'manifest_wrong_type',
  ],
  [
    'in: query, type: integer }',
    'in: query, typ: integer }',
    'tools[0].params[1].typ',
    'manifest_unknown_key',
  ],
];

describe('a toolspec', () => {
  it('without mistakes is read, and n and on stay names', () => {
    const { toolspec, errors } = parseToolSpec(TOOLSPEC, { file: 'm' });
    expect(errors).toEqual([]);
    expect(toolspec?.tools[0]?.params.map(({ name, required }) => [name, required])).toEqual([
      ['year', true],
      ['n', false],
      ['on', false],
    ]);
    expect(toolspec?.auth).toBeNull();
  });

  it.each(BROKEN_SPEC)('with %j -> %j is refused at %s as %s', (passage, by, field, code) => {
    expect(specFindings(replaced(TOOLSPEC, passage, by))).toContainEqual([field, code]);
  });

  it('needs tools', () => {
    expect(specFindings('schemaVersion: 1\nname: a\nversion: 1.0.0\nbaseUrl: https://a.example\n')).toEqual([
      ['tools', 'manifest_list_empty'],
    ]);
  });

  it('keeps its parameters off the header of the credential', () => {
    const text = replaced(
      replaced(TOOLSPEC, 'tools:', 'auth: { header: X-Key, format: "{token}" }\ntools:'),
      'name: on, in: query',
      'name: x-key, in: header',
    );
    expect(specFindings(text)).toEqual([['tools[0].params[2].name', 'toolspec_param_auth_header']]);
  });
});

describe('a toolspec and its manifest', () => {
  const pair = (spec: string, manifest: string) => {
    const { original } = parseManifest(manifest, { file: 'm.yaml' });
    if (original === undefined) throw new Error('the manifest could not be read');
    return parseToolSpec(spec, { file: 'm.toolspec.yaml' })
      .pair(original)
      .map(({ field, code }) => [field, code]);
  };

  it('agree', () => {
    expect(pair(TOOLSPEC, VERSION_1)).toEqual([]);
  });

  it.each([
    ['name: ledger', 'name: other', 'name', 'toolspec_pair_identity'],
    ['version: 1.2.3', 'version: 1.2.4', 'version', 'toolspec_pair_identity'],
    ['name: close_book', 'name: shut_book', 'tools[1].name', 'toolspec_pair_tools'],
    ['name: close_book', 'name: shut_book', 'tools', 'toolspec_pair_tools'],
    ['https://api.ledger.example', 'https://evil.example', 'baseUrl', 'toolspec_pair_egress'],
    [
      'https://write.eu.ledger.example',
      'https://eu.ledger.example',
      'tools[1].baseUrl',
      'toolspec_pair_egress',
    ],
    ['tools:', 'auth: { header: X, format: "{token}" }\ntools:', 'auth', 'toolspec_pair_auth'],
  ])('with %j -> %j disagree at %s as %s', (passage, by, field, code) => {
    expect(pair(replaced(TOOLSPEC, passage, by), VERSION_1)).toContainEqual([field, code]);
  });

  it('need auth where the manifest is entrusted', () => {
    const entrusted = replaced(
      replaced(VERSION_1, 'tier: sealed', 'tier: entrusted'),
      'header: Authorization\n      format: "Bearer {token}"',
      'env: LEDGER_TOKEN',
    );
    expect(pair(TOOLSPEC, entrusted)).toEqual([['auth', 'toolspec_pair_auth']]);
    expect(
      pair(replaced(TOOLSPEC, 'tools:', 'auth: { header: X, format: "{token}" }\ntools:'), entrusted),
    ).toEqual([]);
  });
});
