/** Servers of revision 2026-07-28 behind the front: for clients with sessions, and for those of that revision. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixture, type Harness, type Parsed, principal, startHarness, type TestClient } from '../harness.ts';

const operator = principal('uid', null);
const KEY = 'io.modelcontextprotocol/';
const envelope = (capabilities: object = {}, more: object = {}) => ({
  [`${KEY}protocolVersion`]: '2026-07-28',
  [`${KEY}clientCapabilities`]: capabilities,
  [`${KEY}clientInfo`]: { name: 'new', version: '2' },
  ...more,
});

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ default: { modern: { command: fixture('modern') } } });
});
afterEach(() => harness.close());

const connect = (server: string | null = 'modern'): TestClient =>
  harness.stdio(principal('tok_1', 'default'), {
    profile: 'default',
    ...(server === null ? {} : { server }),
  });
const session = async (capabilities: object = {}, server: string | null = 'modern'): Promise<TestClient> => {
  const client = connect(server);
  await client.initialize(capabilities);
  return client;
};
const call = (client: TestClient, id: unknown, name: string, more: object = {}): Promise<Parsed> =>
  client.request(id, 'tools/call', { name, arguments: {}, ...more });
const seen = (): Promise<string> => harness.front.callTool(operator, null, 'modern', 'seen', '{}');
/** What the server was sent, from the answer of its tool `echo`. */
const sent = (answer: Parsed): Parsed => {
  const { line } = answer['result'] as { line: string };
  return JSON.parse(line) as Parsed;
};

