/** What a profile shows and lets through: tool choice, names, routing, kill switch, audit before the call. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { fixture, type Harness, type Parsed, principal, startHarness, type TestClient } from './harness.ts';

const toolNames = (answer: Parsed): string[] =>
  (answer as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name);

const LONG = `odd name/${'x'.repeat(80)}`;

describe('tool choice', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness({
      default: { echo: { command: fixture('echo') } },
      all: { echo: { command: fixture('echo'), tools: '*' } },
      some: { echo: { command: fixture('echo'), tools: ['write', 'not-there'], defaultTools: ['echo'] } },
      manifest: { echo: { command: fixture('echo'), defaultTools: ['echo', 'write'] } },
      none: { echo: { command: fixture('echo'), tools: [] } },
    });
  });
  afterEach(() => harness.close());

  const connect = async (profile: string): Promise<TestClient> => {
    const client = harness.stdio(principal('tok_1', profile), { profile, server: 'echo' });
    await client.initialize();
    return client;
  };

  it.each([
    ['all', ['echo', 'write', 'progress', 'wait', 'ask', 'fail', 'seen', 'roots', 'log', LONG]],
    ['default', ['echo', 'progress', 'wait', 'ask', 'fail', 'seen', 'roots', 'log', LONG]],
    ['some', ['write']],
    ['manifest', ['echo', 'write']],
    ['none', []],
  ])('%s: what is listed', async (profile, names) => {
    const client = await connect(profile);
    expect(toolNames(await client.request(1, 'tools/list'))).toEqual(names);
  });

  it.each([
    ['default', 'write', 'tool_not_selected'],
    ['some', 'echo', 'tool_not_selected'],
    ['none', 'echo', 'tool_not_selected'],
    ['all', 'made-up', 'tool_unknown'],
    ['some', 'not-there', 'tool_unknown'],
  ])('%s: calling %s is refused and recorded, and does not reach the server', async (profile, tool, code) => {
    const client = await connect(profile);
    expect(await client.request(1, 'tools/call', { name: tool })).toMatchObject({
      error: { data: { code } },
    });
    expect(harness.audit).toEqual([`refused echo ${tool} ${code}`]);
    const control = await harness.front.callTool(principal('uid', null), null, 'echo', 'seen', '{}');
    expect(control.match(/tools\/call/g)).toHaveLength(1);
  });

  it('holds for a name that is written with escapes', async () => {
    const client = await connect('default');
    client.send('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"n\\u0061me":"wr\\u0069te"}}');
    expect(await client.answer(1)).toMatchObject({ error: { data: { code: 'tool_not_selected' } } });
  });

  it('is recorded before the call, with its outcome after it', async () => {
    const client = await connect('all');
    await client.request(1, 'tools/call', { name: 'write' });
    await client.request(2, 'tools/call', { name: 'fail' });
    await client.request(3, 'tools/call', { name: 'seen' });
    expect(harness.audit).toEqual([
      'started echo write',
      'finished echo write tool_error',
      'started echo fail',
      'finished echo fail error -32042',
      'started echo seen',
      'finished echo seen ok',
    ]);
    expect(harness.calls[0]).toMatchObject({ profile: 'all', server: 'echo', tool: 'write', cell: 'cell_0' });
    expect(harness.calls[0]?.id).toMatch(/^call_[0-9a-z]{16}$/);
  });

  it('does not call what cannot be recorded', async () => {
    const client = await connect('all');
    harness.failAudit(true);
    expect(await client.request(1, 'tools/call', { name: 'write' })).toMatchObject({
      error: { data: { code: 'audit_unavailable' } },
    });
    harness.failAudit(false);
    const seen = JSON.stringify(await client.request(2, 'tools/call', { name: 'seen' }));
    expect(seen.match(/tools\/call/g)).toHaveLength(1);
  });
});

describe('kill switch', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness({
      default: { a: { command: fixture('echo', 'a') }, b: { command: fixture('echo', 'b') } },
    });
  });
  afterEach(() => harness.close());

  it('refuses new requests for a server and ends those in flight, at once', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
    await client.initialize();
    client.send({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'a__wait', arguments: { label: 'x' } },
    });
    await client.line((message) => JSON.stringify(message).includes('waiting x'));
    harness.kill('a');
    const refused = { error: { code: -32000, data: { code: 'kill_active', hint: 'sallyport resume' } } };
    expect(await client.answer(1)).toMatchObject(refused);
    expect(await client.request(2, 'tools/call', { name: 'a__echo' })).toMatchObject(refused);
    expect(harness.audit).toContain('finished a wait failed kill_active');
    expect(harness.audit).toContain('refused a echo kill_active');
    expect(await client.request(3, 'tools/call', { name: 'b__seen' })).toMatchObject({ result: {} });
    expect(toolNames(await client.request(4, 'tools/list')).some((name) => name.startsWith('a__'))).toBe(
      false,
    );
    harness.resume('a');
    const seen = JSON.stringify(await client.request(5, 'tools/call', { name: 'a__seen' }));
    expect(seen).toContain('cancelled x');
  });

  it('refuses everything and keeps its clients, for when it is lifted', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
    await client.initialize();
    const single = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'a' });
    await single.initialize();
    harness.kill('everything');
    const refused = { error: { data: { code: 'kill_active' } } };
    expect(await client.request(1, 'tools/list')).toMatchObject(refused);
    expect(await client.request(2, 'tools/call', { name: 'a__echo' })).toMatchObject(refused);
    expect(await single.request(3, 'tools/list')).toMatchObject(refused);
    expect(await single.request(4, 'tools/call', { name: 'echo' })).toMatchObject(refused);
    expect(harness.audit.filter((line) => line === 'refused a echo kill_active')).toHaveLength(2);
    const late = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
    expect(await late.initialize()).toMatchObject(refused);
    harness.resume('everything');
    expect(await client.request(5, 'tools/call', { name: 'a__echo' })).toMatchObject({ result: {} });
  });

  it('ends the sessions of a caller', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
    const other = harness.stdio(principal('tok_2', 'default'), { profile: 'default' });
    await Promise.all([client.initialize(), other.initialize()]);
    harness.kill('tok_1');
    await client.closed;
    expect(await other.request(1, 'tools/call', { name: 'b__seen' })).toMatchObject({ result: {} });
  });
});

describe('the endpoint of a whole profile', () => {
  let harness: Harness;
  let client: TestClient;
  beforeEach(async () => {
    harness = await startHarness({
      default: {
        one: { command: fixture('echo', 'one') },
        two: { command: fixture('echo', 'two'), tools: ['echo'] },
        old: { command: fixture('old') },
      },
    });
    client = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
    await client.initialize();
  });
  afterEach(() => harness.close());

  it('starts nothing before it is needed', () => {
    expect(harness.transports).toHaveLength(0);
  });

  it('lists the chosen tools of all servers under names that every client takes', async () => {
    const names = toolNames(await client.request(1, 'tools/list'));
    expect(names).toContain('one__echo');
    expect(names.filter((name) => name.startsWith('two__'))).toEqual(['two__echo']);
    expect(names).toContain('old__hello');
    expect(names).not.toContain('one__write');
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect(client.lines.join()).toContain('"x-unknown-keyword":{"a":[1.0,2.50]}');
  });

  it('calls the tool behind a name, also behind one that was cut', async () => {
    const echoed = await client.request(1, 'tools/call', { name: 'two__echo', arguments: { a: 1 } });
    expect(echoed).toMatchObject({ result: { from: 'two' } });
    expect(JSON.stringify(echoed)).toContain('\\"name\\":\\"echo\\"');
    const cut = toolNames(await client.request(2, 'tools/list')).find((name) => name.startsWith('one__odd'));
    expect(await client.request(3, 'tools/call', { name: cut })).toMatchObject({
      result: { content: [{ text: `called ${LONG}` }] },
    });
  });

  it.each(['two__write', 'two__wait'])('refuses the unchosen %s', async (name) => {
    expect(await client.request(1, 'tools/call', { name })).toMatchObject({
      error: { data: { code: 'tool_not_selected' } },
    });
  });

  it.each(['three__echo', 'echo', '__echo', 'one_echo', 'ONE__echo'])('does not know %s', async (name) => {
    expect(await client.request(1, 'tools/call', { name })).toMatchObject({
      error: { code: -32602, data: { code: 'mcp_tool_unknown' } },
    });
  });

  it('routes prompts and completion by name', async () => {
    expect(JSON.stringify(await client.request(1, 'prompts/list'))).toContain('"two__greet"');
    expect(JSON.stringify(await client.request(2, 'prompts/get', { name: 'two__greet' }))).toContain(
      'two greet',
    );
    const ref = { type: 'ref/prompt', name: 'one__greet' };
    expect(
      JSON.stringify(
        await client.request(3, 'completion/complete', { ref, argument: { name: 'a', value: '' } }),
      ),
    ).toContain('one greet');
  });

  it('routes resources to who listed them, and keeps equal URIs apart', async () => {
    const listed = JSON.stringify(await client.request(1, 'resources/list'));
    expect(listed).toContain('"shared://x"');
    expect(listed).toContain('"sallyport://two/shared%3A%2F%2Fx"');
    const read = async (id: number, uri: string) =>
      JSON.stringify(await client.request(id, 'resources/read', { uri }));
    expect(await read(2, 'two://one')).toContain('two two://one');
    expect(await read(3, 'shared://x')).toContain('one shared://x');
    expect(await read(4, 'sallyport://two/shared%3A%2F%2Fx')).toContain('two shared://x');
    expect(await read(5, 'two-t://17/end')).toContain('two two-t://17/end');
    expect(await read(6, 'two-t://17/other')).toContain('mcp_resource_unknown');
    expect(await read(7, 'sallyport://three/x')).toContain('mcp_resource_unknown');
  });

  it('routes a resource that this session has not listed', async () => {
    expect(JSON.stringify(await client.request(1, 'resources/read', { uri: 'two://one' }))).toContain(
      'two two://one',
    );
  });

  it('says what it does not serve', async () => {
    expect(await client.request(1, 'x-vendor/method')).toMatchObject({ error: { code: -32601 } });
  });
});

describe('calls outside a session', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness({ default: { echo: { command: fixture('echo') } } });
  });
  afterEach(() => harness.close());
  const operator = principal('uid', null);

  it("give the server's result exactly", async () => {
    const result = await harness.front.callTool(operator, null, 'echo', 'echo', '{"n": 1.0}');
    expect(result).toMatch(/^\{"content":\[\{"type":"x-new-content","n":12345678901234567890,"d":1\.10\}\]/);
    expect(result).toContain('{\\"n\\": 1.0}');
  });

  it.each(['', '[]', '1', '{"a":1,"a":2}', '{"a":', '{} {}'])('refuse the arguments %j', async (text) => {
    await expect(harness.front.callTool(operator, null, 'echo', 'echo', text)).rejects.toMatchObject({
      code: 'mcp_arguments_invalid',
      kind: 'invalid',
    });
  });

  it('name the servers that there are', async () => {
    const call = harness.front.callTool(operator, null, 'ecko', 'echo', '{}');
    await expect(call).rejects.toMatchObject({
      code: 'mcp_server_unknown',
      kind: 'not_found',
      hint: 'There are: echo.',
    });
  });

  it("carry the server's error for whoever asks for details", async () => {
    const call = harness.front.callTool(operator, null, 'echo', 'fail', '{}');
    await expect(call).rejects.toMatchObject({
      code: 'upstream_error',
      message: 'The server "echo" answered with an error: no',
      hint: expect.stringContaining('`sallyport audit tail`') as string,
      detail: { error: '{"code":-32042,"message":"no","data":{"n":1.0},"x":1}' },
    });
    await expect(call).rejects.toBeInstanceOf(AppError);
  });

  it('are held to the profile of the caller', async () => {
    const call = harness.front.callTool(principal('tok_1', 'default'), null, 'echo', 'write', '{}');
    await expect(call).rejects.toMatchObject({ code: 'mcp_profile_mismatch' });
  });

  it('list every tool as the server gives it', async () => {
    const tools = JSON.parse(await harness.front.listTools(operator, 'echo')) as { name: string }[];
    expect(tools).toHaveLength(10);
  });
});
