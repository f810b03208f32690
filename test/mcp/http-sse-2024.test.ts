/** Revision 2024-11-05 over HTTP: a stream that says where to POST to, at the address of every other revision. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Client, SSEClientTransport } from '@modelcontextprotocol/client';
import { limits } from '../../src/kernel/index.ts';
import { fixture, type Harness, startHarness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo') } } });
});
afterEach(() => harness.endToken('good', Infinity));
afterAll(() => harness.close());

const PATH = '/mcp/default/echo';
const GOOD = { authorization: 'Bearer good.default' };
const OTHER = { authorization: 'Bearer other.default' };

interface LegacyStream {
  readonly status: number;
  readonly endpoint: string;
  /** The next message that passes. */
  message(test: (message: { id?: unknown; method?: string }) => boolean): Promise<object>;
  readonly ended: Promise<void>;
  close(): void;
}

async function open(path = PATH, headers: Record<string, string> = GOOD): Promise<LegacyStream> {
  const abort = new AbortController();
  const response = await fetch(harness.url + path, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: abort.signal,
  });
  const seen: object[] = [];
  const waiting = new Set<() => void>();
  const endpoint = Promise.withResolvers<string>();
  const read = async (): Promise<void> => {
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1] ?? '';
        if (frame.startsWith('event: endpoint')) endpoint.resolve(data);
        else if (frame.startsWith('event: message')) seen.push(JSON.parse(data) as object);
      }
      for (const wake of waiting) wake();
    }
  };
  const ended = read().catch(() => undefined);
  return {
    status: response.status,
    endpoint: response.status === 200 ? await endpoint.promise : '',
    ended,
    close: () => abort.abort(),
    message: (test) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = seen.find(test);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

const post = (endpoint: string, body: object, headers: Record<string, string> = GOOD): Promise<Response> =>
  fetch(harness.url + endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...body }),
  });

const initialize = {
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2024-11-05',
    capabilities: { elicitation: {} },
    clientInfo: { name: 'old', version: '1' },
  },
};

it("the SDK's client of it lists, calls, and is asked", async () => {
  const client = new Client({ name: 'old', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler('elicitation/create', () => ({
    action: 'accept' as const,
    content: { name: 'of the old one' },
  }));
  await client.connect(
    new SSEClientTransport(new URL(harness.url + PATH), {
      requestInit: { headers: GOOD },
      eventSourceInit: {
        fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...GOOD } }),
      },
    }),
  );
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('ask');
  expect(JSON.stringify(await client.callTool({ name: 'ask', arguments: {} }))).toContain('of the old one');
  await client.close();
});

it('answers, requests of the server and changes all come on the stream', async () => {
  const stream = await open();
  expect(stream.endpoint).toMatch(/^\/mcp\/default\/echo\?session=[A-Za-z0-9_-]{32}$/);
  const accepted = await post(stream.endpoint, initialize);
  expect(accepted.status).toBe(202);
  expect(await stream.message(({ id }) => id === 1)).toMatchObject({
    result: { protocolVersion: '2024-11-05', serverInfo: { name: 'echo' } },
  });
  await post(stream.endpoint, { method: 'notifications/initialized' });
  await post(stream.endpoint, { id: 2, method: 'tools/call', params: { name: 'ask', arguments: {} } });
  const question = await stream.message(({ method }) => method === 'elicitation/create');
  const { id } = question as { id: number };
  await post(stream.endpoint, { id, result: { action: 'accept', content: { name: 'N' } } });
  expect(JSON.stringify(await stream.message(({ id }) => id === 2))).toContain('accept');
  await post(stream.endpoint, { id: 3, method: 'x-vendor/change' });
  await stream.message(({ method }) => method === 'notifications/tools/list_changed');
  stream.close();
});

it('the session ends with its stream, and its calls with it', async () => {
  const stream = await open();
  await post(stream.endpoint, initialize);
  await post(stream.endpoint, { id: 2, method: 'tools/call', params: { name: 'wait', arguments: {} } });
  await stream.message(({ method }) => method === 'notifications/message');
  stream.close();
  await expect
    .poll(async () => (await post(stream.endpoint, { id: 3, method: 'ping' })).status, { timeout: 10_000 })
    .toBe(404);
  await expect
    .poll(() => harness.audit.at(-1), { timeout: 10_000 })
    .toBe('finished echo wait cancelled mcp_cancelled');
});

it('the session is its token’s and its endpoint’s', async () => {
  const stream = await open();
  const ping = { id: 1, method: 'ping' };
  expect((await post(stream.endpoint, ping)).status).toBe(202);
  expect((await post(stream.endpoint, ping, OTHER)).status).toBe(404);
  expect((await post(stream.endpoint, ping, {})).status).toBe(401);
  expect((await post(stream.endpoint.replace('/echo', ''), ping)).status).toBe(404);
  expect((await post(`${PATH}?session=made-up`, ping)).status).toBe(404);
  stream.close();
});

it.each([
  ['a session', { 'mcp-session-id': 'made-up' }, 404],
  ['a revision', { 'mcp-protocol-version': '2025-06-18' }, 400],
  ['a last event', { 'last-event-id': '0-0' }, 400],
  ['an Accept without streams', { accept: 'application/json' }, 406],
  ['no token', { authorization: '' }, 401],
])('a GET with %s is not one of these', async (_what, headers, status) => {
  expect((await open(PATH, { ...GOOD, ...headers })).status).toBe(status);
});

it('ends with the kill of its token, and with the token', async () => {
  const first = await open();
  harness.kill('good');
  await first.ended;
  harness.resume('good');
  const second = await open();
  harness.endToken('good');
  await second.ended;
});

it('is not open more often than sessions are', async () => {
  const streams = await Promise.all(
    Array.from({ length: limits.mcpSessionsPerCallerMax }, () => open(PATH, OTHER)),
  );
  expect((await open(PATH, OTHER)).status).toBe(429);
  const mine = await open();
  expect(mine.status).toBe(200);
  for (const stream of [mine, ...streams]) stream.close();
});