describe('a client with a session', () => {
  it('is told of the server as if it had shaken hands', async () => {
    const client = connect();
    expect(await client.initialize()).toMatchObject({
      result: {
        protocolVersion: '2025-11-25',
        capabilities: { tools: { listChanged: true }, 'x-capability': { a: 1 } },
        serverInfo: { name: 'modern', version: '1' },
        instructions: 'I am modern',
      },
    });
    expect(await client.request(1, 'ping')).toMatchObject({ result: {} });
    const { result } = await client.request(2, 'tools/list');
    expect(Object.keys(result as object)).toEqual(['tools']);
  });

  it('has its handshake said again with each request, beside its own `_meta`', async () => {
    const client = await session({ roots: { listChanged: true } });
    const answer = await call(client, 1, 'echo', { _meta: { progressToken: 'mine', 'x-m': 1.5 } });
    expect(sent(answer)['params']).toEqual({
      name: 'echo',
      arguments: {},
      _meta: {
        [`${KEY}protocolVersion`]: '2026-07-28',
        [`${KEY}clientCapabilities`]: { roots: { listChanged: true } },
        [`${KEY}clientInfo`]: { name: 'test', version: '1' },
        progressToken: expect.any(Number) as number,
        'x-m': 1.5,
      },
    });
    const bare = await client.request(2, 'prompts/list');
    expect(bare).toMatchObject({ result: { prompts: [{ name: 'greet' }] } });
  });

  it('has no say in what stands there for the gateway', async () => {
    const client = await session();
    const _meta = { [`${KEY}clientCapabilities`]: { sampling: {} }, [`${KEY}clientInfo`]: 'x' };
    const { params } = sent(await call(client, 1, 'echo', { _meta })) as { params: { _meta: object } };
    expect(params._meta).toMatchObject({
      [`${KEY}clientCapabilities`]: {},
      [`${KEY}clientInfo`]: { name: 'test', version: '1' },
    });
  });

  it('gets progress, and log messages from its own level up', async () => {
    const [client, other] = [await session(), await session()];
    await call(client, 1, 'progress', { _meta: { progressToken: 'p' } });
    expect(client.lines.filter((line) => line.includes('"progressToken":"p"'))).toHaveLength(2);
    expect(await call(client, 2, 'log')).toMatchObject({ result: { content: [{ text: 'none' }] } });
    expect(await client.request(3, 'logging/setLevel', { level: 'warning' })).toMatchObject({ result: {} });
    expect(await call(client, 4, 'log')).toMatchObject({ result: { content: [{ text: 'warning' }] } });
    const logged = (of: TestClient) => of.lines.filter((line) => line.includes('notifications/message'));
    expect(logged(client).map((line) => JSON.parse(line) as Parsed)).toMatchObject([
      { params: { level: 'error' } },
    ]);
    expect(logged(other)).toEqual([]);
  });

  it('is told of changes of lists, without the mark of the subscription', async () => {
    const [client, other] = [await session(), await session()];
    await call(client, 1, 'change');
    for (const each of [client, other]) {
      const line = await each.line((message) => message['method'] === 'notifications/tools/list_changed');
      expect(line).not.toContain('subscriptionId');
    }
    expect((await seen()).split('toolsListChanged')).toHaveLength(2);
  });

  it('subscribes to resources, and the server has one subscription for all', async () => {
    const [client, other] = [await session(), await session()];
    const updates = (of: TestClient) => of.lines.filter((line) => line.includes('resources/updated')).length;
    await client.request(1, 'resources/subscribe', { uri: 'modern://one' });
    await other.request(1, 'resources/subscribe', { uri: 'modern://two' });
    expect(await seen()).toContain('[\\\\\\"modern://one\\\\\\",\\\\\\"modern://two\\\\\\"]');
    await call(client, 2, 'touch', { arguments: { uri: 'modern://one' } });
    expect([updates(client), updates(other)]).toEqual([1, 1]);
    await client.request(3, 'resources/unsubscribe', { uri: 'modern://one' });
    await call(client, 4, 'touch', { arguments: { uri: 'modern://one' } });
    await call(client, 5, 'touch', { arguments: { uri: 'modern://two' } });
    expect([updates(client), updates(other)]).toEqual([1, 2]);
    other.duplex.destroy();
    await other.closed;
    await call(client, 6, 'touch', { arguments: { uri: 'modern://two' } });
    expect((await seen()).split('subscriptions/listen')).toHaveLength(6);
  });

  it('cancels, and the server hears of it', async () => {
    const client = await session();
    client.send({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'wait', arguments: { label: 'a' } },
    });
    while (!(await seen()).includes('waiting a')) await new Promise((resolve) => setImmediate(resolve));
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    await client.request(2, 'ping');
    expect(await seen()).toContain('cancelled a');
  });

  it('is not answered for what only sessions have, and the server never gets an answer', async () => {
    const client = await session();
    client.send({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    await call(client, 1, 'foreign');
    const heard = await seen();
    expect(heard).not.toContain('roots');
    expect(heard).not.toContain('RESPONSE');
  });

  it('reaches it at the endpoint of the profile too', async () => {
    const client = await session({}, null);
    const answer = await call(client, 1, 'modern__echo');
    expect(sent(answer)).toMatchObject({ method: 'tools/call', params: { name: 'echo' } });
    await client.request(2, 'resources/list');
    expect(await client.request(3, 'resources/subscribe', { uri: 'modern://one' })).toMatchObject({
      result: {},
    });
    await client.request(4, 'logging/setLevel', { level: 'error' });
    expect(await call(client, 5, 'modern__log')).toMatchObject({ result: { content: [{ text: 'error' }] } });
    expect(await call(client, 6, 'modern__touch', { arguments: { uri: 'modern://one' } })).toBeDefined();
    await client.line((message) => message['method'] === 'notifications/resources/updated');
  });
});

describe('a client of that revision', () => {
  const ask = (
    client: TestClient,
    id: unknown,
    name: string,
    _meta: object = envelope(),
    more: object = {},
  ) => client.request(id, 'tools/call', { name, arguments: {}, ...more, _meta });

  it('discovers what the server says, under what the gateway speaks', async () => {
    const answer = await connect().request(1, 'server/discover', { _meta: envelope() });
    expect(answer).toMatchObject({
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { 'x-capability': { a: 1 } },
        instructions: 'I am modern',
        'x-discover': [1],
        ttlMs: 5,
        cacheScope: 'private',
        _meta: { [`${KEY}serverInfo`]: { name: 'modern', version: '1' } },
      },
    });
  });

  it('has its own envelope passed on, of each request anew', async () => {
    const client = connect();
    const meta = envelope({ sampling: {} }, { traceparent: '00-1', [`${KEY}logLevel`]: 'error' });
    expect(sent(await ask(client, 1, 'echo', meta))['params']).toMatchObject({ _meta: meta });
    const { params } = sent(await ask(client, 2, 'echo')) as { params: { _meta: object } };
    expect(params._meta).toEqual(envelope());
  });

  it('is asked for input, and its answer goes back with the state, as they are', async () => {
    const client = connect();
    const first = await ask(client, 1, 'ask', envelope({ elicitation: {} }));
    expect(first).toMatchObject({
      result: {
        resultType: 'input_required',
        inputRequests: { who: { method: 'elicitation/create', params: { message: 'name?' } } },
        requestState: 'state of ask',
      },
    });
    const inputResponses = { who: { action: 'accept', content: { n: 1 } } };
    const second = await ask(client, 2, 'ask', envelope(), { inputResponses, requestState: 'state of ask' });
    expect(JSON.stringify(second)).toContain('state of ask');
  });

  it('hears log messages of requests that ask for them only', async () => {
    const client = connect();
    await ask(client, 1, 'log');
    await ask(client, 2, 'log', envelope({}, { [`${KEY}logLevel`]: 'debug' }));
    const logged = client.lines.filter((line) => line.includes('notifications/message'));
    expect(logged).toHaveLength(2);
  });

  it('listens to lists and resources, each change under its own mark', async () => {
    const client = connect();
    const notifications = { toolsListChanged: true, resourceSubscriptions: ['modern://one'] };
    client.send({
      jsonrpc: '2.0',
      id: 'sub',
      method: 'subscriptions/listen',
      params: { notifications, _meta: envelope() },
    });
    await client.line((message) => message['method'] === 'notifications/subscriptions/acknowledged');
    await ask(client, 1, 'change');
    await ask(client, 2, 'touch', envelope(), { arguments: { uri: 'modern://one' } });
    for (const method of ['notifications/tools/list_changed', 'notifications/resources/updated']) {
      const line = await client.line((message) => message['method'] === method);
      expect(JSON.parse(line)).toMatchObject({ params: { _meta: { [`${KEY}subscriptionId`]: 'sub' } } });
    }
  });

  it('gets the errors of the server as they are', async () => {
    expect(await connect().request(1, 'resources/read', { uri: 'x://y', _meta: envelope() })).toMatchObject({
      error: { code: -32602, data: { uri: 'x://y' } },
    });
  });
});
