/** Servers elsewhere that speak 2026-07-28: everything in each request, and in the headers beside it. */
import type { ServerResponse } from 'node:http';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/kernel/index.ts';
import { rulesOf } from '../../policy/rules/asking.ts';
import { far } from './far.ts';
import { event, type Got, json, resultOf, stream } from './stand-in.ts';

const VERSION = '2026-07-28';
const META = 'io.modelcontextprotocol/';
const NAME = 'grüße';
const done = (text: string) => ({ resultType: 'complete', content: [{ type: 'text', text }] });

const TOOL = {
  name: NAME,
  inputSchema: {
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      where: { type: 'object', properties: { row: { type: 'integer', 'x-mcp-header': 'Row' } } },
      free: { type: 'string' },
    },
  },
  annotations: { readOnlyHint: true },
};

interface Params {
  readonly name?: string;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

/** What every such server does, and checks; a call is the test's own. */
const modern =
  (
    called: (got: Got, res: ServerResponse) => unknown,
    listening: Set<ServerResponse> = new Set(),
    listed: () => object = () => TOOL,
  ) =>
  (got: Got, res: ServerResponse): unknown => {
    const { headers, message, method } = got;
    if (method !== 'POST') return res.writeHead(405).end();
    const params = message['params'] as Params | undefined;
    const fault = (code: number, text: string, status: number): void =>
      json(res, { jsonrpc: '2.0', id: message['id'], error: { code, message: text } }, {}, status);
    if (params?._meta?.[`${META}protocolVersion`] !== VERSION) return fault(-32022, 'which revision?', 400);
    if (headers['mcp-protocol-version'] !== VERSION || headers['mcp-method'] !== message['method'])
      return fault(-32020, 'the headers say something else', 400);
    switch (message['method']) {
      case 'server/discover':
        return json(
          res,
          resultOf(got, {
            resultType: 'complete',
            supportedVersions: [VERSION],
            capabilities: { tools: { listChanged: true } },
            _meta: { [`${META}serverInfo`]: { name: 'modern', version: '1' } },
          }),
        );
      case 'tools/list':
        return json(res, resultOf(got, { resultType: 'complete', tools: [listed()] }));
      case 'subscriptions/listen':
        stream(res);
        listening.add(res);
        res.on('close', () => listening.delete(res));
        res.write(
          event({
            jsonrpc: '2.0',
            method: 'notifications/subscriptions/acknowledged',
            params: { notifications: {}, _meta: { [`${META}subscriptionId`]: message['id'] } },
          }),
        );
        return undefined;
      case 'tools/call':
        return called(got, res);
      default:
        return fault(-32601, `no ${String(message['method'])}`, 404);
    }
  };

const stateless = { isStateless: true };
const ask = (given: object) => ({ name: NAME, arguments: given });
const base64 = (text: string): string => `=?base64?${Buffer.from(text).toString('base64')}?=`;

describe('a stateless server elsewhere', () => {
  it('is told everything with each request, and nothing besides', async () => {
    const { client, server, transports } = await far(
      modern((got, res) => json(res, resultOf(got, done('hello')))),
      stateless,
    );
    expect(await client.initialize()).toMatchObject({ result: { serverInfo: { name: 'modern' } } });
    const answer = await client.request(1, 'tools/call', ask({}));
    expect(answer).toMatchObject({ result: { content: [{ text: 'hello' }] } });
    await transports[0]?.close('idle');
    const asked = ['server/discover', 'initialize', 'subscriptions/listen', 'tools/list', 'tools/call'];
    expect(new Set(server.seen)).toEqual(new Set(asked.map((method) => `POST ${method}`)));
    // Its client has a session: whether there is one for it is asked for once.
    for (const { headers, message } of server.got) {
      if (message['method'] === 'initialize') continue;
      expect(headers).toMatchObject({ 'mcp-protocol-version': VERSION });
      expect(headers).not.toHaveProperty('mcp-session-id');
    }
  });

  it('has repeated in headers what its tools want repeated, for clients that have none', async () => {
    const { client, server } = await far(
      modern((got, res) => json(res, resultOf(got, done('')))),
      stateless,
    );
    await client.initialize();
    await client.request(1, 'tools/call', ask({ region: 'Zürich', where: { row: 7 }, free: 'x' }));
    await client.request(2, 'tools/call', ask({ region: 'us-west1', where: { row: null } }));
    const [first, second] = server.got.filter(({ message }) => message['method'] === 'tools/call');
    expect(first?.headers).toMatchObject({
      'mcp-method': 'tools/call',
      'mcp-name': base64(NAME),
      'mcp-param-region': base64('Zürich'),
      'mcp-param-row': '7',
    });
    expect(Object.keys(first?.headers ?? {})).not.toContain('mcp-param-free');
    expect(second?.headers).toMatchObject({ 'mcp-param-region': 'us-west1' });
    expect(Object.keys(second?.headers ?? {})).not.toContain('mcp-param-row');
  });

  it('is told what nothing declares beside a call, but not beside one that somebody agreed to', async () => {
    const { harness, server } = await far(
      modern((got, res) => json(res, resultOf(got, done('')))),
      stateless,
    );
    harness.approvals.pass = async () => ({ state: 'granted', id: 'apr_test', address: null });
    const meta = {
      [`${META}protocolVersion`]: VERSION,
      [`${META}clientInfo`]: { name: 't', version: '1' },
      [`${META}clientCapabilities`]: {},
    };
    const post = async (): Promise<unknown> => {
      const answer = await fetch(`${harness.url}/mcp/default/far`, {
        method: 'POST',
        headers: {
          authorization: 'Bearer good.default',
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': VERSION,
          'mcp-method': 'tools/call',
          'mcp-name': base64(NAME),
          'mcp-param-region': 'eu',
          'mcp-param-tier': 'gold',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { ...ask({ region: 'eu' }), _meta: meta },
        }),
      });
      expect(await answer.json()).toMatchObject({ result: { resultType: 'complete' } });
      return server.got.findLast(({ message }) => message['method'] === 'tools/call')?.headers;
    };
    expect(await post()).toMatchObject({ 'mcp-param-region': 'eu', 'mcp-param-tier': 'gold' });
    harness.setRules(rulesOf('rules: [{ id: ask, match: { servers: far }, do: approve }]'));
    const agreed = await post();
    expect(agreed).toMatchObject({ 'mcp-param-region': 'eu' });
    expect(agreed).not.toHaveProperty('mcp-param-tier');
  });

  describe('that wants other headers than its definition said', () => {
    const mismatch = (got: Got, res: ServerResponse): void =>
      json(
        res,
        { jsonrpc: '2.0', id: got.message['id'], error: { code: -32020, message: 'which zone?' } },
        {},
        400,
      );
    const zoned = {
      ...TOOL,
      inputSchema: { type: 'object', properties: { free: { type: 'string', 'x-mcp-header': 'Zone' } } },
    };
    const zone = ({ headers }: Got): unknown => headers['mcp-param-zone'];

    it('is listed anew and asked once more, which is one call on record', async () => {
      let now: object = TOOL;
      const { client, server, harness } = await far(
        modern(
          (got, res) => (zone(got) === 'x' ? json(res, resultOf(got, done('zoned'))) : mismatch(got, res)),
          undefined,
          () => now,
        ),
        stateless,
      );
      await client.initialize();
      // What it lists now is what is known of it.
      await client.request(1, 'tools/call', ask({ free: 'x' }));
      now = zoned;
      expect(await client.request(2, 'tools/call', ask({ free: 'x' }))).toMatchObject({
        result: { content: [{ text: 'zoned' }] },
      });
      const calls = server.got.filter(({ message }) => message['method'] === 'tools/call');
      expect(calls.map(zone)).toEqual([undefined, undefined, 'x']);
      expect(harness.audit.slice(2)).toEqual([`started far ${NAME}`, `finished far ${NAME} ok`]);
      // From then on it is known.
      await client.request(3, 'tools/call', ask({ free: 'x' }));
      expect(server.seen.filter((line) => line === 'POST tools/call')).toHaveLength(4);
    });

    it.each([
      ['lists the same as before', [TOOL, TOOL], 2],
      ['wants others again and again', [TOOL, zoned], 3],
    ])('and %s is not asked again: the client is told', async (_, [before, after], calls) => {
      let now = before;
      const { client, server } = await far(
        modern(mismatch, undefined, () => now ?? TOOL),
        stateless,
      );
      await client.initialize();
      // What it lists now is what is known of it.
      await client.request(1, 'tools/call', ask({ free: 'x' }));
      now = after;
      expect(await client.request(2, 'tools/call', ask({ free: 'x' }))).toMatchObject({
        error: { code: -32020, message: 'which zone?' },
      });
      expect(server.seen.filter((line) => line === 'POST tools/call')).toHaveLength(calls);
    });
  });

  it('is told that a call is not wanted any more by its end, and by no message', async () => {
    let left = 0;
    const { client, server } = await far(
      modern((_got, res) => {
        stream(res);
        res.on('close', () => (left += 1));
        res.write(': working\n\n');
      }),
      stateless,
    );
    await client.initialize();
    client.send({ jsonrpc: '2.0', id: 'slow', method: 'tools/call', params: ask({}) });
    await expect.poll(() => server.seen.includes('POST tools/call'), { timeout: 10_000 }).toBe(true);
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'slow' } });
    await expect.poll(() => left, { timeout: 10_000 }).toBe(1);
    expect(server.seen.filter((line) => line.includes('notifications/'))).toEqual([]);
  });

  it('tells of changes on the subscription, which ends with the connection', async () => {
    const listening = new Set<ServerResponse>();
    const { client, server, transports } = await far(
      modern(() => undefined, listening),
      stateless,
    );
    await client.initialize();
    await expect.poll(() => listening.size, { timeout: 10_000 }).toBe(1);
    const asked = server.got.find(({ message }) => message['method'] === 'subscriptions/listen');
    const params = { _meta: { [`${META}subscriptionId`]: asked?.message['id'] } };
    for (const res of listening)
      res.write(event({ jsonrpc: '2.0', method: 'notifications/tools/list_changed', params }));
    await client.line(({ method }) => method === 'notifications/tools/list_changed');
    // Before anything else of it ends: nothing waits for a subscription.
    await transports[0]?.farewell();
    await expect.poll(() => listening.size, { timeout: 10_000 }).toBe(0);
  });

  it('is listened to again where it was away for a while, and what changed meanwhile is told', async () => {
    const listening = new Set<ServerResponse>();
    const usual = modern(() => undefined, listening);
    let isAway = false;
    let refused = 0;
    const { client } = await far((got, res) => {
      if (!isAway || got.message['method'] !== 'subscriptions/listen') return usual(got, res);
      refused += 1;
      return res.writeHead(503).end();
    }, stateless);
    await client.initialize();
    await expect.poll(() => listening.size, { timeout: 10_000 }).toBe(1);
    isAway = true;
    for (const res of listening) res.destroy();
    await expect.poll(() => refused, { timeout: 20_000 }).toBeGreaterThan(0);
    isAway = false;
    await expect.poll(() => listening.size, { timeout: 20_000 }).toBe(1);
    await client.line(({ method }) => method === 'notifications/tools/list_changed');
  });

  it('that refuses to be listened to is not asked again', async () => {
    const usual = modern(() => undefined);
    let refused = 0;
    const { client } = await far((got, res) => {
      if (got.message['method'] !== 'subscriptions/listen') return usual(got, res);
      refused += 1;
      return res.writeHead(404).end();
    }, stateless);
    await client.initialize();
    await expect.poll(() => refused, { timeout: 10_000 }).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, limits.mcpListenPauseMs + 300));
    expect(refused).toBe(1);
  });

  it('that does not know a method says so, and is not taken for one whose session has ended', async () => {
    const { client, server } = await far(
      modern(() => undefined),
      stateless,
    );
    await client.initialize();
    expect(await client.request(1, 'x/unknown', {})).toMatchObject({
      error: { code: -32601, message: 'no x/unknown' },
    });
    expect(server.seen.filter((line) => line === 'POST x/unknown')).toHaveLength(1);
  });

  it.each(['reject', 'stateless'] as const)('may be one of the SDK: %s', async (legacy) => {
    const handler = createMcpHandler(
      () => {
        const mcp = new McpServer({ name: 'sdk', version: '1.0.0' });
        mcp.registerTool('greet', { annotations: { readOnlyHint: true } }, async () => ({
          content: [{ type: 'text', text: 'hello from the SDK' }],
        }));
        return mcp;
      },
      { legacy },
    );
    const { client, server } = await far(async ({ method, path, headers, body }, res) => {
      const request = new Request(`http://sdk.example${path}`, {
        method,
        headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
          typeof value === 'string' ? [[name, value]] : [],
        ),
        ...(body === '' ? {} : { body }),
      });
      const answer = await handler.fetch(request);
      res.writeHead(answer.status, Object.fromEntries(answer.headers));
      for await (const piece of answer.body ?? []) res.write(piece);
      res.end();
    }, stateless);
    await client.initialize();
    expect(await client.request(1, 'tools/call', { name: 'greet', arguments: {} })).toMatchObject({
      result: { content: [{ text: 'hello from the SDK' }] },
    });
    // It has no session to give, and is asked for one once.
    expect(server.seen.filter((one) => one === 'POST initialize')).toHaveLength(1);
    expect(server.seen).not.toContain('POST notifications/initialized');
  });
});
