/** The owner's rules at the gate: what is called, got, read, completed and listed, over every door. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rulesOf } from '../policy/rules/asking.ts';
import { fixture, type Harness, type Parsed, principal, startHarness, type TestClient } from './harness.ts';

const who = principal('tok_1', 'default');
const toolNames = (answer: Parsed): string[] =>
  (answer as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name);
const refusal = (code: string, rule?: string) => ({
  error: {
    data: { code },
    ...(rule === undefined ? {} : { message: expect.stringContaining(`Rule: ${rule}.`) as string }),
  },
});

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo'), tools: '*' } } });
});
afterEach(() => harness.close());

async function connect(server?: string): Promise<TestClient> {
  const client = harness.stdio(who, { profile: 'default', ...(server === undefined ? {} : { server }) });
  await client.initialize();
  return client;
}

/** How often the server was asked for this. */
async function arrived(method: string): Promise<number> {
  harness.setRules(rulesOf('{}'));
  const seen = await harness.front.callTool(principal('uid', null), null, 'echo', 'seen', '{}');
  return seen.split(method).length - 1;
}

describe.each([
  ['one server', 'echo', ''],
  ['a whole profile', undefined, 'echo__'],
])('at the endpoint of %s', (_, server, prefix) => {
  it('a tool that is refused is told why, is on record, and does not arrive', async () => {
    const client = await connect(server);
    harness.setRules(
      rulesOf(`
rules:
  - { id: no-secrets, match: { servers: echo, tools: echo }, when: 'mentions(args, ["secret"])', do: deny, message: Keep it here }`),
    );
    const call = (id: number, text: string) =>
      client.request(id, 'tools/call', { name: `${prefix}echo`, arguments: { deep: [{ text }] } });
    expect(await call(1, 'a SECRET')).toMatchObject({
      error: {
        message: expect.stringContaining(
          'Keep it here. Rule: no-secrets. Allowed is what does not meet its condition: ',
        ) as string,
        data: {
          code: 'policy_denied',
          hint: 'Allowed is what does not meet its condition: mentions(args, ["secret"])',
        },
      },
    });
    expect(harness.audit).toEqual(['refused echo echo policy_denied']);
    expect(await call(2, 'nothing')).toMatchObject({ result: { from: 'echo' } });
  });

  it('what somebody is to be told of is on record before it begins, whatever becomes of it', async () => {
    const client = await connect(server);
    harness.setRules(
      rulesOf(`
rules:
  - { id: told, match: { servers: echo, tools: echo }, do: alert }
  - { id: never, match: { servers: echo, tools: echo }, when: 'mentions(args, ["x"])', do: deny }`),
    );
    const call = (id: number, text: string) =>
      client.request(id, 'tools/call', { name: `${prefix}echo`, arguments: { text } });
    expect(await call(1, 'a')).toMatchObject({ result: { from: 'echo' } });
    expect(harness.audit).toEqual([
      'alerted echo echo told warning allow',
      'started echo echo',
      'finished echo echo ok',
    ]);
    harness.audit.length = 0;
    expect(await call(2, 'x')).toMatchObject(refusal('policy_denied', 'never'));
    expect(harness.audit).toEqual(['alerted echo echo told warning deny', 'refused echo echo policy_denied']);
  });

  it('prompts and resources are asked for by the names that the server has', async () => {
    const client = await connect(server);
    await client.request(1, 'resources/list');
    const uri = ((await client.request(2, 'resources/list')) as { result: { resources: { uri: string }[] } })
      .result.resources[0]?.uri;
    harness.setRules(
      rulesOf(`
rules:
  - { id: no-prompt, match: { prompts: greet }, when: 'args.who == "eve"', do: deny }
  - { id: no-file, match: { servers: echo, resources: '*' }, do: deny }`),
    );
    expect(
      await client.request(3, 'prompts/get', { name: `${prefix}greet`, arguments: { who: 'eve' } }),
    ).toMatchObject(refusal('policy_denied', 'no-prompt'));
    expect(
      await client.request(4, 'prompts/get', { name: `${prefix}greet`, arguments: { who: 'bob' } }),
    ).toMatchObject({ result: {} });
    expect(await client.request(5, 'resources/read', { uri })).toMatchObject(
      refusal('policy_denied', 'no-file'),
    );
    expect(await client.request(6, 'resources/subscribe', { uri })).toMatchObject(
      refusal('policy_denied', 'no-file'),
    );
    expect(await arrived('resources/read')).toBe(0);
    expect(await arrived('resources/subscribe')).toBe(0);
    expect(await client.request(7, 'resources/read', { uri })).toMatchObject({ result: {} });
  });

  it('lists show what some call could be allowed for, and tell of other rules at once', async () => {
    const client = await connect(server);
    expect(toolNames(await client.request(1, 'tools/list'))).toContain(`${prefix}write`);
    harness.setRules(
      rulesOf(`
default: deny
rules:
  - { id: reads, when: 'has(annotations.readOnlyHint) && annotations.readOnlyHint == true', do: allow }
  - { id: no-log, match: { tools: [log] }, do: deny }
  - { id: small, match: { tools: [echo] }, when: 'size(args) > 3', do: deny }`),
    );
    await client.line((message) => message['method'] === 'notifications/tools/list_changed');
    const names = toolNames(await client.request(2, 'tools/list'));
    expect(names).toContain(`${prefix}echo`);
    expect(names).not.toContain(`${prefix}write`);
    expect(names).not.toContain(`${prefix}log`);
    expect(await client.request(3, 'prompts/list')).toMatchObject({ result: { prompts: [] } });
    expect(await client.request(4, 'tools/call', { name: `${prefix}write` })).toMatchObject(
      refusal('policy_default_denied'),
    );
    expect(
      await client.request(5, 'completion/complete', {
        ref: { type: 'ref/prompt', name: `${prefix}greet` },
        argument: { name: 'who', value: '' },
      }),
    ).toMatchObject(refusal('policy_default_denied'));
    expect(await arrived('completion/complete')).toBe(0);
  });
});

