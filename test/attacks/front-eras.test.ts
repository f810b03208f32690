/**
 * ATTACKS 23 where two revisions of the protocol meet: servers that answer twice, answer others, speak of what is none of
 * their business, or ask for what they may not, and clients that show what was given to somebody else. Beside each stands
 * the same done honestly, so that what is refused is the lie and not the thing.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  fixture,
  type Harness,
  type Parsed,
  principal,
  startHarness,
  type TestClient,
} from '../mcp/harness.ts';

const KEY = 'io.modelcontextprotocol/';
const ABLE = { sampling: {}, roots: {}, elicitation: { form: {}, url: {} } };
const envelope = {
  [`${KEY}protocolVersion`]: '2026-07-28',
  [`${KEY}clientCapabilities`]: ABLE,
};
const ACCEPT = { action: 'accept' };

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({
    default: {
      liar: { command: fixture('hostile-modern') },
      fickle: { command: fixture('hostile-modern', 'hangs-up') },
      asking: { command: fixture('asking') },
    },
  });
});
afterEach(() => harness.close());

const connect = (server: string, who = 'tok_1'): TestClient =>
  harness.stdio(principal(who, 'default'), { profile: 'default', server });
const session = async (server: string, who = 'tok_1'): Promise<TestClient> => {
  const client = connect(server, who);
  await client.initialize(ABLE);
  return client;
};
const call = (client: TestClient, id: unknown, name: string, more: object = {}): Promise<Parsed> =>
  client.request(id, 'tools/call', { name, arguments: {}, ...more });
const start = (client: TestClient, id: unknown, name: string, more: object = {}): void =>
  client.send({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: {}, ...more } });
const textOf = (answer: Parsed): unknown => {
  const { content } = answer['result'] as { content: [{ text: string }] };
  return JSON.parse(content[0].text);
};
const questions = (client: TestClient): readonly Parsed[] =>
  client.lines
    .map((line) => JSON.parse(line) as Parsed)
    .filter((message) => message['id'] !== undefined && message['method'] !== undefined);
/** Answers the next question that the client has not answered yet. */
async function accept(client: TestClient, known = 0): Promise<void> {
  await expect.poll(() => questions(client).length, { timeout: 10_000 }).toBeGreaterThan(known);
  client.send({ jsonrpc: '2.0', id: questions(client)[known]?.['id'], result: ACCEPT });
}

