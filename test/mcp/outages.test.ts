/** Servers that are missing from the lists of a profile: said once, asked again while somebody listens, and there again by list change. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { type Harness, type Parsed, principal, startHarness, type TestClient } from './harness.ts';
import { InProcessServer } from './in-process.ts';

const KEY = 'io.modelcontextprotocol/';
const envelope = (more: object = {}) => ({
  [`${KEY}protocolVersion`]: '2026-07-28',
  [`${KEY}clientCapabilities`]: {},
  ...more,
});
const down = (code = 'upstream_exited'): AppError =>
  new AppError(code, 'The server "far" stopped: it ended with code 1.', { kind: 'unavailable' });

const listing = (name: string) => (method: string) =>
  method === 'tools/list'
    ? { tools: [{ name, inputSchema: { type: 'object' } }] }
    : method === 'prompts/list'
      ? { prompts: [{ name }] }
      : method === 'resources/subscribe'
        ? {}
        : undefined;

let harness: Harness;
let far: InProcessServer;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  far = new InProcessServer(listing('there'));
  far.failure = down();
  const near = new InProcessServer(listing('here'));
  harness = await startHarness({ default: { near: near.server, far: far.server } });
});
afterEach(async () => {
  vi.useRealTimers();
  await harness.close();
});

const connect = (who = 'tok_1', server?: string): TestClient =>
  harness.stdio(principal(who, 'default'), {
    profile: 'default',
    ...(server === undefined ? {} : { server }),
  });
const session = async (who = 'tok_1', level: string | null = 'warning'): Promise<TestClient> => {
  const client = connect(who);
  await client.initialize();
  if (level !== null) await client.request('level', 'logging/setLevel', { level });
  return client;
};
const heard = (client: TestClient, method: string): Parsed[] =>
  client.lines.map((line) => JSON.parse(line) as Parsed).filter((message) => message['method'] === method);
const logs = (client: TestClient): unknown[] =>
  heard(client, 'notifications/message').map(({ params }) => params);
const TOOLS = 'notifications/tools/list_changed';
const PROMPTS = 'notifications/prompts/list_changed';
/** Lets that much time pass, and whatever comes of it happen. */
const pass = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const names = (answer: Parsed): string[] =>
  (answer as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name);

