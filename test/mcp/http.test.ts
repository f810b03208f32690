/** Streamable HTTP: the door, sessions, answers as JSON and as streams; raw requests, no client's help. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, type Harness, startHarness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    default: { echo: { command: fixture('echo') }, exits: { command: fixture('bad', 'exits') } },
    other: { echo: { command: fixture('echo') } },
  });
});
afterAll(() => harness.close());

const HEADERS = {
  authorization: 'Bearer good.default',
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const PATH = '/mcp/default/echo';

const post = (body: unknown, headers: Record<string, string> = {}, path = PATH, signal?: AbortSignal) =>
  fetch(harness.url + path, {
    method: 'POST',
    headers: { ...HEADERS, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });

const initialize = (id: unknown = 0) => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: { elicitation: {} },
    clientInfo: { name: 't', version: '1' },
  },
});

const open = async (headers: Record<string, string> = {}, path = PATH): Promise<string> => {
  const response = await post(initialize(), headers, path);
  expect(response.status).toBe(200);
  await response.text();
  return response.headers.get('mcp-session-id') ?? '';
};

/** A request whose Host header and path are exactly as given, which `fetch` does not allow. */
const bare = (
  headers: Record<string, string>,
  path = PATH,
  method = 'POST',
): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const req = httpRequest(harness.url, { method, path, headers: { ...HEADERS, ...headers } }, (res) => {
      let body = '';
      res.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }));
    });
    req.on('error', reject);
    req.end(JSON.stringify(initialize()));
  });

/** Reads an event stream until a message passes the test. */
async function streamed(response: Response, test: (text: string) => boolean): Promise<string[]> {
  const messages: string[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const frames = rest.split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const data = frame.split('\n').find((line) => line.startsWith('data: '));
      if (data === undefined || data === 'data: ') continue;
      messages.push(data.slice(6));
      if (test(data)) return messages;
    }
  }
  return messages;
}

describe('the door', () => {
  it('lets a right request through', async () => {
    expect((await bare({})).status).toBe(200);
    expect((await bare({ host: 'gateway.example:7800', origin: 'https://app.example' })).status).toBe(200);
    expect((await bare({ host: 'LOCALHOST', origin: 'http://127.0.0.1:3000' })).status).toBe(200);
    expect((await bare({ host: '[::1]:80' })).status).toBe(200);
  });

  it.each([
    ['no token', { authorization: '' }],
    ['another scheme', { authorization: 'Basic Z29vZA==' }],
    ['a wrong token', { authorization: 'Bearer bad.default' }],
    ['two tokens', { authorization: 'Bearer good.default good.default' }],
  ])('401 for %s, with what to do', async (_what, headers) => {
    const response = await post(initialize(), headers);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="sallyport", error="invalid_token"');
    expect(await response.json()).toMatchObject({ error: { code: 'unauthenticated' } });
  });

  it('401 for a token in the query', async () => {
    const response = await fetch(`${harness.url}${PATH}?token=good.default&access_token=good.default`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(initialize()),
    });
    expect(response.status).toBe(401);
  });

  it('429 when there were too many failures', async () => {
    expect((await post(initialize(), { authorization: 'Bearer limited' })).status).toBe(429);
  });

  it("403 for another profile's token", async () => {
    const response = await post(initialize(), { authorization: 'Bearer good.other' });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: { code: 'mcp_profile_mismatch' } });
  });

  it.each([
    ['evil.example', 'mcp_host_not_allowed'],
    ['127.0.0.1.evil.example', 'mcp_host_not_allowed'],
    ['localhost@evil.example', 'mcp_host_not_allowed'],
    ['localhost:80:80', 'mcp_host_not_allowed'],
    ['127.1', 'mcp_host_not_allowed'],
    ['0x7f000001', 'mcp_host_not_allowed'],
  ])('403 for Host %s, before the token is looked at', async (host, code) => {
    const { status, body } = await bare({ host, authorization: '' });
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ error: { code } });
  });

  it.each([
    'https://evil.example',
    'null',
    'http://localhost.evil.example',
    'file://',
    'https://app.example@evil.example',
    'garbage',
  ])('403 for Origin %s', async (origin) => {
    const { status, body } = await bare({ origin, authorization: '' });
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'mcp_origin_not_allowed' } });
  });

  it.each([
    '/',
    '/mcp',
    '/mcp/',
    '/mcp/default/echo/more',
    '/mcp/../x',
    '/mcp/default/%65cho',
    '/mcp//echo',
    '/MCP/default',
  ])('404 for the path %s', async (path) => {
    expect((await bare({}, path)).status).toBe(404);
  });

  it('415 for another content type or an encoding', async () => {
    expect((await post(initialize(), { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(initialize(), { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await post(initialize(), { 'content-type': 'application/json; charset=utf-8' })).status).toBe(
      200,
    );
  });

  it('406 where neither kind of answer is accepted', async () => {
    expect((await post(initialize(), { accept: 'text/html' })).status).toBe(406);
  });

  it('405 for other methods', async () => {
    const { status } = await bare({}, PATH, 'PUT');
    expect(status).toBe(405);
  });

  it('413 for a body over the limit, declared or not', async () => {
    const tooMuch = 'x'.repeat(33 * 1024 * 1024);
    const declared = await post(tooMuch).catch(() => null);
    expect(declared === null || declared.status === 413).toBe(true);
    expect(
      (await bare({ 'content-length': String(33 * 1024 * 1024) }).catch(() => ({ status: 413 }))).status,
    ).toBe(413);
  });

  it.each(['{', '', '{"a":1,"a":1}', '"\\ud800"'])('400 for the body %j', async (body) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32700 } });
  });

  it('400 for bytes that are not UTF-8', async () => {
    const response = await fetch(harness.url + PATH, {
      method: 'POST',
      headers: HEADERS,
      body: Buffer.from([0x22, 0xff, 0x22]),
    });
    expect(response.status).toBe(400);
  });
});

