/** Several clients on one server: ids, progress, cancellation and the server's own requests never cross. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rulesOf } from '../policy/rules/asking.ts';
import { fixture, type Harness, principal, startHarness, type TestClient } from './harness.ts';

describe('sessions that share a server', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness({ default: { echo: { command: fixture('echo') } } });
  });
  afterEach(() => harness.close());

  const connect = async (capabilities: object = {}): Promise<TestClient> => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'echo' });
    await client.initialize(capabilities);
    return client;
  };
  const call = (client: TestClient, id: unknown, name: string, args: object = {}, meta?: object) =>
    client.send({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name, arguments: args, ...(meta === undefined ? {} : { _meta: meta }) },
    });

  it('start one process for all of them', async () => {
    await Promise.all([connect(), connect(), connect()]);
    expect(harness.transports).toHaveLength(1);
  });

  it('get their own answers for equal ids', async () => {
    const [first, second] = await Promise.all([connect(), connect()]);
    for (let id = 0; id < 50; id += 1) {
      call(first, id, 'progress', { label: `first ${id}` });
      call(second, id, 'progress', { label: `second ${id}` });
    }
    for (let id = 0; id < 50; id += 1) {
      expect(await first.answer(id)).toMatchObject({ result: { label: `first ${id}` } });
      expect(await second.answer(id)).toMatchObject({ result: { label: `second ${id}` } });
    }
    const answers = (client: TestClient) => client.lines.filter((line) => line.includes('"label"')).length;
    expect([answers(first), answers(second)]).toEqual([50, 50]);
  });

  it('get progress under their own tokens, in order, and nobody else does', async () => {
    const [first, second] = await Promise.all([connect(), connect()]);
    call(first, 1, 'progress', { label: 'mine' }, { progressToken: 'same' });
    call(second, 1, 'progress', { label: 'yours' }, { progressToken: 'same' });
    await Promise.all([first.answer(1), second.answer(1)]);
    const progress = (client: TestClient) =>
      client.lines
        .map((line) => JSON.parse(line) as { method?: string; params?: Record<string, unknown> })
        .filter(({ method }) => method === 'notifications/progress')
        .map(({ params }) => params);
    const expected = (message: string) =>
      [1, 2, 3].map((step) => ({ progressToken: 'same', progress: step, total: 3, message }));
    expect(progress(first)).toEqual(expected('mine'));
    expect(progress(second)).toEqual(expected('yours'));
  });

  it('cancel their own call only, and the server hears of it', async () => {
    const [first, second] = await Promise.all([connect(), connect()]);
    call(first, 7, 'wait', { label: 'first' });
    call(second, 7, 'wait', { label: 'second' });
    await first.line((message) => JSON.stringify(message).includes('waiting second'));
    expect(harness.front.callsIn(harness.transports[0]?.cell ?? ('' as never)).count).toBe(2);
    second.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 7, reason: 'enough', 'x-r': 1 },
    });
    call(first, 8, 'seen');
    const seen = JSON.stringify(await first.answer(8));
    expect(seen).toContain('cancelled second');
    expect(seen).not.toContain('cancelled first');
    expect(harness.audit).toContain('finished echo wait cancelled mcp_cancelled');
    expect(second.lines.some((line) => line.includes('"id":7'))).toBe(false);
    const calls = harness.front.callsIn(harness.transports[0]?.cell ?? ('' as never));
    expect(calls).toMatchObject({ count: 1, begun: true, last: { call: { tool: 'seen' } } });
    expect(calls.ended.map(({ tool }) => tool)).toEqual(['seen', 'wait']);
    expect(calls.inFlight).toMatchObject([
      { tool: 'wait', readOnly: true, actor: 'tok_1', token: 'tok_1', user: null, agent: 'test' },
    ]);
  });

  it('have their calls cancelled when they go away', async () => {
    const [first, second] = await Promise.all([connect(), connect()]);
    call(first, 1, 'wait', { label: 'gone' });
    await second.line((message) => JSON.stringify(message).includes('waiting gone'));
    first.duplex.destroy();
    await first.closed;
    call(second, 2, 'seen');
    expect(JSON.stringify(await second.answer(2))).toContain('cancelled gone');
    expect(harness.front.activity(harness.transports[0]?.cell ?? ('' as never))).toMatchObject({
      calls: 0,
      sessions: 1,
    });
  });

  it('are told of list changes, all of them', async () => {
    const [first, second] = await Promise.all([connect(), connect()]);
    await first.request(1, 'x-vendor/change');
    for (const client of [first, second]) {
      await client.line((message) => message['method'] === 'notifications/tools/list_changed');
    }
  });

  it('get log messages from their own level up', async () => {
    const [first, second] = await Promise.all([connect(), connect()]);
    await first.request(1, 'logging/setLevel', { level: 'error' });
    await second.request(1, 'logging/setLevel', { level: 'debug' });
    call(first, 2, 'log');
    await first.answer(2);
    await second.line((message) => JSON.stringify(message).includes('"data":"error"'));
    const levels = (client: TestClient) =>
      client.lines.flatMap((line) => /"level":"(\w+)"/.exec(line)?.[1] ?? []);
    expect(levels(first)).toEqual(['error']);
    expect(levels(second)).toEqual(['debug', 'info', 'error']);
  });

  it('get resource updates only where they subscribed', async () => {
    const [first, second] = await Promise.all([connect(), connect()]);
    await first.request(1, 'resources/subscribe', { uri: 'echo://one' });
    await first.request(2, 'prompts/list');
    await second.request(2, 'prompts/list');
    const updates = (client: TestClient) =>
      client.lines.filter((line) => line.includes('resources/updated')).length;
    expect([updates(first), updates(second)]).toEqual([1, 0]);
    await second.request(3, 'resources/subscribe', { uri: 'echo://one' });
    await first.request(4, 'resources/unsubscribe', { uri: 'echo://one' });
    const seen = JSON.stringify(await second.request(5, 'tools/call', { name: 'seen' }));
    expect(seen).not.toContain('unsubscribe');
    second.duplex.destroy();
    await second.closed;
    expect(JSON.stringify(await first.request(6, 'tools/call', { name: 'seen' }))).toContain(
      'resources/unsubscribe',
    );
  });

  it('refuse a second request with an id that is in flight', async () => {
    const client = await connect();
    call(client, 1, 'wait');
    client.send({ jsonrpc: '2.0', id: 1, method: 'prompts/list' });
    expect(await client.answer(1)).toMatchObject({
      error: { code: -32602, data: { code: 'mcp_id_in_use' } },
    });
  });
});

describe("a server's own requests", () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness({ default: { echo: { command: fixture('echo') } } });
  });
  afterEach(() => harness.close());

  const connect = async (capabilities: object): Promise<TestClient> => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'echo' });
    await client.initialize(capabilities);
    return client;
  };

  it('reach the only client, and its answer comes back raw', async () => {
    const client = await connect({ elicitation: {}, roots: {} });
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ask' } });
    const asked = JSON.parse(await client.line((message) => message['method'] === 'elicitation/create')) as {
      id: number;
    };
    expect(asked).toMatchObject({ params: { message: 'name?' } });
    client.send(
      `{"jsonrpc":"2.0","id":${asked.id},"result":{"action":"accept","content":{"n":1},"x-r":true}}`,
    );
    expect(await client.answer(1)).toMatchObject({
      result: { content: [{ text: '{"action":"accept","content":{"n":1},"x-r":true}' }] },
    });
    client.send({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'roots' } });
    const roots = JSON.parse(await client.line((message) => message['method'] === 'roots/list')) as {
      id: number;
    };
    client.send({ jsonrpc: '2.0', id: roots.id, error: { code: -32603, message: 'no roots' } });
    expect(JSON.stringify(await client.answer(2))).toContain('no roots');
  });

  it('are refused with the reason when the client does not answer such', async () => {
    const client = await connect({});
    expect(JSON.stringify(await client.request(1, 'tools/call', { name: 'ask' }))).toContain(
      'client_unsupported',
    );
  });

  it('reach the client whose call it is about, whoever else is connected', async () => {
    const [first, second] = await Promise.all([connect({ elicitation: {} }), connect({ elicitation: {} })]);
    for (const client of [first, second]) {
      client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ask' } });
      const asked = JSON.parse(
        await client.line((message) => message['method'] === 'elicitation/create'),
      ) as {
        id: number;
      };
      client.send({ jsonrpc: '2.0', id: asked.id, result: { action: 'decline' } });
      expect(JSON.stringify(await client.answer(1))).toContain('decline');
    }
    const questions = (client: TestClient) =>
      client.lines.filter((line) => line.includes('elicitation/create')).length;
    expect([questions(first), questions(second)]).toEqual([1, 1]);
  });

  it('are refused with the reason when it could be any of several clients', async () => {
    const [first, second] = await Promise.all([connect({ elicitation: {} }), connect({ elicitation: {} })]);
    second.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'wait' } });
    expect(JSON.stringify(await first.request(1, 'tools/call', { name: 'ask' }))).toContain(
      'client_ambiguous',
    );
  });

  it('reach nobody when the call it is about is of somebody who cannot be asked', async () => {
    const client = await connect({ elicitation: {} });
    expect(await harness.front.callTool(principal('uid', null), null, 'echo', 'ask', '{}')).toContain(
      'client_absent',
    );
    expect(client.lines.some((line) => line.includes('elicitation/create'))).toBe(false);
  });

  it('are answered with an error when the client goes away meanwhile', async () => {
    const first = await connect({ elicitation: {} });
    first.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ask' } });
    await first.line((message) => message['method'] === 'elicitation/create');
    first.duplex.destroy();
    await first.closed;
    const second = await connect({ elicitation: {} });
    const seen = JSON.stringify(await second.request(2, 'tools/call', { name: 'seen' }));
    expect(seen).toContain('cancelled');
  });

  it('are answered with an error when they cannot be masked, one after the other', async () => {
    const other = await startHarness({ default: { asking: { command: fixture('asking'), tools: '*' } } });
    const mask = '{ id: a, on: tool, do: mask, mask: { detectors: [secrets], strategy: hash } }';
    other.setRules(rulesOf(`rules: [${mask}]`));
    const client = other.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'asking' });
    await client.initialize({ elicitation: {} });
    for (const id of [1, 2]) {
      expect(await client.request(id, 'tools/call', { name: 'ask-deep' })).toMatchObject({
        result: { content: [{ text: expect.stringContaining('mask_failed') as string }] },
      });
    }
    await other.close();
  });

  it('are refused outside any session', async () => {
    const result = await harness.front.callTool(principal('uid', null), null, 'echo', 'ask', '{}');
    expect(result).toContain('client_absent');
  });
});
