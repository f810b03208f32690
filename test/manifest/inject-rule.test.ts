import { describe, expect, it } from 'vitest';
import { type InjectRule, manifestHash, parseManifest, writeManifest } from '../../src/manifest/index.ts';
import { VERSION_2 } from './documents.ts';

const GIVEN = 'inject: [ { header: Authorization, format: "Bearer {token}" } ]';

const read = (inject: string, placeholder = 'ghp_{alnum:36}'): ReturnType<typeof parseManifest> =>
  parseManifest(VERSION_2.replace(GIVEN, `inject: [ ${inject} ]`).replace('ghp_{alnum:36}', placeholder), {
    file: 'm.yaml',
  });
const codesOf = (inject: string, placeholder?: string): string[] =>
  read(inject, placeholder).errors.map(({ code }) => code);

const PLACES: readonly [written: string, rule: InjectRule][] = [
  ['{ header: X-Key }', { header: 'X-Key', format: '{token}' }],
  ['{ basic: password }', { basic: 'password' }],
  ['{ query: api_key }', { query: 'api_key' }],
  ['{ cookie: __Host-sid }', { cookie: '__Host-sid' }],
  ['{ path: "/bot{token}" }', { path: '/bot{token}' }],
  ['{ path: "/v1/*/keys/{token}/x" }', { path: '/v1/*/keys/{token}/x' }],
  ['{ json: /auth/token }', { json: '/auth/token' }],
  ['{ form: "user[key]" }', { form: 'user[key]' }],
  ['{ multipart: api_key }', { multipart: 'api_key' }],
  ['{ websocket: text }', { websocket: 'text', format: '{token}' }],
  ['{ websocket: text, format: "AUTH {token}" }', { websocket: 'text', format: 'AUTH {token}' }],
  ['{ websocket: /d/token }', { websocket: '/d/token' }],
  [
    '{ hmac: { header: X-Signature, over: body } }',
    {
      hmac: {
        header: 'X-Signature',
        format: '{signature}',
        over: 'body',
        algorithm: 'sha256',
        encoding: 'hex',
      },
    },
  ],
  [
    '{ hmac: { header: X-S, format: "sha1={signature}", over: body, algorithm: sha1, encoding: base64 } }',
    {
      hmac: {
        header: 'X-S',
        format: 'sha1={signature}',
        over: 'body',
        algorithm: 'sha1',
        encoding: 'base64',
      },
    },
  ],
];

const BROKEN: readonly [written: string, code: string][] = [
  ['{ cookie: "a b" }', 'manifest_cookie_name'],
  ['{ cookie: "a;b" }', 'manifest_cookie_name'],
  ['{ cookie: sid, format: "{token}" }', 'manifest_inject_kind'],
  ['{ cookie: a, form: b }', 'manifest_inject_kind'],
  ['{ form: "a b" }', 'manifest_form_field'],
  ["{ form: 'a\"b' }", 'manifest_form_field'],
  ['{ form: "é" }', 'manifest_form_field'],
  ['{ multipart: "" }', 'manifest_form_field'],
  ['{ multipart: "a\\\\b" }', 'manifest_form_field'],
  ['{ path: "bot{token}" }', 'manifest_path_template'],
  ['{ path: "/bot" }', 'manifest_path_template'],
  ['{ path: "/{token}/{token}" }', 'manifest_path_template'],
  ['{ path: "/../{token}" }', 'manifest_path_template'],
  ['{ path: "/a*/{token}" }', 'manifest_path_template'],
  ['{ path: "/{token}?x" }', 'manifest_path_template'],
  ['{ path: "/{user}/{token}" }', 'manifest_path_template'],
  ['{ path: "/{token}/" }', 'manifest_path_template'],
  ['{ websocket: token }', 'manifest_json_pointer'],
  ['{ websocket: /t, format: "{token}" }', 'manifest_inject_kind'],
  ['{ websocket: text, format: "AUTH" }', 'manifest_format_token'],
  ['{ hmac: X-Signature }', 'manifest_wrong_type'],
  ['{ hmac: { header: X-S } }', 'manifest_missing_key'],
  ['{ hmac: { over: body } }', 'manifest_missing_key'],
  ['{ hmac: { header: X-S, over: path } }', 'manifest_unknown_choice'],
  ['{ hmac: { header: Host, over: body } }', 'manifest_header_reserved'],
  ['{ hmac: { header: X-S, over: body, format: "{token}" } }', 'manifest_format_token'],
  ['{ hmac: { header: X-S, over: body, algorithm: md4 } }', 'manifest_unknown_choice'],
  ['{ hmac: { header: X-S, over: body, encoding: hax } }', 'manifest_unknown_choice'],
  ['{ header: X-S }, { hmac: { header: x-s, over: body } }', 'manifest_repeated'],
  ['{ websocket: /t }, { websocket: /t }', 'manifest_repeated'],
];

describe('a place for a credential', () => {
  it.each(PLACES)('%s is read, written and read again', (written, rule) => {
    const { manifest, errors, hash } = read(written);
    expect(errors).toEqual([]);
    expect(manifest?.credentials[0]?.inject).toEqual([rule]);
    if (manifest === undefined) throw new Error('no manifest');
    const again = parseManifest(writeManifest(manifest), { file: 'm.yaml' });
    expect(again.manifest).toEqual(manifest);
    expect(again.manifest === undefined ? '' : manifestHash(again.manifest)).toBe(hash);
  });

  it.each(BROKEN)('%s is refused as %s', (written, code) => {
    expect(codesOf(written)).toContain(code);
  });

  it.each([
    ['{ cookie: sid }', 'a;{alnum:36}'],
    ['{ cookie: sid }', 'a,{alnum:36}'],
    ['{ path: "/bot{token}" }', 'a/{alnum:36}'],
    ['{ path: "/bot{token}" }', '{alnum:36}#'],
    ['{ basic: user }', 'a:{alnum:36}'],
  ])('%s does not take a placeholder of the shape %s', (written, placeholder) => {
    expect(codesOf(written, placeholder)).toEqual(['manifest_placeholder_place']);
  });

  it.each([
    ['{ basic: password }', 'a:{alnum:36}'],
    ['{ path: "/bot{token}" }', '{digit:10}:{alnum:35}'],
    ['{ header: X }', 'a;{alnum:36}'],
  ])('%s takes one of the shape %s', (written, placeholder) => {
    expect(codesOf(written, placeholder)).toEqual([]);
  });
});
