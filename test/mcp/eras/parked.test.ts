/** A client of 2026-07-28 in front of a server that asks in the middle of its calls. */
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  fixture,
  type Harness,
  type Parsed,
  principal,
  startHarness,
  type TestClient,
  type TestServer,
} from '../harness.ts';
import { far } from '../remote/far.ts';
import { event, type Got, isCall, resultOf, stream, usual } from '../remote/stand-in.ts';

const KEY = 'io.modelcontextprotocol/';
const EVERYTHING = { sampling: {}, roots: {}, elicitation: { form: {}, url: {} } };
const envelope = (capabilities: object = EVERYTHING, more: object = {}) => ({
  [`${KEY}protocolVersion`]: '2026-07-28',
  [`${KEY}clientCapabilities`]: capabilities,
  ...more,
});
const ACCEPT = { action: 'accept', content: { n: 1.5 } };

let harness: Harness;
let servers: Record<string, TestServer>;
beforeEach(async () => {
  servers = { asking: { command: fixture('asking') } };
  harness = await startHarness({ default: servers });
});
afterEach(() => harness.close());

const connect = (who = 'tok_1', server: string | null = 'asking'): TestClient =>
  harness.stdio(principal(who, 'default'), {
    profile: 'default',
    ...(server === null ? {} : { server }),
  });
let nextId = 1;
const call = (
  client: TestClient,
  name: string,
  more: object = {},
  meta: object = envelope(),
): Promise<Parsed> =>
  client.request((nextId += 1), 'tools/call', { name, arguments: {}, ...more, _meta: meta });

interface Input {
  readonly inputRequests: Record<string, { readonly method: string; readonly params?: object }>;
  readonly requestState: string;
}
/** What the client is asked for; fails where the answer is another. */
function input(answer: Parsed): Input {
  expect(answer).toMatchObject({ result: { resultType: 'input_required' } });
  return answer['result'] as Input;
}
/** What a call is asked for once that is this: tried again without an answer, for the server says it bit by bit. */
async function askedFor(client: TestClient, name: string, wanted: (asked: Input) => boolean): Promise<Input> {
  let asked = input(await call(client, name));
  for (let tries = 0; !wanted(asked) && tries < 10_000; tries += 1) {
    // What the server writes is read between two turns of the event loop, and the client here is in the same process.
    await new Promise((resolve) => setImmediate(resolve));
    asked = input(await call(client, name, { requestState: asked.requestState }));
  }
  return asked;
}
/** The answer to every question of it, and the state. */
const answering = ({ inputRequests, requestState }: Input, answer: object = ACCEPT) => ({
  inputResponses: Object.fromEntries(Object.keys(inputRequests).map((key) => [key, answer])),
  requestState,
});
const textOf = (answer: Parsed): unknown => {
  const { content } = answer['result'] as { content: [{ text: string }] };
  return JSON.parse(content[0].text);
};
const finished = (): readonly string[] => harness.audit.filter((line) => line.startsWith('finished'));
const seen = async (): Promise<string> =>
  harness.front.callTool(principal('uid', null), null, 'asking', 'seen', '{}');

