/** What a client says of itself, and what came beside its message, goes with each of its requests to the server's connection. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UpstreamConnection } from '../../src/mcp/upstream/upstream-connection.ts';
import type { OutgoingRequest } from '../../src/mcp/upstream/waiting-request.ts';
import { fixture, type Harness, principal, startHarness } from './harness.ts';

let harness: Harness;
/** What connections were asked to send, in order. */
const sent: OutgoingRequest[] = [];
const requests = Object.getOwnPropertyDescriptor(UpstreamConnection.prototype, 'request');
Object.defineProperty(UpstreamConnection.prototype, 'request', {
  value(this: UpstreamConnection, request: OutgoingRequest): unknown {
    sent.push(request);
    return Reflect.apply(requests?.value, this, [request]);
  },
});
beforeAll(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo') } } });
});
beforeEach(() => sent.splice(0));
afterAll(() => harness.close());

const CALL = { name: 'echo', arguments: { text: 'x' } };
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { sampling: { tools: {} } },
  'io.modelcontextprotocol/clientInfo': { name: 'new', version: '2' },
  'io.modelcontextprotocol/logLevel': 'error',
};

/** The last request of this method that was sent to a server. */
const lastOf = (method: string): OutgoingRequest | undefined =>
  sent.findLast(({ message }) => message.method === method);

const post = (path: string, body: object, headers: Record<string, string>): Promise<Response> =>
  fetch(harness.url + path, {
    method: 'POST',
    headers: {
      authorization: 'Bearer good.default',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
  });

describe.each([
  ['one server', 'echo', 'echo'],
  ['a whole profile', undefined, 'echo__echo'],
])('at the endpoint of %s', (_which, server, name) => {
  const endpoint = { profile: 'default', ...(server === undefined ? {} : { server }) };
  const path = server === undefined ? '/mcp/default' : `/mcp/default/${server}`;
  const call = { method: 'tools/call', params: { ...CALL, name } };

  it('comes from the handshake of a session, with the log level that it set since', async () => {
    const client = harness.stdio(principal('good', 'default'), endpoint);
    await client.initialize({ roots: { listChanged: true } });
    await client.request(1, 'tools/call', call.params);
    expect(lastOf('tools/call')?.client).toEqual({
      era: 'session',
      capabilitiesText: '{"roots":{"listChanged":true}}',
      infoText: '{"name":"test","version":"1"}',
      logLevel: null,
      session: expect.any(Symbol),
    });
    const { session } = lastOf('tools/call')?.client ?? {};
    await client.request(2, 'logging/setLevel', { level: 'warning' });
    await client.request(3, 'tools/call', call.params);
    expect(lastOf('tools/call')?.client).toMatchObject({ era: 'session', logLevel: 'warning', session });
    expect([...(lastOf('tools/call')?.carried?.paramHeaders ?? [])]).toEqual([]);
    client.end();
    await client.closed;
  });

  it('comes from the envelope of the request itself, whatever an earlier one said', async () => {
    const client = harness.stdio(principal('good', 'default'), endpoint);
    await client.request(1, 'tools/call', { ...call.params, _meta: META });
    expect(lastOf('tools/call')?.client).toEqual({
      era: 'stateless',
      capabilitiesText: '{"sampling":{"tools":{}}}',
      infoText: '{"name":"new","version":"2"}',
      logLevel: 'error',
    });
    const bare = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    await client.request(2, 'tools/call', { ...call.params, _meta: bare });
    expect(lastOf('tools/call')?.client).toEqual({
      era: 'stateless',
      capabilitiesText: '{}',
      infoText: null,
      logLevel: null,
    });
    client.end();
    await client.closed;
  });

  it('has the headers that repeat parameters beside it', async () => {
    const response = await post(
      path,
      { ...call, params: { ...call.params, _meta: META } },
      {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': name,
        'Mcp-Param-Region': 'eu-west',
        'mcp-param-text': '=?base64?eA==?=',
      },
    );
    expect(response.status).toBe(200);
    const request = lastOf('tools/call');
    expect([...(request?.carried?.paramHeaders ?? [])]).toEqual([
      ['region', 'eu-west'],
      ['text', '=?base64?eA==?='],
    ]);
    expect(request?.client).toMatchObject({ era: 'stateless', infoText: '{"name":"new","version":"2"}' });
  });
});

it('is absent where the gateway asks for itself', async () => {
  await harness.front.listTools(principal('0', null), 'echo');
  expect(lastOf('tools/list')).toBeDefined();
  expect(lastOf('tools/list')?.client).toBeUndefined();
});
