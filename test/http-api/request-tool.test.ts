/** The tool that sends any request: what it offers, and what it does not let a caller write. */
import { describe, expect, it } from 'vitest';
import { parseBase, requestTool, takenBy } from '../../src/http-api/index.ts';
import type { EgressRule } from '../../src/manifest/index.ts';
import { credential, faultOf, requestOf, seen } from './compiled.ts';

const RULE: EgressRule = { host: 'api.example.com', port: 443, protocol: 'https' };

function tool(rules: readonly EgressRule[] = [RULE], url = 'https://api.example.com/v1') {
  const base = parseBase(url);
  if (!base.ok) throw new Error(base.error.code);
  const credentials = [
    credential([
      { header: 'Authorization', format: 'Bearer {token}' },
      { query: 'key' },
      { form: 'secret' },
      { header: 'X-Api-Key', format: '{token}' },
    ]),
  ];
  return requestTool(rules, base.value, takenBy(credentials));
}

describe('the tool `request`', () => {
  it('offers the methods that its rules allow, and says that it only reads where that is so', () => {
    const reading = seen(tool([{ ...RULE, methods: ['GET', 'HEAD'], paths: ['/v1/a'] }]));
    expect(reading['annotations']).toEqual({ readOnlyHint: true, openWorldHint: true });
    expect(reading['description']).toContain('Methods: GET, HEAD. Only below /v1/a.');
    expect(seen(tool())['annotations']).toEqual({ readOnlyHint: false, openWorldHint: true });
    const elsewhere = seen(
      tool([
        { ...RULE, host: 'other.example.com' },
        { ...RULE, methods: ['GET'] },
      ]),
    );
    expect(elsewhere['annotations']).toEqual({ readOnlyHint: true, openWorldHint: true });
  });

  it('keeps the digits of a number that no double holds', () => {
    const query = '{"id":9007199254740993,"ids":[9007199254740995],"of":{"n":9007199254740997},"none":null}';
    const { target, fields } = requestOf(
      tool(),
      `{"method":"GET","path":"/a","query":${query},"headers":{"X-Id":9007199254740993}}`,
    );
    expect(target).toBe('/v1/a?id=9007199254740993&ids=9007199254740995&of%5Bn%5D=9007199254740997');
    expect(fields).toEqual([['X-Id', '9007199254740993']]);
  });

  it('sends what it is given', () => {
    const request = requestOf(tool(), {
      method: 'POST',
      path: '/things/a%20b',
      query: { q: 'x&y=z', list: [1, 2], deep: { a: 1 }, none: null },
      headers: { 'X-One': '1', Accept: 'application/json' },
      body: { big: 1 },
      reason: 'to see',
    });
    expect(request).toEqual({
      method: 'POST',
      scheme: 'https',
      host: 'api.example.com',
      port: 443,
      target: '/v1/things/a%20b?q=x%26y%3Dz&list=1&list=2&deep%5Ba%5D=1',
      fields: [
        ['X-One', '1'],
        ['Accept', 'application/json'],
        ['Content-Type', 'application/json'],
      ],
      body: Buffer.from('{"big":1}'),
    });
    const form = requestOf(tool(), {
      method: 'POST',
      path: '/f',
      headers: { 'content-type': 'text/plain' },
      body: 'as it is',
    });
    expect([form.fields, form.body?.toString()]).toEqual([[['Content-Type', 'text/plain']], 'as it is']);
  });

  it.each([
    ['/../admin', 'api_argument_path'],
    ['/a/../../admin', 'api_argument_path'],
    ['/%2e%2e/admin', 'api_argument_path'],
    ['/a/%2e%2e%2fb', 'api_argument_path'],
    ['/a%2f..%2f..%2fadmin', 'api_argument_path'],
    ['/a/..;/admin', 'api_argument_path'],
    ['/a//b', 'api_argument_path'],
    ['/a\\..\\b', 'api_argument_path'],
    ['/a%5c..', 'api_argument_path'],
    ['/%252e%252e/admin', 'api_argument_path'],
    ['/a%252fb', 'api_argument_path'],
    ['/a b', 'api_argument_path'],
    ['/%c0%ae%c0%ae/', 'api_argument_path'],
    ['/a%00', 'api_argument_path'],
    ['/a?x=1', 'api_request_path'],
    ['/a#x', 'api_request_path'],
    ['a', 'api_request_path'],
    ['https://evil.example/a', 'api_request_path'],
    ['//evil.example/a', 'api_argument_path'],
    ['@evil.example/', 'api_request_path'],
  ])('does not send the path %s', (path, code) => {
    expect(faultOf(tool(), { method: 'GET', path })).toBe(code);
    expect(faultOf(tool([RULE], 'https://api.example.com'), { method: 'GET', path })).toBe(code);
  });

  it.each([
    [{ method: 'get' }, 'api_request_method'],
    [{ method: 'CONNECT' }, 'api_request_method'],
    [{ method: 'GET /x HTTP/1.1' }, 'api_request_method'],
    [{ headers: { authorization: 'mine' } }, 'api_request_credential'],
    [{ headers: { X_Api_Key: 'mine' } }, 'api_request_credential'],
    [{ query: { key: 'mine' } }, 'api_request_credential'],
    [{ body: { secret: 'mine' } }, 'api_request_credential'],
    [{ headers: { Host: 'evil.example' } }, 'api_request_header'],
    [{ headers: { 'X-HTTP-Method-Override': 'DELETE' } }, 'api_request_header'],
    [{ headers: { X_HTTP_Method_Override: 'DELETE' } }, 'api_request_header'],
    [{ headers: { 'X-Original-URL': '/admin' } }, 'api_request_header'],
    [{ headers: { 'Transfer-Encoding': 'chunked' } }, 'api_request_header'],
    [{ headers: { 'Proxy-Authorization': 'x' } }, 'api_request_header'],
    [{ headers: { 'X-A: 1\r\nX-B': '2' } }, 'api_request_header'],
    [{ headers: { 'X-A': '1\r\nX-B: 2' } }, 'api_argument_header'],
    [{ headers: [] }, 'api_request_header'],
    [{ query: 'a=1' }, 'api_request_query'],
    [{ host: 'evil.example' }, 'api_argument_unknown'],
  ])('does not send %j', (over, code) => {
    expect(faultOf(tool(), { method: 'POST', path: '/a', ...over })).toBe(code);
  });
});