describe('a question of a server with sessions', () => {
  it('ends the request, and the next try carries the answer to the call that waited', async () => {
    const client = connect();
    const first = input(await call(client, 'ask'));
    expect(Object.values(first.inputRequests)).toEqual([
      {
        method: 'elicitation/create',
        params: { message: 'name?', requestedSchema: { type: 'object', properties: {} } },
      },
    ]);
    expect(harness.front.callsIn(harness.transports[0]?.cell ?? ('' as never)).count).toBe(1);
    const second = await call(client, 'ask', answering(first));
    expect(textOf(second)).toEqual(ACCEPT);
    expect(second).toMatchObject({ result: { resultType: 'complete' } });
    expect(harness.audit).toEqual(['started asking ask', 'finished asking ask ok']);
  });

  it('may come again, several at once, and of every kind', async () => {
    const client = connect();
    const first = input(await call(client, 'in-turn'));
    const second = input(await call(client, 'in-turn', answering(first)));
    expect(second.requestState).not.toBe(first.requestState);
    expect(textOf(await call(client, 'in-turn', answering(second, { action: 'decline' })))).toEqual([
      ACCEPT,
      { action: 'decline' },
    ]);
    const both = await askedFor(
      client,
      'both',
      ({ inputRequests }) => Object.keys(inputRequests).length === 2,
    );
    expect(Object.values(both.inputRequests).map(({ method }) => method)).toEqual([
      'elicitation/create',
      'roots/list',
    ]);
    expect(textOf(await call(client, 'both', answering(both, { roots: [] })))).toEqual([
      { roots: [] },
      { roots: [] },
    ]);
    const sampling = input(await call(client, 'sample'));
    expect(textOf(await call(client, 'sample', answering(sampling, { role: 'assistant' })))).toEqual({
      role: 'assistant',
    });
  });

  it('is asked again where the next try has no answer to it', async () => {
    const client = connect();
    const first = input(await call(client, 'ask'));
    const again = input(
      await call(client, 'ask', { requestState: first.requestState, inputResponses: { x: ACCEPT } }),
    );
    expect(again.inputRequests).toEqual(first.inputRequests);
    expect(textOf(await call(client, 'ask', answering(again)))).toEqual(ACCEPT);
  });

  it('is put to a client that gets a prompt, and at the endpoint of a profile', async () => {
    const client = connect();
    const params = { name: 'greet', _meta: envelope() };
    const first = input(await client.request('p1', 'prompts/get', params));
    expect(
      JSON.stringify(await client.request('p2', 'prompts/get', { ...params, ...answering(first) })),
    ).toContain('accept');
    const whole = connect('tok_1', null);
    const asked = input(await call(whole, 'asking__ask'));
    expect(textOf(await call(whole, 'asking__ask', answering(asked)))).toEqual(ACCEPT);
  });

  it('that a client does not answer is refused to the server, and the call goes on', async () => {
    const client = connect();
    expect(JSON.stringify(await call(client, 'ask', {}, envelope({ sampling: {} })))).toContain(
      'client_unsupported',
    );
    const addresses = envelope({ elicitation: { url: {} } });
    expect(JSON.stringify(await call(client, 'both', {}, addresses))).toContain('client_unsupported');
  });

  it('that a client does not answer is what it is told of where the call failed for that', async () => {
    expect(await call(connect(), 'sample', {}, envelope({ elicitation: {} }))).toMatchObject({
      error: { code: -32021, data: { requiredCapabilities: { sampling: {} } } },
    });
    expect(harness.audit).toContain('finished asking sample tool_error');
  });

  it('is one that the server may count on, whatever the first client to come can do', async () => {
    const client = connect();
    expect(textOf(await call(client, 'told', {}, envelope({})))).toEqual({
      sampling: {},
      elicitation: { form: {}, url: {} },
      roots: {},
    });
    input(await call(client, 'ask'));
    await harness.transports[0]?.close();
    const older = connect();
    await older.initialize({ roots: { listChanged: true } });
    const answer = await older.request(1, 'tools/call', { name: 'told' });
    expect(textOf(answer)).toEqual({ roots: { listChanged: true } });
  });

  it('that came as an error of the older kind is one like any other; the next try starts anew', async () => {
    const client = connect();
    const answer = await call(client, 'url-first');
    expect(answer).toMatchObject({
      result: {
        resultType: 'input_required',
        inputRequests: {
          address1: { method: 'elicitation/create', params: { mode: 'url', url: 'https://a.example/' } },
        },
      },
    });
    expect(answer['result']).not.toHaveProperty('requestState');
    const inputResponses = { address1: { action: 'accept' } };
    expect(textOf(await call(client, 'url-first', { inputResponses }))).toBe('done');
    expect(await seen()).not.toContain('inputResponses');
    const plain = connect();
    await harness.transports[0]?.close();
    expect(await call(plain, 'url-first', {}, envelope({ elicitation: {} }))).toMatchObject({
      error: { code: -32042 },
    });
  });

  it('that the server gave up is not waited for', async () => {
    const client = connect();
    const first = await call(client, 'gives-up');
    const answer = textOf(
      JSON.stringify(first).includes('input_required')
        ? await call(client, 'gives-up', answering(input(first)))
        : first,
    );
    expect(answer).toBe('never mind');
    const next = await askedFor(client, 'withdraws', (asked) => JSON.stringify(asked).includes('now?'));
    expect(JSON.stringify(next)).not.toContain('still there?');
    expect(textOf(await call(client, 'withdraws', answering(next)))).toEqual(ACCEPT);
  });

  it('lets progress go to the request that waits, under its own token', async () => {
    const client = connect();
    const first = input(await call(client, 'steps', {}, envelope(EVERYTHING, { progressToken: 'a' })));
    await call(client, 'steps', answering(first), envelope(EVERYTHING, { progressToken: 'b' }));
    const tokens = client.lines.flatMap(
      (line) => /"progressToken":"(\w)","progress":(\d)/.exec(line)?.slice(1) ?? [],
    );
    expect(tokens).toEqual(['a', '1', 'b', '2']);
  });

  it('is of nobody when several calls could be meant', async () => {
    const [client, other] = [connect(), connect('tok_2')];
    other.send({
      jsonrpc: '2.0',
      id: 'w',
      method: 'tools/call',
      params: { name: 'wait', _meta: envelope() },
    });
    while (harness.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(JSON.stringify(await call(client, 'ask'))).toContain('client_ambiguous');
  });
});

describe('the handle of a call that waits', () => {
  const refusal = { error: { code: -32602, data: { code: 'mcp_input_state_invalid' } } };

  it('counts once', async () => {
    const client = connect();
    const first = input(await call(client, 'ask'));
    const tries = await Promise.all([
      call(client, 'ask', answering(first)),
      call(client, 'ask', answering(first)),
      call(client, 'ask', answering(first)),
    ]);
    expect(tries.filter((answer) => answer['error'] === undefined)).toHaveLength(1);
    expect(await call(client, 'ask', answering(first))).toMatchObject(refusal);
  });

  it.each<readonly [string, string, object, string]>([
    ['another caller', 'tok_2', {}, 'ask'],
    ['another tool', 'tok_1', {}, 'sample'],
    ['other arguments', 'tok_1', { arguments: { what: 'else?' } }, 'ask'],
    ['more parameters', 'tok_1', { extra: 1 }, 'ask'],
  ])('does not hold for %s, and is not used up by that', async (_what, who, more, tool) => {
    const client = connect();
    const first = input(await call(client, 'ask'));
    expect(await call(connect(who), tool, { ...answering(first), ...more })).toMatchObject(refusal);
    expect(harness.audit).toContain(`refused asking ${tool} mcp_input_state_invalid`);
    expect(textOf(await call(client, 'ask', answering(first)))).toEqual(ACCEPT);
  });

  it('is no word of the client’s own', async () => {
    expect(await call(connect(), 'ask', { requestState: 'made up' })).toMatchObject(refusal);
    expect(await call(connect(), 'ask', { requestState: 7 })).toMatchObject(refusal);
    expect(harness.audit.filter((line) => line.startsWith('started'))).toEqual([]);
  });

  it('is worth nothing while a switch is set, and the call that waited was ended by it', async () => {
    const client = connect();
    const first = input(await call(client, 'ask'));
    harness.kill('asking');
    await expect.poll(finished, { timeout: 10_000 }).toEqual(['finished asking ask failed kill_active']);
    expect(await call(client, 'ask', answering(first))).toMatchObject({
      error: { data: { code: 'kill_active' } },
    });
    harness.resume('asking');
    expect(await call(client, 'ask', answering(first))).toMatchObject({
      error: { data: { code: 'kill_active' } },
    });
  });

  it('is worth nothing once its tool is no more chosen', async () => {
    const client = connect();
    const first = input(await call(client, 'ask'));
    servers['asking'] = { command: fixture('asking'), tools: ['seen'] };
    expect(await call(client, 'ask', answering(first))).toMatchObject({
      error: { data: { code: 'tool_not_selected' } },
    });
    servers['asking'] = { command: fixture('asking') };
    expect(textOf(await call(client, 'ask', answering(first)))).toEqual(ACCEPT);
  });

  it('ends with the token that it was given to, also where nothing of it is connected', async () => {
    const client = connect();
    input(await call(client, 'ask'));
    client.duplex.destroy();
    await client.closed;
    harness.endToken('tok_1');
    await expect.poll(finished, { timeout: 10_000 }).toEqual(['finished asking ask failed token_ended']);
  });

  it('tells how the call ended meanwhile', async () => {
    const client = connect();
    const first = input(await call(client, 'dies'));
    await expect.poll(finished, { timeout: 10_000 }).toEqual(['finished asking dies failed upstream_exited']);
    expect(await call(client, 'dies', answering(first))).toMatchObject({
      error: { data: { code: 'upstream_exited' } },
    });
  });

  it('outlives the connection that it was given on', async () => {
    const client = connect();
    const first = input(await call(client, 'ask'));
    client.duplex.destroy();
    await client.closed;
    expect(textOf(await call(connect(), 'ask', answering(first)))).toEqual(ACCEPT);
  });

  it('lapses, and the server is told that no answer will come', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const client = connect();
      const first = input(await call(client, 'ask'));
      await vi.advanceTimersByTimeAsync(540_000);
      expect(finished()).toEqual(['finished asking ask failed mcp_input_expired']);
      expect(await call(client, 'ask', answering(first))).toMatchObject(refusal);
      expect(await seen()).toContain('cancelled');
    } finally {
      vi.useRealTimers();
    }
  });

  it.each([
    ['stateless', 'tok_2'],
    ['session', 'tok_2'],
    ['session', 'tok_1'],
  ])(
    'gives way to a call of another client (%s, %s) once it was left alone for two minutes',
    async (era, who) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        const client = connect();
        const left = input(await call(client, 'ask'));
        const other = connect(who);
        if (era === 'session') await other.initialize(EVERYTHING);
        const others = (): Promise<Parsed> =>
          era === 'session'
            ? other.request((nextId += 1), 'tools/call', { name: 'ask' })
            : call(other, 'ask');
        await vi.advanceTimersByTimeAsync(119_000);
        expect(JSON.stringify(await others())).toContain('client_ambiguous');
        await vi.advanceTimersByTimeAsync(1_000);
        const asked = others();
        if (era === 'session') {
          const { id } = JSON.parse(
            await other.line(({ method }) => method === 'elicitation/create'),
          ) as Parsed;
          other.send({ jsonrpc: '2.0', id, result: ACCEPT });
          expect(textOf(await asked)).toEqual(ACCEPT);
        } else {
          expect(textOf(await call(other, 'ask', answering(input(await asked))))).toEqual(ACCEPT);
        }
        expect(finished()).toContain('finished asking ask failed mcp_input_expired');
        expect(await call(client, 'ask', answering(left))).toMatchObject(refusal);
      } finally {
        vi.useRealTimers();
      }
    },
  );

  it('gives way to nobody where the server says which call it asks about', async () => {
    const calls: { got: Got; res: ServerResponse }[] = [];
    const there = await far((got, res) => {
      if (!isCall(got)) return usual(got, res);
      stream(res);
      calls.push({ got, res });
      const params = { message: `${calls.length}?`, requestedSchema: { type: 'object', properties: {} } };
      res.write(event({ jsonrpc: '2.0', id: `q${calls.length}`, method: 'elicitation/create', params }));
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const left = input(await call(there.client, 'echo'));
      await vi.advanceTimersByTimeAsync(130_000);
      const other = there.harness.stdio(principal('other', 'default'), { profile: 'default', server: 'far' });
      expect(JSON.stringify(input(await call(other, 'echo')))).toContain('2?');
      const answered = call(there.client, 'echo', answering(left));
      await expect
        .poll(() => there.server.got.filter(({ message }) => message['id'] === 'q1').length, {
          timeout: 10_000,
        })
        .toBe(1);
      const [first] = calls;
      first?.res.end(event(resultOf(first.got, { content: [{ type: 'text', text: '"kept"' }] })));
      expect(textOf(await answered)).toBe('kept');
    } finally {
      vi.useRealTimers();
    }
  });

  it('is kept for its nine minutes where its own client makes other calls, or where others call what cannot ask', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const client = connect();
      const left = input(await call(client, 'ask'));
      await vi.advanceTimersByTimeAsync(400_000);
      expect(textOf(await call(client, 'told'))).toBeDefined();
      await connect('tok_2').request('l', 'tools/list', { _meta: envelope() });
      expect(textOf(await call(client, 'ask', answering(left)))).toEqual(ACCEPT);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is one of 16 that a caller may have; the server is told when there are more', async () => {
    const client = connect();
    for (let parked = 0; parked < 16; parked += 1)
      input(await call(client, 'ask', { arguments: { what: `${parked}` } }, envelope()));
    expect(JSON.stringify(await call(client, 'ask', { arguments: { what: 'more' } }))).toContain(
      'client_absent',
    );
  });

  it('does not keep a caller from being asked about its other calls', async () => {
    const client = connect();
    input(await call(client, 'ask', { arguments: { what: 'abandoned?' } }));
    client.send({
      jsonrpc: '2.0',
      id: 'w',
      method: 'tools/call',
      params: { name: 'wait', _meta: envelope() },
    });
    while (harness.calls.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const first = input(await call(client, 'ask'));
    expect(JSON.stringify(first.inputRequests)).toContain('name?');
    expect(textOf(await call(client, 'ask', answering(first)))).toEqual(ACCEPT);
  });

  it('goes with its call when the client cancels the try that waits', async () => {
    const client = connect();
    const first = input(await call(client, 'in-turn'));
    client.send({
      jsonrpc: '2.0',
      id: 'last',
      method: 'tools/call',
      params: { name: 'wait', _meta: envelope() },
    });
    while (harness.calls.length < 2) await new Promise((resolve) => setImmediate(resolve));
    client.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 'last', reason: 'enough' },
    });
    await expect.poll(seen, { timeout: 10_000 }).toContain('cancelled enough');
    expect(finished()).toContain('finished asking wait cancelled mcp_cancelled');
    input(await call(client, 'in-turn', answering(first)));
  });
});

describe('errors of older servers', () => {
  it('have the codes that they have now', async () => {
    const client = connect();
    const params = { uri: 'x://y', _meta: envelope() };
    expect(await client.request(1, 'resources/read', params)).toMatchObject({ error: { code: -32602 } });
    expect(await connect('tok_1', null).request(1, 'resources/read', params)).toMatchObject({
      error: { code: -32602 },
    });
    const old = connect();
    await old.initialize();
    expect(await old.request(1, 'resources/read', { uri: 'x://y' })).toMatchObject({
      error: { code: -32002 },
    });
  });
});
