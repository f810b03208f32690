/**
 * ATTACKS 13 and 22 against the owner's rules: requests that a rule is about, said so that no rule is asked, to a server that
 * takes them for what they are meant to be. Each is tried with the rule and without it: without it, it arrives.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { fixture, type Harness, principal, startHarness, type TestClient } from '../mcp/harness.ts';
import { rulesOf } from '../policy/rules/asking.ts';

const NONE = rulesOf('{}');

let harness: Harness;
let client: TestClient;
beforeEach(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo'), tools: '*' } } });
  client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'echo' });
  await client.initialize();
  await client.request('listed', 'tools/list');
});
afterEach(() => harness.close());

/** How many messages with one of these methods the server has read. */
async function arrived(methods: readonly string[]): Promise<number> {
  // It reads in the order in which it is sent something.
  await client.request('listed again', 'tools/list');
  harness.setRules(NONE);
  const seen = await harness.front.callTool(principal('uid', null), null, 'echo', 'seen', '{}');
  const { content } = JSON.parse(seen) as { content: [{ text: string }] };
  return (JSON.parse(content[0].text) as string[]).filter((method) => methods.includes(method)).length;
}

describe('a call that is sent as a notification', () => {
  const REFUSED = rulesOf('rules: [{ id: no-writes, match: { tools: write }, do: deny }]');
  const METHODS = [
    'tools/call',
    'prompts/get',
    'resources/read',
    'x/run',
    'Notifications/x',
    ' notifications/x',
  ];

  it('does not reach the server, which may not look whether it is one', async () => {
    harness.setRules(REFUSED);
    for (const method of METHODS)
      client.send(
        JSON.stringify({
          jsonrpc: '2.0',
          method,
          params: { name: 'write', uri: 'x', arguments: { mark: 'around' } },
        }),
      );
    // Asking what it has read is the only call.
    expect(await arrived(METHODS)).toBe(1);
  });

  it('the control: what is a notification does', async () => {
    client.send('{"jsonrpc":"2.0","method":"notifications/x","params":{}}');
    expect(await arrived(['notifications/x'])).toBe(1);
  });
});

describe('a name that is no text', () => {
  const REFUSED = rulesOf(`rules:
  - { id: no-secrets, match: { resources: '*secret*' }, do: deny }
  - { id: no-prompts, match: { prompts: '*secret*' }, do: deny }`);
  const PARAMS = [
    ['resources/read', { uri: ['file:///secret'] }],
    [
      'completion/complete',
      { ref: { type: 'ref/prompt', name: ['secret'] }, argument: { name: 'a', value: '' } },
    ],
    ['completion/complete', { ref: { type: 'prompt', name: 'secret' }, argument: { name: 'a', value: '' } }],
  ] as const;

  /** What the server made of them. */
  async function tried(): Promise<string> {
    const answers = [];
    for (const [index, [method, params]] of PARAMS.entries())
      answers.push(await client.request(index, method, params));
    return JSON.stringify(answers);
  }

  it('does not reach the server, which makes one of it', async () => {
    harness.setRules(REFUSED);
    expect(await tried()).not.toMatch(/echo/);
    expect(await arrived(['resources/read', 'completion/complete'])).toBe(0);
  });

  it('the control: without rules it does', async () => {
    const told = await tried();
    expect(told).toContain('echo file:///secret');
    expect(told.split('echo secret')).toHaveLength(3);
  });
});

describe('a prompt by a name that its server does not list', () => {
  const NAMES = ['GREET', ' greet', 'greet\u0000', 'gree\u0301t'];
  const tried = async (): Promise<readonly unknown[]> =>
    Promise.all(NAMES.map((name) => client.request(name, 'prompts/get', { name })));

  it('does not reach it where there are rules, whom it may give the one that is refused', async () => {
    harness.setRules(rulesOf('rules: [{ id: no-greeting, match: { prompts: greet }, do: deny }]'));
    for (const answer of await tried())
      expect(answer).toMatchObject({ error: { data: { code: 'mcp_prompt_unknown' } } });
    expect(await arrived(['prompts/get'])).toBe(0);
  });

  it('the control: without rules it does', async () => {
    await tried();
    expect(await arrived(['prompts/get'])).toBe(NAMES.length);
  });
});