describe('a client with a session', () => {
  it('hears once that a server is missing, is told by list change that it is there again, and hears that too', async () => {
    const client = await session('tok_1', 'notice');
    expect(names(await client.request(1, 'tools/list'))).toEqual(['near__here']);
    await client.request(2, 'prompts/list');
    await client.request(3, 'tools/list');
    expect(logs(client)).toEqual([
      {
        level: 'warning',
        logger: 'sallyport',
        data: {
          server: 'far',
          code: 'upstream_exited',
          message:
            'The server "far" is missing from this list. The server "far" stopped: it ended with code 1.',
        },
      },
    ]);
    far.failure = null;
    await pass(2_000);
    expect(heard(client, TOOLS)).toHaveLength(1);
    expect(heard(client, PROMPTS)).toHaveLength(1);
    expect(logs(client).slice(1)).toEqual([
      {
        level: 'notice',
        logger: 'sallyport',
        data: { server: 'far', message: 'The server "far" answers again.' },
      },
    ]);
    expect(names(await client.request(4, 'tools/list'))).toEqual(['near__here', 'far__there']);
    await pass(600_000);
    expect([heard(client, TOOLS).length, far.starts]).toEqual([1, 4]);
  });

  it('hears of the next outage as well', async () => {
    const client = await session();
    await client.request(1, 'tools/list');
    far.failure = null;
    await pass(2_000);
    far.failure = down();
    far.stop();
    await pass(0);
    await client.request(2, 'tools/list');
    expect(logs(client)).toHaveLength(2);
  });

  it('learns it from its own next list, and needs no telling then', async () => {
    const client = await session('tok_1', 'info');
    await client.request(1, 'tools/list');
    far.failure = null;
    expect(names(await client.request(2, 'tools/list'))).toContain('far__there');
    expect(logs(client)).toHaveLength(2);
    await pass(600_000);
    expect(heard(client, TOOLS)).toEqual([]);
  });

  it.each([
    [null, 0],
    ['error', 0],
    ['debug', 2],
  ])('that asked for logging from %s on hears %i messages', async (level, count) => {
    const client = await session('tok_1', level);
    await client.request(1, 'tools/list');
    far.failure = null;
    await pass(2_000);
    expect(logs(client)).toHaveLength(count);
    expect(heard(client, TOOLS)).toHaveLength(1);
  });

  it('has the server asked ever more rarely, and no more once it is gone', async () => {
    const client = await session();
    await client.request(1, 'tools/list');
    const starts: number[] = [];
    for (const ms of [2_000, 4_000, 8_000, 16_000]) {
      await pass(ms);
      starts.push(far.starts);
    }
    expect(starts).toEqual([2, 3, 4, 5]);
    await pass(6 * 3_600_000);
    // Every five minutes by now.
    expect(far.starts).toBeLessThan(85);
    expect(far.starts).toBeGreaterThan(60);
    const before = far.starts;
    client.duplex.destroy();
    await client.closed;
    expect(vi.getTimerCount()).toBe(0);
    await pass(3_600_000);
    expect(far.starts).toBe(before);
  });

  it('shares the tries with the other sessions of its token', async () => {
    const clients = [await session(), await session(), await session('tok_2')];
    for (const client of clients) await client.request(1, 'tools/list');
    const before = far.starts;
    await pass(2_000);
    expect(far.starts - before).toBe(2);
    far.failure = null;
    await pass(4_000);
    for (const client of clients) expect(heard(client, TOOLS)).toHaveLength(1);
  });

  it('is told when a server that took too long answers after all', async () => {
    const late = Promise.withResolvers<object>();
    const slow = new InProcessServer((method) => (method === 'tools/list' ? late.promise : undefined));
    const other = await startHarness({ default: { slow: slow.server } });
    const client = other.stdio(principal('tok_1', 'default'), { profile: 'default' });
    await client.initialize();
    await client.request(0, 'logging/setLevel', { level: 'debug' });
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    await pass(0);
    await pass(8_000);
    expect(await client.answer(1)).toMatchObject({
      result: { tools: [], _meta: { 'app.sallyport/leftOut': [{ server: 'slow', code: 'deadline' }] } },
    });
    late.resolve({ tools: [{ name: 'a', inputSchema: {} }] });
    await pass(0);
    expect(heard(client, TOOLS)).toHaveLength(1);
    expect(logs(client)).toMatchObject([{ data: { code: 'deadline' } }, { level: 'notice' }]);
    await other.close();
  });

  it('over HTTP is tried for while its stream is open, and not before', async () => {
    vi.useRealTimers();
    const post = (body: object, more: Record<string, string> = {}): Promise<Response> =>
      fetch(`${harness.url}/mcp/default`, {
        method: 'POST',
        headers: {
          authorization: 'Bearer good',
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...more,
        },
        body: JSON.stringify({ jsonrpc: '2.0', ...body }),
      });
    const params = {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    };
    const opened = await post({ id: 1, method: 'initialize', params });
    await opened.text();
    const own = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    expect(await (await post({ id: 2, method: 'tools/list' }, own)).text()).toContain('upstream_exited');
    await pass(3_600_000);
    expect(far.starts).toBe(1);
    far.failure = null;
    const stop = new AbortController();
    const stream = await fetch(`${harness.url}/mcp/default`, {
      headers: { authorization: 'Bearer good', accept: 'text/event-stream', ...own },
      signal: stop.signal,
    });
    await pass(2_000);
    const { value } = (await stream.body?.getReader().read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toContain(TOOLS);
    stop.abort();
  });
});

describe('a stateless client', () => {
  const listen = (client: TestClient, id: string, notifications: object): void =>
    client.send({
      jsonrpc: '2.0',
      id,
      method: 'subscriptions/listen',
      params: { notifications, _meta: envelope() },
    });
  const acknowledged = (client: TestClient): Promise<string> =>
    client.line(({ method }) => method === 'notifications/subscriptions/acknowledged');

  it.each([undefined, 'far'])('that listens hears of it once it is there (server: %s)', async (server) => {
    const client = connect('tok_1', server);
    listen(client, 'l', { toolsListChanged: true });
    await acknowledged(client);
    await pass(2_000);
    expect(far.starts).toBe(2);
    far.failure = null;
    await pass(4_000);
    expect(heard(client, TOOLS)).toMatchObject([{ params: { _meta: { [`${KEY}subscriptionId`]: 'l' } } }]);
    far.send({ method: TOOLS });
    await pass(0);
    expect(heard(client, TOOLS)).toHaveLength(2);
    expect(heard(client, PROMPTS)).toEqual([]);
  });

  it('that watches a resource has it watched once its server is there', async () => {
    const client = connect('tok_1', 'far');
    listen(client, 'l', { resourceSubscriptions: ['x://1'] });
    await acknowledged(client);
    far.failure = null;
    await pass(2_000);
    expect(far.seen).toContain('resources/subscribe x://1');
    far.send({ method: 'notifications/resources/updated', params: { uri: 'x://1' } });
    await pass(0);
    expect(heard(client, 'notifications/resources/updated')).toHaveLength(1);
  });

  it('that does not listen has nothing tried, until it does', async () => {
    const client = connect();
    await client.request(1, 'tools/list', { _meta: envelope() });
    await pass(3_600_000);
    expect(far.starts).toBe(1);
    listen(client, 'l', { toolsListChanged: true });
    await acknowledged(client);
    far.failure = null;
    await pass(4_000);
    expect(heard(client, TOOLS)).toHaveLength(1);
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'l' } });
    await pass(0);
    far.failure = down();
    far.stop();
    await pass(0);
    await client.request(2, 'tools/list', { _meta: envelope() });
    const before = far.starts;
    await pass(3_600_000);
    expect(far.starts).toBe(before);
  });

  it('is told with each request that asks for it', async () => {
    const client = connect();
    const _meta = envelope({ [`${KEY}logLevel`]: 'warning' });
    await client.request(1, 'tools/list', { _meta });
    await client.request(2, 'tools/list', { _meta });
    await client.request(3, 'tools/list', { _meta: envelope() });
    await client.request(4, 'tools/list', { _meta: envelope({ [`${KEY}logLevel`]: 'error' }) });
    expect(logs(client)).toMatchObject([{ data: { server: 'far' } }, { data: { server: 'far' } }]);
  });

  it('is not kept from listening by a server that takes its time', async () => {
    const slow = new InProcessServer(() => undefined);
    slow.isSilent = true;
    const other = await startHarness({ default: { slow: slow.server } });
    const client = other.stdio(principal('tok_1', 'default'), { profile: 'default' });
    listen(client, 'l', { toolsListChanged: true });
    await pass(0);
    await pass(8_000);
    expect(await acknowledged(client)).toContain('toolsListChanged');
    await other.close();
  });
});

describe('what nobody has agreed to', () => {
  it('is not asked for again: that somebody agreed is told in a way of its own', async () => {
    far.failure = down('definitions_unapproved');
    const client = await session();
    await client.request(1, 'tools/list');
    expect(logs(client)).toMatchObject([{ data: { code: 'definitions_unapproved' } }]);
    await pass(3_600_000);
    expect(far.starts).toBe(1);
    // Nor when the client begins to listen in another way.
    client.send({
      jsonrpc: '2.0',
      id: 'l',
      method: 'subscriptions/listen',
      params: { notifications: { promptsListChanged: true }, _meta: envelope() },
    });
    await client.line(({ method }) => method === 'notifications/subscriptions/acknowledged');
    const before = far.starts;
    await pass(3_600_000);
    expect(far.starts).toBe(before);
  });

  it.each(['server_unknown', 'server_not_selected', 'definitions_unapproved'])(
    'nor what came to that meanwhile: %s',
    async (code) => {
      const client = await session();
      await client.request(1, 'tools/list');
      far.failure = down(code);
      await pass(2_000);
      expect(far.starts).toBe(2);
      await pass(3_600_000);
      expect(far.starts).toBe(2);
    },
  );
});
