/** Calls that a rule holds back until somebody agrees, at the gate, with the real book of approvals behind it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Approval } from '../../src/policy/index.ts';
import type { ApprovalBook } from '../../src/main/approvals/approval-book.ts';
import { bookWorld, type BookWorld } from '../main/approvals/book-world.ts';
import { memoryApprovals } from '../main/approvals/memory-approvals.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import {
  fixture,
  type Harness,
  type Parsed,
  principal,
  startHarness,
  type TestClient,
  type TestServer,
} from './harness.ts';

const RULES = `
rules:
  - { id: ask-first, match: { servers: echo, tools: echo }, when: has(args.n), do: approve }`;
const SOMEBODY = { kind: 'user', id: 'maria' } as const;
const KEY = 'io.modelcontextprotocol/';
const modern = (capabilities: object) => ({
  _meta: { [`${KEY}protocolVersion`]: '2026-07-28', [`${KEY}clientCapabilities`]: capabilities },
});

let harness: Harness;
/** Of the one profile. */
let servers: Record<string, TestServer>;
let world: BookWorld;
let book: ApprovalBook;

async function start(holdMs: number): Promise<void> {
  servers = { echo: { command: fixture('echo'), tools: '*' } };
  harness = await startHarness({ default: servers }, { holdMs });
  world = bookWorld();
  book = world.open(memoryApprovals());
  harness.approvals.pass = (request) => book.pass(request);
  harness.approvals.waits = (id) => book.waits(id);
  book.onChange(() => harness.approvalsChanged());
  harness.setRules(rulesOf(RULES));
}
beforeEach(() => start(60_000));
afterEach(async () => {
  await harness.close();
  world.close();
});

async function connect(who = 'tok_1'): Promise<TestClient> {
  const client = harness.stdio(principal(who, 'default'), { profile: 'default', server: 'echo' });
  await client.initialize();
  return client;
}

/** Waits until this many requests wait for somebody. */
async function waiting(count: number): Promise<readonly { id: string; approval: Approval }[]> {
  await expect.poll(() => book.list('pending'), { timeout: 10_000 }).toHaveLength(count);
  return book.list('pending');
}

const answer = (id: string, decision: 'approve' | 'reject' | 'revoke', scope: 'once' | 'session' = 'once') =>
  book.answer(id, { actor: SOMEBODY, decision, scope: { kind: scope }, reason: null });

const call = (client: TestClient, id: number, args: object, more: object = {}): Promise<Parsed> =>
  client.request(id, 'tools/call', { name: 'echo', arguments: args, ...more });

/** How many calls of the tool were sent to the server. */
const sent = (): number => harness.audit.filter((one) => one === 'started echo echo').length;
const executed = (): number => world.events.filter(({ type }) => type === 'approval.executed').length;

describe('a client with a session', () => {
  it('is kept waiting, told so, and gets the answer of the one call that runs', async () => {
    const client = await connect();
    const answered = call(client, 1, { n: 1 }, { _meta: { progressToken: 'p' } });
    const [one] = await waiting(1);
    const told = JSON.parse(await client.line(({ method }) => method === 'notifications/progress')) as object;
    expect(told).toMatchObject({
      params: { progressToken: 'p', message: `Waits for an approval: ${one?.id}` },
    });
    expect(sent()).toBe(0);
    await answer(one?.id ?? '', 'approve');
    expect(await answered).toMatchObject({ result: { from: 'echo' } });
    expect([sent(), executed()]).toEqual([1, 1]);
    const event = world.events.find(({ type }) => type === 'approval.executed');
    expect(harness.calls.map(({ id }) => id)).toEqual([event?.data['call']]);
  });

  it('is not kept waiting by what the rule is not about', async () => {
    expect(await call(await connect(), 1, { other: 1 })).toMatchObject({ result: { from: 'echo' } });
    expect(world.events).toEqual([]);
  });

  it('hears at once that somebody rejected it', async () => {
    const client = await connect();
    const answered = call(client, 1, { n: 1 });
    const [one] = await waiting(1);
    await answer(one?.id ?? '', 'reject');
    expect(await answered).toMatchObject({ error: { data: { code: 'approval_rejected' } } });
    expect(harness.audit).toEqual(['refused echo echo approval_rejected']);
  });

  it('that goes away, or is stopped, while it waits, runs nothing once it is agreed to', async () => {
    const client = await connect();
    const gone = call(client, 1, { n: 1 });
    const [one] = await waiting(1);
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    const stopped = call(client, 2, { n: 2 });
    await waiting(2);
    harness.kill('echo');
    expect(await stopped).toMatchObject({ error: { data: { code: 'kill_active' } } });
    harness.resume('echo');
    for (const { id } of await book.list('pending')) await answer(id, 'approve');
    expect([sent(), executed()]).toEqual([0, 0]);
    // Control: what was agreed to is still good for the next one.
    expect(await call(client, 3, { n: 1 })).toMatchObject({ result: { from: 'echo' } });
    expect((await book.find(one?.id ?? '')).approval.state).toBe('executed');
    void gone;
  });

  it('is held to what the rules say when it is agreed to', async () => {
    const client = await connect();
    const answered = call(client, 1, { n: 1 });
    const [one] = await waiting(1);
    harness.setRules(rulesOf('rules: [{ id: never, match: { tools: echo }, do: deny }]'));
    await answer(one?.id ?? '', 'approve');
    expect(await answered).toMatchObject({ error: { data: { code: 'policy_denied' } } });
    expect([sent(), executed()]).toEqual([0, 0]);
  });

  it.each([
    ['chooses the tool no more', 'tool_not_selected'],
    ['has the server no more', 'server_not_selected'],
  ])('is held to its profile as it is when it is agreed to: it %s', async (_, code) => {
    const client = await connect();
    const answered = call(client, 1, { n: 1 });
    const [one] = await waiting(1);
    if (code === 'tool_not_selected') servers['echo'] = { command: fixture('echo'), tools: ['other'] };
    else delete servers['echo'];
    await answer(one?.id ?? '', 'approve');
    expect(await answered).toMatchObject({ error: { data: { code } } });
    expect([sent(), executed()]).toEqual([0, 0]);
  });

  it('gets no prompt of a server that its profile has no more when it is agreed to', async () => {
    harness.setRules(rulesOf('rules: [{ id: ask, match: { servers: echo }, on: prompt, do: approve }]'));
    const client = await connect();
    const answered = client.request(1, 'prompts/get', { name: 'greet', arguments: { a: '1' } });
    const [one] = await waiting(1);
    delete servers['echo'];
    await answer(one?.id ?? '', 'approve');
    expect(await answered).toMatchObject({ error: { data: { code: 'mcp_server_unknown' } } });
    expect(executed()).toBe(0);
  });

  it('may repeat a call for as long as its session was agreed to, and nobody else', async () => {
    const [client, other] = [await connect(), await connect()];
    const answered = call(client, 1, { n: 1 });
    const [one] = await waiting(1);
    await answer(one?.id ?? '', 'approve', 'session');
    await answered;
    expect(await call(client, 2, { n: 1 })).toMatchObject({ result: { from: 'echo' } });
    void call(other, 1, { n: 1 });
    const [another] = await waiting(1);
    expect(another?.id).not.toBe(one?.id);
    expect(sent()).toBe(2);
  });
});

