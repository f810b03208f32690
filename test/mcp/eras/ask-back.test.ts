/** A client with a session in front of a server that asks for input in the way of 2026-07-28. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rulesOf } from '../../policy/rules/asking.ts';
import { fixture, type Harness, type Parsed, principal, startHarness, type TestClient } from '../harness.ts';

const EVERYTHING = { sampling: {}, roots: {}, elicitation: { form: {}, url: {} } };

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ default: { modern: { command: fixture('modern') } } });
});
afterEach(() => harness.close());

const connect = async (capabilities: object): Promise<TestClient> => {
  const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'modern' });
  await client.initialize(capabilities);
  return client;
};
const start = (client: TestClient, id: unknown, name: string, args: object = {}): void =>
  client.send({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });

type Question = { readonly id: number; readonly method: string; readonly params?: Record<string, unknown> };
/** The questions that the client was asked, as they came. */
const questions = (client: TestClient): readonly Question[] =>
  client.lines
    .map((line) => JSON.parse(line) as Parsed)
    .filter((message) => message['id'] !== undefined && message['method'] !== undefined)
    .map((message) => message as unknown as Question);
const question = async (client: TestClient, method: string): Promise<Question> =>
  JSON.parse(await client.line((message) => message['method'] === method)) as Question;
const seen = (): Promise<string> =>
  harness.front.callTool(principal('uid', null), null, 'modern', 'seen', '{}');