describe('a stateless server that lies', () => {
  it('has its first answer counted, and none to what it was not asked', async () => {
    const [client, other] = [await session('liar'), await session('liar')];
    expect(textOf(await call(client, 1, 'twice'))).toBe('first');
    expect(textOf(await call(client, 2, 'others'))).toBe('mine');
    expect([...client.lines, ...other.lines].join('')).not.toMatch(/second|not yours/);
    start(client, 3, 'honest');
    await accept(client);
    expect(textOf(await client.answer(3))).toMatchObject([{ a: ACCEPT }, expect.anything()]);
  });

  it('reports progress to whom it is about, and to nobody else', async () => {
    const [client, other] = [await session('liar'), await session('liar', 'tok_2')];
    start(other, 'w', 'wait');
    await expect.poll(() => harness.calls.length, { timeout: 10_000 }).toBe(1);
    await call(client, 1, 'progress', { _meta: { progressToken: 'mine' } });
    const told = [client, other].map((each) => each.lines.filter((line) => line.includes('/progress')));
    expect(told[0]?.map((line) => JSON.parse(line) as Parsed)).toMatchObject([
      { params: { progressToken: 'mine', progress: 2 } },
    ]);
    expect(told[1]).toEqual([]);
  });

  it('tells of changes on the subscription that it was asked for, and on no other', async () => {
    const client = await session('liar');
    await call(client, 1, 'marks');
    await call(client, 2, 'changes');
    const line = await client.line((message) => message['method'] === 'notifications/tools/list_changed');
    expect(line).toContain('truth');
    expect(client.lines.join('')).not.toContain('lie');
  });

  it('is not heard by who asked for no log', async () => {
    const [client, quiet] = [await session('liar'), await session('liar', 'tok_2')];
    await call(quiet, 1, 'log');
    await client.request(1, 'logging/setLevel', { level: 'debug' });
    await call(client, 2, 'log');
    const logged = [client, quiet].map(
      (each) => each.lines.filter((line) => line.includes('concern')).length,
    );
    expect(logged).toEqual([1, 0]);
  });

  it('cannot cancel what a client waits for', async () => {
    const [client, other] = [await session('liar'), await session('liar', 'tok_2')];
    start(other, 'w', 'wait');
    await expect.poll(() => harness.calls.length, { timeout: 10_000 }).toBe(1);
    expect(textOf(await call(client, 1, 'cancels'))).toBe('cancelled');
    expect(harness.audit.filter((line) => line.startsWith('finished liar wait'))).toEqual([]);
    other.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'w' } });
    await expect
      .poll(() => harness.audit, { timeout: 10_000 })
      .toContain('finished liar wait cancelled mcp_cancelled');
  });

  it('asks nobody anything but in a result, and is never answered otherwise', async () => {
    const client = await session('liar');
    expect(textOf(await call(client, 1, 'asks'))).toBe('asked');
    expect(questions(client)).toEqual([]);
    start(client, 2, 'honest');
    await accept(client);
    const [answers, heard] = textOf(await client.answer(2)) as [unknown, readonly string[]];
    expect(answers).toEqual({ a: ACCEPT });
    expect(heard).not.toContain('RESPONSE');
  });

  it.each([
    ['malformed', 'upstream_input_malformed'],
    ['stranger', 'upstream_input_unsupported'],
    ['many', 'upstream_input_endless'],
  ])('puts no question to a client that is %s', async (tool, code) => {
    const client = await session('liar');
    expect(await call(client, 1, tool)).toMatchObject({ error: { data: { code } } });
    expect(questions(client)).toEqual([]);
    start(client, 2, 'honest');
    await accept(client);
    expect(textOf(await client.answer(2))).toMatchObject([{ a: ACCEPT }, expect.anything()]);
  });

  it('that ends its subscription at once is asked for another ever more rarely', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const client = await session('fickle');
      let asked = 0;
      const listens = async (): Promise<number> => {
        asked += 1;
        const heard = textOf(await call(client, asked, 'heard')) as readonly string[];
        return heard.filter((method) => method === 'subscriptions/listen').length;
      };
      expect(await listens()).toBe(1);
      for (const [pauseMs, known] of [
        [1_000, 1],
        [2_000, 2],
        [4_000, 3],
      ] as const) {
        await vi.advanceTimersByTimeAsync(pauseMs - 1);
        expect(await listens()).toBe(known);
        await vi.advanceTimersByTimeAsync(1);
        expect(await listens()).toBe(known + 1);
      }
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a server with sessions', () => {
  it('has its question put to whose call it is, never to another who could answer', async () => {
    const [mine, others] = [await session('asking'), await session('asking', 'tok_2')];
    start(mine, 1, 'ask');
    await accept(mine);
    expect(textOf(await mine.answer(1))).toEqual(ACCEPT);
    start(others, 'w', 'wait');
    await expect.poll(() => harness.calls.length, { timeout: 10_000 }).toBe(2);
    expect(textOf(await call(mine, 2, 'ask'))).toMatchObject({ data: { code: 'client_ambiguous' } });
    expect(questions(others)).toEqual([]);
  });

  it('gets no answer of a client that was not asked', async () => {
    const [mine, others] = [await session('asking'), await session('asking', 'tok_2')];
    start(mine, 1, 'ask');
    await expect.poll(() => questions(mine).length, { timeout: 10_000 }).toBe(1);
    const id = questions(mine)[0]?.['id'];
    for (const guess of [id, 'q1', 1, 2])
      others.send({ jsonrpc: '2.0', id: guess, result: { forged: true } });
    await others.request('p', 'ping');
    await accept(mine);
    expect(textOf(await mine.answer(1))).toEqual(ACCEPT);
  });
});

describe('what a call that waits is known by', () => {
  const refused = { error: { code: -32602, data: { code: 'mcp_input_state_invalid' } } };
  const parked = async (client: TestClient, id: unknown, name = 'ask'): Promise<string> => {
    const answer = await call(client, id, name, { _meta: envelope });
    return (answer['result'] as { requestState: string }).requestState;
  };
  const answers = (requestState: string) => ({
    _meta: envelope,
    requestState,
    inputResponses: { question1: ACCEPT },
  });

  it('is good for who was asked, once, and for nobody else', async () => {
    const [mine, thief] = [connect('asking'), connect('asking', 'tok_2')];
    const handle = await parked(mine, 1);
    expect(await call(thief, 1, 'ask', answers(handle))).toMatchObject(refused);
    expect(harness.audit).toContain('refused asking ask mcp_input_state_invalid');
    expect(textOf(await call(mine, 2, 'ask', answers(handle)))).toEqual(ACCEPT);
    expect(await call(mine, 3, 'ask', answers(handle))).toMatchObject(refused);
  });

  it('is good at the endpoint that it came from', async () => {
    const mine = connect('asking');
    const handle = await parked(mine, 1);
    expect(await call(connect('liar'), 1, 'ask', answers(handle))).toMatchObject({
      error: expect.anything(),
    });
    const otherTool = await call(mine, 2, 'in-turn', answers(handle));
    expect(otherTool).toMatchObject(refused);
    expect(textOf(await call(mine, 3, 'ask', answers(handle)))).toEqual(ACCEPT);
  });

  it('differs each time, and is not to be guessed', async () => {
    const mine = connect('asking');
    const handles = [await parked(mine, 1), await parked(mine, 2), await parked(mine, 3, 'in-turn')];
    expect(new Set(handles).size).toBe(3);
    for (const handle of handles) expect(Buffer.from(handle, 'base64url')).toHaveLength(24);
  });
});