describe('a resource whose name is as long as a book', () => {
  const read = () =>
    client.request('read', 'resources/read', { uri: `file:///${'~'.repeat(limits.policyUriCharsMax)}` });

  it('does not reach the server where there are rules', async () => {
    harness.setRules(rulesOf('rules: [{ id: no-etc, match: { resources: "file:///etc/*" }, do: deny }]'));
    expect(await read()).toMatchObject({ error: { data: { code: 'mcp_params_invalid' } } });
    expect(await arrived(['resources/read'])).toBe(0);
  });

  it('the control: without rules it does', async () => {
    expect(await read()).toHaveProperty('result');
  });
});

describe('a resource that is written in another way', () => {
  const NAMES = [
    'file:///etc/passwd',
    'FILE:///etc/passwd',
    'file:/etc/passwd',
    'file://localhost/etc/passwd',
    'file:////etc//passwd',
    'file:///etc/./passwd',
    'file:///var/../etc/passwd',
    'file:///%65tc/passwd',
    'file:///etc%2fpasswd',
    'file:///etc%252Fpasswd',
    'file:///var/%2e%2e/etc/passwd',
    'file:///var/.\t./etc/passwd',
    'file:///var/%2e\r\n%2e/etc/passwd',
    'file:///var%2f..%2fetc%2fpasswd',
    'file:\\\\\\etc\\passwd',
    'file:///etc/pass\twd',
    'file:///etc/passwd?x',
    'file:///etc/passwd#x',
  ];
  const RULES = [
    'rules: [{ id: no-etc, match: { resources: "file:///etc/passwd" }, do: deny }]',
    `rules: [{ id: no-etc, on: resource, when: 'call.resource == "file:///etc/passwd"', do: deny }]`,
    'default: deny\nrules: [{ id: public, match: { resources: "file:///var/*" }, do: allow }]',
  ];

  it.each(RULES)('is the same to a rule: %s', async (text) => {
    harness.setRules(rulesOf(text));
    for (const uri of NAMES)
      expect(await client.request(uri, 'resources/read', { uri }), uri).toMatchObject({
        error: { data: { code: expect.stringMatching(/^policy_(default_)?denied$/) as string } },
      });
    expect(await arrived(['resources/read'])).toBe(0);
  });

  it('the control: without rules each arrives, and what is meant by none does with them', async () => {
    for (const uri of NAMES) await client.request(uri, 'resources/read', { uri });
    for (const text of RULES) {
      harness.setRules(rulesOf(text));
      for (const uri of ['file:///var/log', 'file:///var/a%20b', 'file:///var/etc%20passwd?../x'])
        expect(await client.request(`${text}${uri}`, 'resources/read', { uri }), uri).toHaveProperty(
          'result',
        );
    }
    expect(await arrived(['resources/read'])).toBe(NAMES.length + 9);
  });
});

describe('methods that no rule can name, where rules refuse what they do not allow', () => {
  const CLOSED = rulesOf('default: deny\nrules: [{ id: reads, match: { tools: echo }, do: allow }]');

  const METHODS = ['x/run', 'tools/Call', 'tasks/list'];

  const tried = async (): Promise<unknown[]> => {
    const answers = [];
    for (const method of METHODS) answers.push(await client.request(method, method, { mark: 'around' }));
    return answers;
  };

  it('do not reach the server', async () => {
    harness.setRules(CLOSED);
    expect(await tried()).toEqual(
      Array.from({ length: 3 }, () =>
        expect.objectContaining({
          error: expect.objectContaining({
            data: expect.objectContaining({ code: 'policy_default_denied' }),
          }),
        }),
      ),
    );
    expect(await arrived(METHODS)).toBe(0);
  });

  it('the control: they do where rules allow what they do not refuse', async () => {
    await tried();
    expect(await arrived(METHODS)).toBe(3);
  });
});