describe('a client that has waited long enough', () => {
  beforeEach(async () => {
    await harness.close();
    world.close();
    await start(0);
  });

  it('is told to ask again, with the same id, and then runs it once', async () => {
    const client = await connect();
    const first = await call(client, 1, { n: 1, to: 'main' });
    const [one] = await waiting(1);
    const id = one?.id ?? '';
    expect(first).toMatchObject({
      result: {
        isError: true,
        content: [{ text: expect.stringContaining(`waits for an approval, ${id}.`) as string }],
      },
    });
    expect(await call(client, 2, { to: 'main', n: 1 })).toEqual({ ...first, id: 2 });
    await answer(id, 'approve');
    expect(await call(client, 3, { to: 'main', n: 1 })).toMatchObject({ result: { from: 'echo' } });
    expect(await call(client, 4, { n: 1, to: 'main' })).toMatchObject({ result: { isError: true } });
    expect([sent(), executed()]).toEqual([1, 1]);
  });

  it('a prompt and a resource are held back too', async () => {
    harness.setRules(
      rulesOf('rules: [{ id: ask, match: { servers: echo }, on: [prompt, resource], do: approve }]'),
    );
    const client = await connect();
    const got = [
      await client.request(1, 'prompts/get', { name: 'greet', arguments: { a: '1' } }),
      await client.request(2, 'resources/read', { uri: 'echo://a' }),
    ];
    for (const one of got) expect(one).toMatchObject({ error: { data: { code: 'approval_pending' } } });
    expect(await client.request(3, 'resources/subscribe', { uri: 'echo://a' })).toMatchObject({
      error: { data: { code: 'policy_approval_required' } },
    });
    const held = (await book.list('pending')).map(({ about }) => about);
    expect(held).toHaveLength(2);
    expect(held).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ subject: 'prompt', name: 'greet', argumentsText: '{"a":"1"}' }),
        expect.objectContaining({ subject: 'resource', name: 'echo://a', argumentsText: null }),
      ]),
    );
  });

  it('a command is told at once', async () => {
    const operator = { ...principal('1000', null), profile: null };
    const text = await harness.front.callTool(operator, null, 'echo', 'echo', '{"n":1}');
    expect(text).toContain('waits for an approval');
    const [one] = await book.list('pending');
    await expect(
      book.answer(one?.id ?? '', {
        actor: operator.actor,
        decision: 'approve',
        scope: { kind: 'once' },
        reason: null,
      }),
    ).rejects.toMatchObject({ code: 'approval_own_request' });
  });
});

describe('a client of revision 2026-07-28', () => {
  it('is sent to an address, and what it comes back with runs once somebody agreed', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'echo' });
    const able = modern({ elicitation: { url: {} } });
    const asked = (await call(client, 1, { n: 1 }, able)) as { result: { requestState: string } };
    const [one] = await waiting(1);
    const id = one?.id ?? '';
    expect(asked).toMatchObject({
      result: {
        resultType: 'input_required',
        inputRequests: {
          approval: {
            method: 'elicitation/create',
            params: { mode: 'url', url: `http://gateway.example/approvals/${id}` },
          },
        },
      },
    });
    const { requestState } = asked.result;
    const back = { ...able, requestState, inputResponses: { approval: { action: 'accept' } } };
    const answered = call(client, 2, { n: 1 }, back);
    await answer(id, 'approve');
    expect(await answered).toMatchObject({ result: { from: 'echo' } });
    // Its handle is worth nothing: not again, and not for something else.
    for (const [n, args] of [{ n: 1 }, { n: 2 }].entries())
      expect(await call(client, 3 + n, args, able)).toMatchObject({
        result: { resultType: 'input_required' },
      });
    expect([sent(), executed()]).toEqual([1, 1]);
  });

  it('that cannot be sent anywhere is kept waiting like any other', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'echo' });
    const answered = call(client, 1, { n: 1 }, modern({}));
    const [one] = await waiting(1);
    await answer(one?.id ?? '', 'approve');
    expect(await answered).toMatchObject({ result: { from: 'echo', resultType: 'complete' } });
  });
});
