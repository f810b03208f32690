/**
 * ATTACKS 21: what goes to a server with a call that somebody agreed to, and that nobody saw: answers to its questions, members
 * beside the parameters or in `_meta`, words that a client says of itself.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Parsed, principal } from '../mcp/harness.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { agree, ApprovalGateways, approved, ASK_FIRST, nextId, PAYMENT, WAITS } from './approval-gateways.ts';

let gateways: ApprovalGateways;
beforeEach(() => {
  gateways = new ApprovalGateways();
});
afterEach(() => gateways.close());

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('answers to a question that a server asks', () => {
  const KEY = 'io.modelcontextprotocol/';
  const answers = (n: number) => ({
    requestState: 'state of ask',
    inputResponses: { who: { action: 'accept', content: { n } } },
  });

  it.each([
    ['once', { kind: 'once' }, { elicitation: {} }],
    ['for a while', { kind: 'minutes', minutes: 30 }, { elicitation: {} }],
    ['once, by one who can be sent elsewhere', { kind: 'once' }, { elicitation: { form: {}, url: {} } }],
  ] as const)('are none that somebody agreed to with the call, %s', async (_, scope, capabilities) => {
    const one = await gateways.replica('tok_1', 'modern');
    one.harness.setRules(rulesOf('rules: [{ id: ask-first, match: { tools: ask }, do: approve }]'));
    const client = one.harness.stdio(principal('tok_1', 'default'), {
      profile: 'default',
      server: 'modern',
    });
    const _meta = {
      [`${KEY}protocolVersion`]: '2026-07-28',
      [`${KEY}clientCapabilities`]: capabilities,
    };
    const send = (more: object = {}): Promise<Parsed> =>
      client.request(nextId(), 'tools/call', { name: 'ask', arguments: {}, _meta, ...more });
    const agreed = (): Promise<string | null | undefined> => agree(one.book, scope);
    await send();
    expect(await agreed()).toBeNull();
    // Not in place of what was agreed to, and not after it.
    expect(await send(answers(1))).toMatchObject(WAITS);
    expect(gateways.sent()).toBe(0);
    expect(await send()).toMatchObject({
      result: { resultType: 'input_required', requestState: 'state of ask' },
    });
    expect(await send(answers(1))).toMatchObject(WAITS);
    expect(gateways.sent()).toBe(1);
    expect(JSON.parse((await agreed()) ?? '')).toEqual(answers(1));
    expect(await send(answers(2))).toMatchObject(WAITS);
    expect(gateways.sent()).toBe(1);
    // Control: the answers that somebody was shown.
    const text = JSON.stringify([answers(1).inputResponses.who, 'state of ask']);
    expect(await send(answers(1))).toMatchObject({ result: { content: [{ text }] } });
    expect(gateways.sent()).toBe(2);
  });
});

describe('what nobody was shown', () => {
  it('does not go with what they agreed to', async () => {
    const one = await gateways.replica();
    const params = `{"name":"echo","arguments":${PAYMENT},"_meta":{"progressToken":"p","vendor/amount":1000,"io.modelcontextprotocol/amount":1000,"io.modelcontextprotocol/clientInfo":{"name":"pay 1000"},"tracestate":"pay=1000","baggage":"pay=1000","traceparent":"${TRACE}"}}`;
    const unseen = ['vendor/amount', 'io.modelcontextprotocol/amount', 'clientInfo', 'tracestate', 'baggage'];
    const send = async (id: string): Promise<string> => {
      one.client.send(`{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":${params}}`);
      return JSON.stringify(await one.client.answer(id));
    };
    // Control: where nobody has to agree, all of it is the server's business.
    one.harness.setRules(rulesOf('rules: []'));
    const free = await send('free');
    for (const name of unseen) expect(free).toContain(name);
    one.harness.setRules(ASK_FIRST);
    await approved(one);
    const answer = await send('held');
    for (const name of unseen) expect(answer).not.toContain(name);
    expect(answer).toContain('progressToken');
    expect(answer).toContain(TRACE);
    expect(gateways.sent()).toBe(2);
  });

  it('does not stand beside the parameters, nor in one that names another kind of thing', async () => {
    const one = await gateways.replica();
    const send = async (method: string, params: object): Promise<string> => {
      const id = nextId();
      const text = JSON.stringify({ jsonrpc: '2.0', 'vendor/amount': 1_000, id, method, params });
      one.client.send(text);
      return JSON.stringify(await one.client.answer(id));
    };
    const agreed = (): Promise<string | null | undefined> => agree(one.book);
    const payment = { name: 'echo', arguments: { to: 'alice', amount: 1 } };
    // Control: where nobody has to agree, all of it is the server's business.
    one.harness.setRules(rulesOf('rules: []'));
    expect(await send('tools/call', payment)).toContain('vendor/amount');
    one.harness.setRules(
      rulesOf('rules: [{ id: ask, match: { servers: echo }, on: [tool, prompt, resource], do: approve }]'),
    );
    for (const [method, plain, other] of [
      ['tools/call', payment, { uri: 'pay://1000' }],
      ['prompts/get', { name: 'greet' }, { uri: 'pay://1000' }],
      ['resources/read', { uri: 'echo://a' }, { name: 'pay 1000' }],
    ] as const) {
      expect(await send(method, plain)).toContain('waits for an approval');
      expect(await agreed()).toBeNull();
      // One with more in it is another request, in which that is shown.
      expect(await send(method, { ...plain, ...other })).toContain('waits for an approval');
      expect(JSON.parse((await agreed()) ?? 'null')).toEqual(other);
      const answer = await send(method, plain);
      expect(answer).toContain('"result"');
      expect(answer).not.toContain('vendor/amount');
    }
  });

  it('is no level of a log that nobody has', async () => {
    const one = await gateways.replica('tok_1', 'modern');
    one.harness.setRules(rulesOf('rules: [{ id: ask-first, match: { tools: echo }, do: approve }]'));
    const levelled = async (level: string): Promise<string> => {
      await one.client.request(nextId(), 'logging/setLevel', { level });
      const send = async (): Promise<string> =>
        JSON.stringify(
          await one.client.request(nextId(), 'tools/call', { name: 'echo', arguments: { level } }),
        );
      await send();
      await agree(one.book);
      return send();
    };
    // Control: one of the protocol's goes.
    expect(await levelled('warning')).toContain('io.modelcontextprotocol/logLevel');
    expect(await levelled('pay 1000')).not.toContain('io.modelcontextprotocol/logLevel');
    expect(gateways.sent()).toBe(2);
  });

  it('is nothing that a client says of itself with each request', async () => {
    const one = await gateways.replica('tok_1', 'modern');
    const ask = rulesOf('rules: [{ id: ask-first, match: { tools: echo }, do: approve }]');
    const client = one.harness.stdio(principal('tok_1', 'default'), {
      profile: 'default',
      server: 'modern',
    });
    const send = async (capabilities: object, traceparent = TRACE): Promise<string> => {
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'pay 1000', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': capabilities,
        traceparent,
      };
      const params = { name: 'echo', arguments: {}, _meta };
      return JSON.stringify(await client.request(nextId(), 'tools/call', params));
    };
    const agreed = (): Promise<string | null | undefined> => agree(one.book);
    one.harness.setRules(ask);
    const plain = { elicitation: { form: { applyDefaults: true } }, roots: { listChanged: true } };
    expect(await send(plain)).toContain('waits for an approval');
    expect(await agreed()).toBeNull();
    // Words of its own are another request, and are shown.
    const more = { elicitation: {}, experimental: { pay: { amount: 1_000 } } };
    expect(await send(more)).toContain('waits for an approval');
    expect(JSON.parse((await agreed()) ?? '')).toEqual({
      _meta: { 'io.modelcontextprotocol/clientCapabilities': more },
    });
    expect(gateways.sent()).toBe(0);
    const quiet = await send(plain, 'pay 1000');
    expect(quiet).toContain('applyDefaults');
    expect(quiet).not.toContain('1000');
    const told = await send(more);
    expect([told.includes('amount'), told.includes(TRACE), told.includes('pay 1000')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(gateways.sent()).toBe(2);
    // Control: where nobody has to agree, its server is told who asks.
    one.harness.setRules(rulesOf('rules: []'));
    expect(await send(plain)).toContain('pay 1000');
  });
});