describe.each([
  ['one server', 'echo'],
  ['a whole profile', undefined],
])('resources at the endpoint of %s', (_, server) => {
  const uris = (answer: Parsed): string[] =>
    (answer as { result: { resources: { uri: string }[] } }).result.resources.map(({ uri }) => uri);
  const templates = (answer: Parsed): unknown[] =>
    (answer as { result: { resourceTemplates: unknown[] } }).result.resourceTemplates;

  it('are listed as far as they could be read', async () => {
    const client = await connect(server);
    expect(uris(await client.request(1, 'resources/list'))).toEqual(['echo://one', 'shared://x']);
    expect(templates(await client.request(2, 'resources/templates/list'))).toHaveLength(1);
    harness.setRules(rulesOf(`rules: [{ id: one, match: { resources: 'echo*://*' }, do: deny }]`));
    await client.line((message) => message['method'] === 'notifications/resources/list_changed');
    expect(uris(await client.request(3, 'resources/list'))).toEqual(['shared://x']);
    expect(templates(await client.request(4, 'resources/templates/list'))).toEqual([]);
    const complete = (id: number): Promise<Parsed> =>
      client.request(id, 'completion/complete', {
        ref: { type: 'ref/resource', uri: 'echo-t://{id}/end' },
        argument: { name: 'id', value: '' },
      });
    expect(await complete(5)).toMatchObject(refusal('policy_denied', 'one'));
    harness.setRules(rulesOf(`rules: [{ id: one, match: { resources: 'echo-t://7/*' }, do: deny }]`));
    expect(templates(await client.request(6, 'resources/templates/list'))).toHaveLength(1);
    expect(await complete(7)).toMatchObject({ result: {} });
  });

  it('are not watched by listening either', async () => {
    harness.setRules(rulesOf(`rules: [{ id: one, match: { resources: 'echo://*' }, do: deny }]`));
    const client = harness.stdio(who, { profile: 'default', ...(server === undefined ? {} : { server }) });
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const notifications = { resourceSubscriptions: ['echo://one', 'shared://x'] };
    const params = { notifications, _meta: meta };
    client.send({ jsonrpc: '2.0', id: 'sub', method: 'subscriptions/listen', params });
    const told = await client.line(({ method }) => method === 'notifications/subscriptions/acknowledged');
    expect(JSON.parse(told)).toMatchObject({
      params: { notifications: { resourceSubscriptions: ['shared://x'] } },
    });
    expect(harness.audit).toEqual(['refused echo resource echo://one policy_denied']);
    expect(await arrived('resources/subscribe')).toBe(1);
  });
});

it('a server without sessions is not asked to report what no rule lets be watched', async () => {
  await harness.close();
  harness = await startHarness({ default: { modern: { command: fixture('modern'), tools: '*' } } });
  const client = harness.stdio(who, { profile: 'default', server: 'modern' });
  await client.initialize();
  harness.setRules(rulesOf(`rules: [{ id: one, match: { resources: 'modern://one' }, do: deny }]`));
  expect(await client.request(1, 'resources/subscribe', { uri: 'modern://one' })).toMatchObject(
    refusal('policy_denied', 'one'),
  );
  expect(await client.request(2, 'resources/subscribe', { uri: 'modern://two' })).toMatchObject({
    result: {},
  });
});

it('names and arguments are judged as the server will read them', async () => {
  const client = await connect('echo');
  harness.setRules(
    rulesOf(
      `rules: [{ id: one, match: { tools: write }, do: deny }, { id: two, when: 'has(args.force)', do: deny }]`,
    ),
  );
  client.send('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"n\\u0061me":"wr\\u0069te"}}');
  expect(await client.answer(1)).toMatchObject(refusal('policy_denied', 'one'));
  client.send(
    '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"f\\u006frce":1}}}',
  );
  expect(await client.answer(2)).toMatchObject(refusal('policy_denied', 'two'));
  client.send(
    '{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"a":{"force":1}}}}',
  );
  client.send(
    '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"echo","arguments":{"__proto__":{"force":1}}}}',
  );
  expect(await client.answer(4)).toMatchObject({ result: { from: 'echo' } });
  expect(await arrived('tools/call')).toBe(2);
});

it('over HTTP the address of each request is known', async () => {
  harness.setRules(
    rulesOf('rules: [{ id: net, template: client-networks, with: { networks: [192.0.2.0/24] } }]'),
  );
  const call = async () => {
    const response = await fetch(`${harness.url}/mcp/default/echo`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer good.default',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'echo',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name: 'echo',
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
            'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
          },
        },
      }),
    });
    return response.text();
  };
  expect(await call()).toContain('policy_denied');
  harness.setRules(
    rulesOf('rules: [{ id: net, template: client-networks, with: { networks: [127.0.0.0/8] } }]'),
  );
  expect(await call()).toContain('"from":"echo"');
});
