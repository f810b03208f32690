/** Limits at the gate: what is refused is told when to come again, over every door, and does not arrive. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CallLimits } from '../../src/mcp/index.ts';
import { decideLimits, limitRefusal, planLimits } from '../../src/policy/index.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { fixture, type Harness, principal, startHarness } from './harness.ts';

const who = principal('tok_1', 'default');
const NOW = Date.parse('2026-11-20T10:00:00Z');

/** Counts in memory, at a moment that does not pass. */
function counting(): CallLimits {
  const counts = new Map<string, { amount: number; atMs: number }>();
  const flights = new Map<string, number>();
  const fly = (keys: readonly string[], by: number) =>
    keys.forEach((key) => flights.set(key, (flights.get(key) ?? 0) + by));
  return {
    used: async () => new Map(),
    async take(_, held, request) {
      const plan = planLimits(held, request);
      const flying = plan.flying.map(({ key }) => key);
      const kept = {
        counts: plan.counted.map(({ key }) => counts.get(key) ?? null),
        flights: flying.map((key) => flights.get(key) ?? 0),
      };
      const verdict = decideLimits(plan, kept, NOW);
      if (!verdict.ok)
        return { ok: false, rule: verdict.exceeded.limit.rule, refusal: limitRefusal(verdict.exceeded) };
      for (const { key, ...count } of verdict.counts) counts.set(key, count);
      fly(flying, 1);
      return { ok: true, end: () => fly(flying, -1) };
    },
  };
}

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness(
    { default: { echo: { command: fixture('echo'), tools: '*' } } },
    { limits: counting() },
  );
});
afterEach(() => harness.close());

const rule = (limit: string, more = ''): void =>
  harness.setRules(rulesOf(`rules: [{ id: few, ${more}do: limit, limit: ${limit} }]`));
const exceeded = {
  error: {
    code: -32000,
    message: expect.stringContaining('Rule: few.') as string,
    data: { code: 'limit_exceeded', retryAfterSeconds: 30 },
  },
};

it('a call too many is told when to come again, is on record, and does not arrive', async () => {
  rule('{ calls: 2, per: minute }');
  const client = harness.stdio(who, { profile: 'default', server: 'echo' });
  await client.initialize();
  const call = (id: number) => client.request(id, 'tools/call', { name: 'echo', arguments: {} });
  expect(await call(1)).toMatchObject({ result: {} });
  expect(await call(2)).toMatchObject({ result: {} });
  expect(await call(3)).toMatchObject(exceeded);
  expect(harness.audit.filter((line) => line.startsWith('started'))).toHaveLength(2);
  expect(harness.audit.at(-1)).toBe('refused echo echo limit_exceeded');
  // Others have a count of their own.
  const other = harness.stdio(principal('tok_2', 'default'), { profile: 'default', server: 'echo' });
  await other.initialize();
  expect(await other.request(1, 'tools/call', { name: 'echo', arguments: {} })).toMatchObject({ result: {} });
});

it('over HTTP an answer that is this error says so in its head', async () => {
  rule('{ calls: 1, per: minute }');
  const post = (id: number, method: string, params: object) =>
    fetch(`${harness.url}/mcp/default/echo`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer good.default',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        'mcp-name': 'echo',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id,
        method,
        params: {
          ...params,
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
  const call = { name: 'echo', arguments: {} };
  const first = await post(1, 'tools/call', call);
  expect(await first.json()).toMatchObject({ result: {} });
  expect(first.headers.get('retry-after')).toBeNull();
  const second = await post(2, 'tools/call', call);
  expect(second.headers.get('retry-after')).toBe('60');
  expect(await second.json()).toMatchObject({ error: { data: { code: 'limit_exceeded' } } });
});

it('prompts and resources are counted too, each kind by its own rule', async () => {
  const client = harness.stdio(who, { profile: 'default', server: 'echo' });
  await client.initialize();
  rule('{ calls: 1 }', 'on: prompt, ');
  const prompt = { name: 'greet', arguments: { who: 'bob' } };
  expect(await client.request(1, 'prompts/get', prompt)).toMatchObject({ result: {} });
  expect(await client.request(2, 'prompts/get', prompt)).toMatchObject({
    error: { data: { code: 'limit_exceeded' } },
  });
  expect(await client.request(3, 'tools/call', { name: 'echo', arguments: {} })).toMatchObject({
    result: {},
  });
});

it('a resource that is written in another way has the count that it has', async () => {
  const client = harness.stdio(who, { profile: 'default', server: 'echo' });
  await client.initialize();
  rule('{ calls: 1, per: day, by: [tool] }', 'on: resource, ');
  const isLimited = async (uri: string): Promise<boolean> =>
    JSON.stringify(await client.request(uri, 'resources/read', { uri })).includes('limit_exceeded');
  expect(await isLimited('file:///a')).toBe(false);
  for (const uri of ['file:///a?1', 'file:///x/../a', 'FILE:///%61'])
    expect(await isLimited(uri), uri).toBe(true);
  expect(await isLimited('file:///b'), 'the control').toBe(false);
});

it('a result that is too large is not handed on', async () => {
  const client = harness.stdio(who, { profile: 'default', server: 'echo' });
  await client.initialize();
  const call = (id: number, text: string) =>
    client.request(id, 'tools/call', { name: 'echo', arguments: { text } });
  rule('{ resultBytes: 1000 }');
  expect(await call(1, 'short')).toMatchObject({ result: {} });
  const refused = await call(2, 'x'.repeat(2_000));
  expect(refused).toMatchObject({ error: { data: { code: 'limit_result_too_large' } } });
  expect(JSON.stringify(refused)).not.toContain('xxx');
  harness.setRules(rulesOf('{}'));
  expect(await call(3, 'x'.repeat(2_000))).toMatchObject({ result: {} });
});

it('sessions have counts of their own, and so have calls outside of any', async () => {
  rule('{ calls: 1, per: session }');
  const connect = async () => {
    const client = harness.stdio(who, { profile: 'default', server: 'echo' });
    await client.initialize();
    return client;
  };
  const [one, another] = [await connect(), await connect()];
  const call = (client: typeof one, id: number) =>
    client.request(id, 'tools/call', { name: 'echo', arguments: {} });
  expect(await call(one, 1)).toMatchObject({ result: {} });
  expect(await call(one, 2)).toMatchObject({ error: { data: { code: 'limit_exceeded' } } });
  expect(await call(another, 1)).toMatchObject({ result: {} });
  const direct = () => harness.front.callTool(principal('uid', null), null, 'echo', 'echo', '{}');
  await direct();
  await expect(direct()).rejects.toMatchObject({ code: 'limit_exceeded', kind: 'limited' });
});