describe('a question of a stateless server', () => {
  it('becomes a request to the client, and its answer goes back with the state', async () => {
    const [client, idle] = [await connect(EVERYTHING), await connect(EVERYTHING)];
    start(client, 1, 'ask');
    const asked = await question(client, 'elicitation/create');
    expect(asked.params).toEqual({
      mode: 'form',
      message: 'name?',
      requestedSchema: { type: 'object', properties: {} },
    });
    client.send(
      `{"jsonrpc":"2.0","id":${asked.id},"result":{"action":"accept","content":{"n":1.50},"x":true}}`,
    );
    expect(await client.answer(1)).toMatchObject({
      result: {
        content: [{ text: '[{"action":"accept","content":{"n":1.5},"x":true},"state of ask"]' }],
      },
    });
    expect(questions(idle)).toEqual([]);
    expect(harness.audit.filter((line) => line.includes(' ask'))).toEqual([
      'started modern ask',
      'finished modern ask ok',
    ]);
  });

  it('may be several at once, of every kind', async () => {
    const client = await connect(EVERYTHING);
    start(client, 1, 'ask-much');
    const [sampling, roots, form] = [
      await question(client, 'sampling/createMessage'),
      await question(client, 'roots/list'),
      await question(client, 'elicitation/create'),
    ];
    client.send({ jsonrpc: '2.0', id: form.id, result: { action: 'decline' } });
    client.send({ jsonrpc: '2.0', id: roots.id, result: { roots: [] } });
    client.send({ jsonrpc: '2.0', id: sampling.id, result: { role: 'assistant', model: 'm' } });
    const answer = (await client.answer(1)) as { result: { content: [{ text: string }] } };
    expect(JSON.parse(answer.result.content[0].text)).toEqual({
      e: { action: 'decline' },
      r: { roots: [] },
      s: { role: 'assistant', model: 'm' },
    });
  });

  it('to go to an address has the name that older clients expect', async () => {
    const client = await connect(EVERYTHING);
    start(client, 1, 'ask-url');
    const asked = await question(client, 'elicitation/create');
    expect(asked.params).toMatchObject({
      url: 'https://a.example/',
      elicitationId: expect.any(String) as string,
    });
    client.send({ jsonrpc: '2.0', id: asked.id, result: { action: 'accept' } });
    expect(await client.answer(1)).toMatchObject({
      result: { content: [{ text: '[{"action":"accept"},null]' }] },
    });
  });

  it('is put to a client that asks for a prompt too', async () => {
    const client = await connect(EVERYTHING);
    client.send({ jsonrpc: '2.0', id: 1, method: 'prompts/get', params: { name: 'greet' } });
    const asked = await question(client, 'elicitation/create');
    client.send({ jsonrpc: '2.0', id: asked.id, result: { action: 'cancel' } });
    expect(JSON.stringify(await client.answer(1))).toContain('cancel');
  });

  it('that is none but a state leads to another try', async () => {
    const client = await connect({});
    start(client, 1, 'state');
    expect(await client.answer(1)).toMatchObject({ result: { content: [{ text: 'only true' }] } });
  });

  it('ends the call with the error of the client where it refuses, and withdraws the others', async () => {
    const client = await connect(EVERYTHING);
    start(client, 1, 'ask-much');
    const sampling = await question(client, 'sampling/createMessage');
    const form = await question(client, 'elicitation/create');
    client.send({
      jsonrpc: '2.0',
      id: sampling.id,
      error: { code: -1, message: 'User rejected', data: { x: 1 } },
    });
    expect(await client.answer(1)).toMatchObject({
      error: { code: -1, message: 'User rejected', data: { x: 1 } },
    });
    const withdrawn = JSON.parse(
      await client.line(
        (message) =>
          message['method'] === 'notifications/cancelled' &&
          (message['params'] as { requestId: unknown }).requestId === form.id,
      ),
    ) as Parsed;
    expect(withdrawn).toMatchObject({ params: { requestId: form.id } });
  });

  it.each([
    ['forms', {}, 'ask'],
    ['forms, with addresses only', { elicitation: { url: {} } }, 'ask'],
    ['addresses', { elicitation: {} }, 'ask-url'],
    ['one of several', { elicitation: {}, roots: {} }, 'ask-much'],
  ])('is never put to a client that does not answer %s', async (_what, capabilities, tool) => {
    const client = await connect(capabilities);
    start(client, 1, tool);
    expect(await client.answer(1)).toMatchObject({ error: { data: { code: 'upstream_input_unsupported' } } });
    expect(questions(client)).toEqual([]);
  });

  it('is not asked for ever', async () => {
    const client = await connect(EVERYTHING);
    start(client, 1, 'ask-again');
    for (let answered = 0; answered < 8; answered += 1) {
      const line = await client.line((message) => JSON.stringify(message).includes(`"round ${answered}"`));
      const { id } = JSON.parse(line) as Question;
      client.send({ jsonrpc: '2.0', id, result: { action: 'accept' } });
    }
    expect(await client.answer(1)).toMatchObject({ error: { data: { code: 'upstream_input_endless' } } });
    expect(questions(client)).toHaveLength(8);
  });

  it('is withdrawn when the client cancels its call, and when it is stopped', async () => {
    const client = await connect(EVERYTHING);
    for (const [id, end] of [
      [1, () => client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })],
      [2, () => harness.kill('modern')],
    ] as const) {
      start(client, id, 'ask');
      const known = questions(client).length;
      await expect.poll(() => questions(client).length, { timeout: 10_000 }).toBe(known + 1);
      const asked = questions(client).at(-1);
      end();
      await client.line(
        (message) =>
          message['method'] === 'notifications/cancelled' &&
          (message['params'] as { requestId: unknown }).requestId === asked?.id,
      );
    }
    expect(await client.answer(2)).toMatchObject({ error: { data: { code: 'kill_active' } } });
    expect(harness.audit.filter((line) => line.startsWith('finished'))).toEqual([
      'finished modern ask cancelled mcp_cancelled',
      'finished modern ask failed kill_active',
    ]);
  });

  it('that cannot be masked ends the call with that, and withdraws the others', async () => {
    const mask = '{ id: a, on: tool, do: mask, mask: { detectors: [secrets], strategy: hash } }';
    harness.setRules(rulesOf(`rules: [${mask}]`));
    const client = await connect(EVERYTHING);
    start(client, 1, 'ask-deep');
    const { id } = await question(client, 'elicitation/create');
    expect(await client.answer(1)).toMatchObject({ error: { data: { code: 'mask_failed' } } });
    await client.line(({ method, params }) =>
      method === 'notifications/cancelled' ? (params as { requestId: unknown }).requestId === id : false,
    );
    expect(questions(client)).toHaveLength(1);
  });

  it('cannot be put to a command', async () => {
    const call = harness.front.callTool(principal('uid', null), null, 'modern', 'ask', '{}');
    await expect(call).rejects.toMatchObject({ code: 'client_absent' });
    expect(await seen()).toContain('tools/call');
  });
});
