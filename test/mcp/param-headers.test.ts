/** Parameters repeated in headers: what definitions may say of them, how values are written, and calls over HTTP. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeHeaderValue } from '../../src/mcp/protocol/header-value.ts';
import {
  headerDeclarationFault,
  paramHeaderFault,
  paramHeadersOf,
} from '../../src/mcp/protocol/param-headers.ts';
import { silentLog } from '../../src/kernel/index.ts';
import { fixture, type Harness, principal, startHarness } from './harness.ts';

const wrapped = (value: string): string => `=?base64?${Buffer.from(value).toString('base64')}?=`;

describe('a value in a header', () => {
  it.each([
    ['us-west1', 'us-west1'],
    ['=?base64?SGVsbG8sIOS4lueVjA==?=', 'Hello, 世界'],
    ['=?base64?IHBhZGRlZCA=?=', ' padded '],
    ['=?base64?bGluZTEKbGluZTI=?=', 'line1\nline2'],
    ['=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=', '=?base64?literal?='],
    ['=?base64??=', ''],
    ['', ''],
    ['SGVsbG8=', 'SGVsbG8='],
    ['=?base64?SGVsbG8=', '=?base64?SGVsbG8='],
    ['=?BASE64?SGVsbG8=?=', '=?BASE64?SGVsbG8=?='],
  ])('%j says %j', (header, value) => {
    expect(decodeHeaderValue(header)).toBe(value);
  });

  it.each([
    ['no padding', '=?base64?SGVsbG8?='],
    ['other characters', '=?base64?SGVs!!!bG8=?='],
    ['the alphabet of addresses', '=?base64?_-8=?='],
    ['bits that are no byte', '=?base64?SGVsbG9=?='],
    ['bytes that are not UTF-8', '=?base64?/w==?='],
    ['a line break', 'a\nb'],
    ['bytes above ASCII', 'caf\u00e9'],
    ['a NUL', 'a\u0000'],
  ])('has one reading only: %s', (_what, header) => {
    expect(decodeHeaderValue(header)).toBeNull();
  });

  it('comes back from base64 as it went in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(decodeHeaderValue(wrapped(value))).toBe(Buffer.from(value).toString());
      }),
    );
  });
});

const tool = (properties: object, more: object = {}): string =>
  JSON.stringify({ name: 't', inputSchema: { type: 'object', properties, ...more } });
const mark = (name: unknown, type: unknown = 'string') => ({ type, 'x-mcp-header': name });

describe('a definition', () => {
  it.each([
    ['nothing', tool({ a: { type: 'string' } })],
    ['no schema', '{"name":"t"}'],
    ['one parameter of each type', tool({ a: mark('A'), b: mark('B', 'integer'), c: mark('C', 'boolean') })],
    ['a nested one', tool({ a: { type: 'object', properties: { b: mark('B') } } })],
    ['the key as a name of a parameter', tool({ 'x-mcp-header': { type: 'string' } })],
    ['the key in an example', tool({ a: { type: 'object', default: mark('A'), examples: [mark('')] } })],
  ])('may declare %s', (_what, text) => {
    expect(headerDeclarationFault(text)).toBeNull();
  });

  it.each([
    ['no name', tool({ a: mark('') }), 'no header name'],
    ['a name that is no string', tool({ a: mark(1) }), 'no header name'],
    ['a space in the name', tool({ a: mark('A B') }), 'no header name'],
    ['a line break in the name', tool({ a: mark('A\r\nX') }), 'no header name'],
    ['a colon in the name', tool({ a: mark('A:') }), 'no header name'],
    ['one name twice', tool({ a: mark('Aa'), b: mark('aA') }), 'two parameters'],
    ['a number', tool({ a: mark('A', 'number') }), 'no string, integer or boolean'],
    ['an object', tool({ a: mark('A', 'object') }), 'no string, integer or boolean'],
    ['several types', tool({ a: mark('A', ['string', 'null']) }), 'no string, integer or boolean'],
    ['the whole of it', tool({}, { 'x-mcp-header': 'A' }), 'no certain parameter'],
    ['items', tool({ a: { type: 'array', items: mark('A') } }), 'no certain parameter'],
    ['a branch', tool({}, { oneOf: [{ properties: { a: mark('A') } }] }), 'no certain parameter'],
    ['a condition', tool({}, { else: { properties: { a: mark('A') } } }), 'no certain parameter'],
    ['a definition that is referred to', tool({}, { $defs: { d: mark('A') } }), 'no certain parameter'],
    ['names by pattern', tool({}, { patternProperties: { '^a': mark('A') } }), 'no certain parameter'],
    [
      'the key written with an escape',
      tool({ a: mark('') }).replace('x-mcp', '\\u0078-mcp'),
      'no header name',
    ],
  ])('may not declare %s', (_what, text, fault) => {
    expect(headerDeclarationFault(text)).toContain(fault);
  });

  it('may be nested as deep as parameters are, and is read however deep it is', () => {
    const nested = (depth: number, inner: string): string =>
      `{"name":"t","inputSchema":${'{"properties":{"a":'.repeat(depth)}${inner}${'}}'.repeat(depth)}}`;
    expect(headerDeclarationFault(nested(32, JSON.stringify(mark('A'))))).toBeNull();
    expect(headerDeclarationFault(nested(33, JSON.stringify(mark('A'))))).toContain('no certain parameter');
    expect(headerDeclarationFault(nested(20_000, '{"x-mcp-header":""}'))).toContain('no certain parameter');
  });
});

const TOOL = tool({
  region: mark('Region'),
  count: mark('Count', 'integer'),
  sure: mark('Sure', 'boolean'),
  where: { type: 'object', properties: { zone: mark('Zone') } },
});
const fault = (given: object | null, headers: Record<string, string>): string | null =>
  paramHeaderFault(TOOL, given === null ? null : JSON.stringify(given), {
    paramHeaders: new Map(Object.entries(headers)),
  });

describe('headers beside a call', () => {
  it.each([
    ['nothing', null, {}],
    ['null', { region: null }, {}],
    ['a string', { region: 'eu' }, { region: 'eu' }],
    ['a string in base64', { region: 'ü' }, { region: wrapped('ü') }],
    ['an integer', { count: 42 }, { count: '42' }],
    ['an integer written otherwise', { count: 42 }, { count: '42.0' }],
    ['a truth', { sure: false }, { sure: 'false' }],
    ['a nested value', { where: { zone: 'a' } }, { zone: 'a' }],
    ['a value that no header can repeat', { region: { a: 1 }, count: 2 ** 53 }, {}],
    ['a header that nobody declared', { region: 'eu' }, { region: 'eu', other: 'x' }],
  ])('may repeat %s', (_what, given, headers) => {
    expect(fault(given, headers)).toBeNull();
  });

  it.each([
    ['nothing of what is there', { region: 'eu' }, {}, 'Mcp-Param-Region header is absent'],
    ['something else', { region: 'eu' }, { region: 'us' }, 'says something else'],
    ['another case', { region: 'eu' }, { region: 'EU' }, 'says something else'],
    ['what is not there', {}, { region: 'eu' }, 'does not have'],
    ['what is null', { region: null }, { region: 'eu' }, 'does not have'],
    ['what an object inherits', { where: {} }, { zone: 'constructor' }, 'does not have'],
    ['base64 that is none', { region: 'Hello' }, { region: '=?base64?SGVsbG8?=' }, 'no value is written'],
    ['another integer', { count: 42 }, { count: '43' }, 'says something else'],
    ['an integer in hexadecimal', { count: 16 }, { count: '0x10' }, 'says something else'],
    ['an integer with spaces', { count: 0 }, { count: ' ' }, 'says something else'],
    [
      'an integer that is not exact',
      { count: 2 ** 53 },
      { count: '9007199254740993' },
      'says something else',
    ],
    ['a string as a number', { count: '42' }, { count: '42.0' }, 'says something else'],
    ['two values', { region: 'eu' }, { region: 'eu, us' }, 'says something else'],
  ])('may not repeat %s', (_what, given, headers, why) => {
    expect(fault(given, headers)).toContain(why);
  });

  it('are made of a call for a server elsewhere, and agree with it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.maxSafeInteger(),
        fc.boolean(),
        (region, count, sure) => {
          const given = { region: Buffer.from(region).toString(), count, sure, where: { zone: null } };
          const made = paramHeadersOf(TOOL, JSON.stringify(given));
          expect([...made.keys()].toSorted()).toEqual(['count', 'region', 'sure']);
          for (const value of made.values())
            expect(value).toMatch(/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/);
          expect(fault(given, Object.fromEntries(made))).toBeNull();
        },
      ),
    );
    expect(paramHeadersOf(TOOL, null).size).toBe(0);
    expect(paramHeadersOf(tool({ a: mark('no name') }), '{"a":"x"}').size).toBe(0);
  });

  it('agree with every string, written as a client must', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (region) => {
        const stored = Buffer.from(region).toString();
        expect(fault({ region: stored }, { region: wrapped(stored) })).toBeNull();
        expect(fault({ region: `${stored}x` }, { region: wrapped(stored) })).not.toBeNull();
      }),
    );
  });
});

describe.each([
  ['one server', '/mcp/default/mirrored', ''],
  ['a whole profile', '/mcp/default', 'mirrored__'],
])('over HTTP, at the endpoint of %s', (_which, path, prefix) => {
  let harness: Harness;
  let warned: unknown[] = [];
  beforeAll(async () => {
    warned = [];
    const log = { ...silentLog, warn: (event: string, facts?: object) => void warned.push([event, facts]) };
    harness = await startHarness({ default: { mirrored: { command: fixture('mirrored') } } }, { log });
  });
  afterAll(() => harness.close());

  const META = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'new', version: '2' },
  };
  const post = async (body: object, headers: Record<string, string>) => {
    const response = await fetch(harness.url + path, {
      method: 'POST',
      headers: {
        authorization: 'Bearer good.default',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
    });
    return {
      status: response.status,
      session: response.headers.get('mcp-session-id'),
      body: await response.json(),
    };
  };
  const modern = (method: string, params: object, headers: Record<string, string> = {}) =>
    post(
      { method, params: { ...params, _meta: META } },
      { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...headers },
    );
  const call = (name: string, given: object, headers: Record<string, string> = {}) =>
    modern(
      'tools/call',
      { name: prefix + name, arguments: given },
      { 'mcp-name': prefix + name, ...headers },
    );

  it('a call whose headers and body agree goes to the server', async () => {
    const { status, body } = await call(
      'query',
      { region: 'eu', count: 3 },
      {
        'Mcp-Param-Region': 'eu',
        'MCP-PARAM-COUNT': '3',
      },
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ result: { got: { region: 'eu', count: 3 } } });
    expect((await call('plain', { region: 'eu' }, { 'Mcp-Param-Region': 'us' })).status).toBe(200);
  });

  it('one whose headers say something else is refused, and recorded as refused', async () => {
    const before = harness.calls.length;
    const { status, body } = await call('query', { region: 'eu' }, { 'Mcp-Param-Region': 'us' });
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: { code: -32020, data: { code: 'mcp_header_mismatch' } } });
    expect((await call('query', { region: 'eu' })).status).toBe(400);
    expect(harness.calls.length).toBe(before);
    expect(harness.audit.at(-1)).toBe('refused mirrored query mcp_header_mismatch');
  });

  it('a tool that declares headers wrongly is not listed, and that is told once', async () => {
    await modern('tools/list', {});
    const { body } = await modern('tools/list', {});
    const names = (body as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name);
    expect(names).toEqual([`${prefix}query`, `${prefix}plain`]);
    expect(warned).toEqual([
      [
        'mcp.tool.left_out',
        {
          server: 'mirrored',
          tool: 'wrong',
          reason: 'x-mcp-header stands where it names no certain parameter of the call',
        },
      ],
    ]);
  });

  it('nothing of this concerns a client of an older revision, or one without headers', async () => {
    const handshake = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    };
    const { session } = await post({ method: 'initialize', params: handshake }, {});
    const headers = { 'mcp-session-id': session ?? '', 'Mcp-Param-Region': 'us' };
    const listed = await post({ method: 'tools/list' }, headers);
    expect((listed.body as { result: { tools: unknown[] } }).result.tools).toHaveLength(3);
    const params = { name: `${prefix}query`, arguments: { region: 'eu' } };
    expect(await post({ method: 'tools/call', params }, headers)).toMatchObject({ body: { result: {} } });
    const endpoint = { profile: 'default', ...(prefix === '' ? { server: 'mirrored' } : {}) };
    const client = harness.stdio(principal('good', 'default'), endpoint);
    expect(await client.request(1, 'tools/call', { ...params, _meta: META })).toMatchObject({ result: {} });
    expect(await client.request(2, 'tools/list', { _meta: META })).toMatchObject({
      result: { tools: [{}, {}, {}] },
    });
    client.end();
    await client.closed;
  });
});
