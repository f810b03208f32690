/** The SDK's own client, both protocol eras, over HTTP and over a socket with lines. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import * as sdk from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as protocol from '../../src/mcp/protocol/protocol.ts';
import { fixture, type Harness, principal, startHarness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    default: { echo: { command: fixture('echo'), tools: '*' }, old: { command: fixture('old') } },
  });
});
afterAll(() => harness.close());

const transport = (path: string) =>
  new StreamableHTTPClientTransport(new URL(harness.url + path), {
    requestInit: { headers: { authorization: 'Bearer good.default' } },
  });

const client = (mode: 'legacy' | 'auto' | { pin: string } = 'legacy', capabilities = {}) =>
  new Client({ name: 'test', version: '1.0.0' }, { capabilities, versionNegotiation: { mode } });

describe('names and versions', () => {
  it("are the SDK's", () => {
    expect(protocol.SESSION_VERSIONS).toEqual(sdk.SUPPORTED_PROTOCOL_VERSIONS);
    expect(protocol.LATEST_SESSION_VERSION).toBe(sdk.LATEST_PROTOCOL_VERSION);
    expect(protocol.metaKey).toEqual({
      protocolVersion: sdk.PROTOCOL_VERSION_META_KEY,
      clientInfo: sdk.CLIENT_INFO_META_KEY,
      clientCapabilities: sdk.CLIENT_CAPABILITIES_META_KEY,
      logLevel: sdk.LOG_LEVEL_META_KEY,
      serverInfo: sdk.SERVER_INFO_META_KEY,
      subscriptionId: sdk.SUBSCRIPTION_ID_META_KEY,
    });
  });
});

describe.each([
  ['a session', 'legacy' as const],
  ['no session', { pin: '2026-07-28' }],
  ['negotiation', 'auto' as const],
])('over Streamable HTTP with %s', (_what, mode) => {
  it('one server: lists and calls', async () => {
    const sdkClient = client(mode);
    await sdkClient.connect(transport('/mcp/default/echo'));
    expect(sdkClient.getServerVersion()).toMatchObject({ name: 'echo' });
    const { tools } = await sdkClient.listTools();
    expect(tools.map(({ name }) => name)).toContain('write');
    expect(await sdkClient.callTool({ name: 'write', arguments: {} })).toMatchObject({
      isError: true,
      content: [{ type: 'text', text: 'called write' }],
    });
    expect((await sdkClient.listPrompts()).prompts).toMatchObject([{ name: 'greet' }]);
    expect(await sdkClient.readResource({ uri: 'echo://one' })).toMatchObject({
      contents: [{ text: 'echo echo://one' }],
    });
    await sdkClient.close();
  });

  it('a whole profile: lists and calls', async () => {
    const sdkClient = client(mode);
    await sdkClient.connect(transport('/mcp/default'));
    const { tools } = await sdkClient.listTools();
    expect(tools.map(({ name }) => name)).toContain('old__hello');
    expect(await sdkClient.callTool({ name: 'old__hello', arguments: {} })).toMatchObject({
      content: [{ text: 'hello' }],
    });
    expect(await sdkClient.readResource({ uri: 'echo://one' })).toMatchObject({
      contents: [{ text: 'echo echo://one' }],
    });
    await sdkClient.close();
  });

  it('progress, and errors with their code', async () => {
    const sdkClient = client(mode);
    await sdkClient.connect(transport('/mcp/default/echo'));
    const steps: number[] = [];
    await sdkClient.callTool(
      { name: 'progress', arguments: {} },
      { onprogress: ({ progress }) => void steps.push(progress) },
    );
    expect(steps).toEqual([1, 2, 3]);
    await expect(sdkClient.callTool({ name: 'fail', arguments: {} })).rejects.toMatchObject({ code: -32042 });
    await expect(sdkClient.callTool({ name: 'made-up', arguments: {} })).rejects.toMatchObject({
      code: -32602,
    });
    await sdkClient.close();
  });

  it('cancellation reaches the server', async () => {
    const sdkClient = client(mode);
    await sdkClient.connect(transport('/mcp/default/echo'));
    const abort = new AbortController();
    const label = `cancel ${JSON.stringify(mode)}`;
    const call = sdkClient.callTool({ name: 'wait', arguments: { label } }, { signal: abort.signal });
    const outcome = call.catch(() => 'aborted');
    while (!harness.calls.some(({ tool }) => tool === 'wait'))
      await new Promise((resolve) => setImmediate(resolve));
    await sdkClient.callTool({ name: 'seen', arguments: {} });
    abort.abort();
    expect(await outcome).toBe('aborted');
    let seen = '';
    while (!seen.includes(`cancelled ${label}`.replaceAll('"', '\\"'))) {
      seen = await harness.front.callTool(principal('uid', null), null, 'echo', 'seen', '{}').then((text) => {
        const parsed = JSON.parse(text) as { content: [{ text: string }] };
        return parsed.content[0].text;
      });
    }
    await sdkClient.close();
  });
});

describe('elicitation over Streamable HTTP', () => {
  it.each([
    ['of a session', 'legacy' as const],
    ['of no session', { pin: '2026-07-28' }],
    ['that negotiates', 'auto' as const],
  ])('reaches the client %s and comes back', async (_which, mode) => {
    const sdkClient = client(mode, { elicitation: { form: {} } });
    sdkClient.setRequestHandler('elicitation/create', async () => ({
      action: 'accept',
      content: { name: 'Ada' },
    }));
    await sdkClient.connect(transport('/mcp/default/echo'));
    const result = await sdkClient.callTool({ name: 'ask', arguments: {} });
    expect(JSON.stringify(result)).toContain('Ada');
    await sdkClient.close();
  });
});

describe('the stateless revision, on the wire', () => {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    'x-mine': 1,
  };
  const post = (
    message: { id?: number; method: string; params?: Record<string, unknown> },
    headers: Record<string, string> = {},
  ) =>
    fetch(`${harness.url}/mcp/default/echo`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer good.default',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': message.method,
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message, params: { _meta: meta, ...message.params } }),
    });

  it('takes the envelope off and adds what results must have', async () => {
    const call = { id: 1, method: 'tools/call', params: { name: 'echo', arguments: { a: 1 } } };
    const text = await (await post(call, { 'mcp-name': 'echo' })).text();
    expect(text).toContain('"resultType":"complete"');
    expect(text).toContain('12345678901234567890');
    const { line } = (JSON.parse(text) as { result: { line: string } }).result;
    expect(JSON.parse(line)).toMatchObject({ params: { _meta: { 'x-mine': 1 } } });
    expect(line).not.toContain('io.modelcontextprotocol');
    const list = await (await post({ id: 2, method: 'tools/list' })).json();
    expect(list).toMatchObject({ result: { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } });
  });

  it('says what the server is', async () => {
    expect(await (await post({ id: 1, method: 'server/discover' })).json()).toMatchObject({
      result: {
        supportedVersions: ['2026-07-28'],
        capabilities: { 'x-capability': { a: 1 } },
        instructions: 'I am echo',
        _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'echo', 'x-build': 7 } },
      },
    });
  });

  it.each([
    ['initialize', 404],
    ['ping', 404],
    ['logging/setLevel', 404],
    ['x-vendor/unknown', 404],
  ])('404 for %s', async (method, status) => {
    const response = await post({ id: 1, method });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ id: 1, error: { code: -32601 } });
  });

  it('400 where headers and body disagree', async () => {
    const call = { id: 1, method: 'tools/call', params: { name: 'echo' } };
    const wrong: Record<string, string>[] = [
      {},
      { 'mcp-name': 'write' },
      { 'mcp-name': 'echo', 'mcp-method': 'tools/list' },
    ];
    for (const headers of wrong) {
      const response = await post(call, headers);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ id: 1, error: { code: -32020 } });
    }
    expect(
      (await post(call, { 'mcp-name': `=?base64?${Buffer.from('echo').toString('base64')}?=` })).status,
    ).toBe(200);
  });

  it('400 for a revision that is not served, with those that are', async () => {
    const params = { _meta: { ...meta, 'io.modelcontextprotocol/protocolVersion': '2027-01-01' } };
    const response = await post(
      { id: 1, method: 'tools/list', params },
      { 'mcp-protocol-version': '2027-01-01' },
    );
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: -32022, data: { supported: ['2026-07-28'], requested: '2027-01-01' } },
    });
  });

  it('streams the changes that were asked for, marked with the subscription', async () => {
    const params = { notifications: { toolsListChanged: true } };
    const response = await post({ id: 77, method: 'subscriptions/listen', params });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    const next = async () => new TextDecoder().decode((await reader.read()).value);
    expect(await next()).toContain(
      '"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":77}',
    );
    await post({ id: 78, method: 'x-vendor/change' });
    expect(await next()).toContain('"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":77}},');
    await reader.cancel();
  });
});

describe('over a local socket', () => {
  it.each([['legacy' as const], ['auto' as const]])('%s: lists and calls', async (mode) => {
    const server = createServer((socket) => {
      harness.front.connectStdio(socket, principal('tok_1', 'default'), {
        profile: 'default',
        server: 'echo',
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const socket: Socket = connect(
      typeof address === 'object' && address !== null ? address.port : 0,
      '127.0.0.1',
    );
    await once(socket, 'connect');
    const sdkClient = client(mode);
    // The transport only reads lines from one stream and writes them to another, which is all that is needed here.
    await sdkClient.connect(new StdioServerTransport(socket, socket));
    expect((await sdkClient.listTools()).tools).toHaveLength(10);
    expect(await sdkClient.callTool({ name: 'write', arguments: {} })).toMatchObject({ isError: true });
    await sdkClient.close();
    socket.destroy();
    server.close();
  });
});