describe('sessions', () => {
  it('are made by initialize and ended by DELETE', async () => {
    const session = await open();
    expect(session).toMatch(/^[A-Za-z0-9_-]{32}$/);
    const listed = await post(
      { jsonrpc: '2.0', id: 1, method: 'prompts/list' },
      { 'mcp-session-id': session },
    );
    expect(listed.headers.get('content-type')).toBe('application/json');
    expect(await listed.json()).toMatchObject({ id: 1, result: { prompts: [{ name: 'greet' }] } });
    const deleted = await fetch(harness.url + PATH, {
      method: 'DELETE',
      headers: { ...HEADERS, 'mcp-session-id': session },
    });
    expect(deleted.status).toBe(200);
    const after = await post({ jsonrpc: '2.0', id: 2, method: 'ping' }, { 'mcp-session-id': session });
    expect(after.status).toBe(404);
  });

  it('are required, and belong to their token and endpoint', async () => {
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    expect((await post(ping)).status).toBe(400);
    expect((await post(ping, { 'mcp-session-id': 'made-up' })).status).toBe(404);
    const session = { 'mcp-session-id': await open() };
    expect((await post(ping, session)).status).toBe(200);
    expect((await post(ping, { ...session, authorization: 'Bearer other.default' })).status).toBe(404);
    expect((await post(ping, session, '/mcp/default')).status).toBe(404);
  });

  it('are not made by a handshake that fails', async () => {
    const response = await post(initialize(), {}, '/mcp/default/exits');
    expect(response.headers.get('mcp-session-id')).toBeNull();
    expect(await response.json()).toMatchObject({ error: { data: { code: 'upstream_exited' } } });
    const unknown = await post(initialize(), {}, '/mcp/default/nobody');
    expect(await unknown.json()).toMatchObject({ error: { data: { code: 'mcp_server_unknown' } } });
  });

  it('check the version header', async () => {
    const session = { 'mcp-session-id': await open() };
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    expect((await post(ping, { ...session, 'mcp-protocol-version': '2025-06-18' })).status).toBe(200);
    expect((await post(ping, { ...session, 'mcp-protocol-version': '1999-01-01' })).status).toBe(400);
  });

  it('answer notifications and responses with 202', async () => {
    const session = { 'mcp-session-id': await open() };
    expect((await post({ jsonrpc: '2.0', method: 'notifications/initialized' }, session)).status).toBe(202);
    expect((await post({ jsonrpc: '2.0', id: 99, result: {} }, session)).status).toBe(202);
  });

  it('turn an answer into a stream when progress comes first', async () => {
    const session = { 'mcp-session-id': await open() };
    const params = { name: 'progress', _meta: { progressToken: 'p' } };
    const response = await post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, session);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const messages = await streamed(response, () => false);
    expect(messages.map((text) => (JSON.parse(text) as { method?: string }).method ?? 'answer')).toEqual([
      'notifications/progress',
      'notifications/progress',
      'notifications/progress',
      'answer',
    ]);
  });

  it('give a plain answer to a client that takes no streams', async () => {
    const session = { 'mcp-session-id': await open() };
    const params = { name: 'progress', _meta: { progressToken: 'p' } };
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
    const response = await post(body, { ...session, accept: 'application/json' });
    expect(await response.json()).toMatchObject({ id: 1, result: { content: [{ text: 'done' }] } });
  });

  it('answer a batch as one', async () => {
    const session = { 'mcp-session-id': await open() };
    const batch = [
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 2, method: 'prompts/list' },
    ];
    const answers = (await (await post(batch, session)).json()) as { id: number }[];
    expect(answers.map(({ id }) => id).sort((a, b) => a - b)).toEqual([1, 2]);
    expect((await post([initialize(1), initialize(2)])).status).toBe(400);
  });

  it('carry list changes and server requests on the GET stream', async () => {
    const id = await open();
    const session = { 'mcp-session-id': id };
    const stream = await fetch(harness.url + PATH, { headers: { ...HEADERS, ...session } });
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    const waiting = streamed(stream, (text) => text.includes('list_changed'));
    await post({ jsonrpc: '2.0', id: 1, method: 'x-vendor/change' }, session);
    expect((await waiting).at(-1)).toContain('notifications/tools/list_changed');
  });

  it('give nobody the answer to a request whose client went away: its id is in flight until it is answered', async () => {
    // Without a stream, on which an answer could be come back for.
    const session = { 'mcp-session-id': await open(), accept: 'application/json' };
    const call = (name: string, signal?: AbortSignal) =>
      post({ jsonrpc: '2.0', id: 'same', method: 'tools/call', params: { name } }, session, PATH, signal);
    const leaving = new AbortController();
    const before = harness.calls.length;
    const left = call('wait', leaving.signal).catch(() => 'left');
    await expect.poll(() => harness.calls.length, { timeout: 10_000 }).toBe(before + 1);
    leaving.abort();
    expect(await left).toBe('left');
    // Once the gateway has noticed it the response waits for nothing; the request does.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = await call('write');
    expect([second.status, await second.json()]).toMatchObject([400, { error: { code: 'mcp_id_in_use' } }]);
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'same' } };
    await post(cancelled, session);
    await expect.poll(async () => (await call('write')).status, { timeout: 10_000 }).toBe(200);
  });

  it('keep a request with an id in flight from being sent again', async () => {
    const session = { 'mcp-session-id': await open() };
    const abort = new AbortController();
    const wait = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'wait', arguments: { label: 'h' } },
    };
    const first = post(wait, session, PATH, abort.signal).catch(() => null);
    await first.then((response) => response?.status);
    const second = await post({ jsonrpc: '2.0', id: 1, method: 'ping' }, session);
    expect(second.status).toBe(400);
    expect(await second.json()).toMatchObject({ error: { code: 'mcp_id_in_use' } });
    abort.abort();
  });

  it('end with the kill of their token, streams included', async () => {
    const id = await open({ authorization: 'Bearer other.default' });
    const session = { authorization: 'Bearer other.default', 'mcp-session-id': id };
    const stream = await fetch(harness.url + PATH, { headers: { ...HEADERS, ...session } });
    const ended = streamed(stream, () => false);
    harness.kill('other');
    await ended;
    harness.resume('other');
    expect((await post({ jsonrpc: '2.0', id: 1, method: 'ping' }, session)).status).toBe(404);
  });
});
