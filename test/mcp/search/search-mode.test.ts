/**
 * Profiles that are searched: what their clients are shown, that finding starts nothing, and that a call through `call_tool`
 * is the call itself. Features that take several messages are `matrix`'s, which has the same way in.
 */
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CellId } from '../../../src/kernel/index.ts';
import { definitionHash } from '../../../src/mcp/pinning/definition-hash.ts';
import type { ApprovedTool } from '../../../src/mcp/index.ts';
import { NO_RULES } from '../../../src/policy/index.ts';
import { fixture, type Harness, type Parsed, principal, startHarness, type TestClient } from '../harness.ts';
import {
  type Got,
  json,
  resultOf as resultTo,
  type StandIn,
  standIn,
  transportTo,
} from '../remote/stand-in.ts';
import { rulesOf } from '../../policy/rules/asking.ts';
import { CATALOGUES } from './catalogues.ts';

const approvedTool = (definition: { readonly name: string }): ApprovedTool => {
  const text = JSON.stringify(definition);
  return { name: definition.name, text, hash: definitionHash(text) };
};
const reading = { inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } };
const LONG = `odd name/${'x'.repeat(80)}`;
/** Of the echo server, what it lists in part, with words to be found by. */
const ECHO = [
  { name: 'echo', description: 'Repeats what it is told', ...reading, 'x-vendor': 1, server: 'not-me' },
  { name: 'write', description: 'Repeats on paper', inputSchema: { type: 'object' } },
  { name: LONG, description: 'Repeats oddly', ...reading },
].map(approvedTool);

const MIRRORED = approvedTool({
  name: 'query',
  description: 'Asks a region',
  inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } },
  annotations: { readOnlyHint: true },
} as { name: string });

interface Found {
  readonly tools: readonly { readonly server: string; readonly name: string }[];
  readonly more: boolean;
  readonly note?: string;
}
interface Answer {
  readonly content: readonly { readonly text: string }[];
  readonly structuredContent: Found;
  readonly isError?: boolean;
  readonly _meta?: object;
}
const resultOf = (parsed: Parsed): Answer => (parsed as { result: Answer }).result;

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'new', version: '2' },
};

let harness: Harness;
let far: StandIn;
const approved: Record<string, readonly ApprovedTool[]> = {};
let id = 0;
beforeAll(async () => {
  const a = { command: fixture('echo', 'a') };
  const mirrored = { command: fixture('mirrored') };
  const stored = ['github', 'slack', 'postgres', 'files'].map((slug) => [slug, { command: [] }] as const);
  // It asks for a header where none can be: no client with headers is shown it in a list.
  const wrongTool = approvedTool({
    name: 'wrong',
    inputSchema: { properties: { list: { items: { type: 'string', 'x-mcp-header': 'Region' } } } },
    annotations: { readOnlyHint: true },
  } as { name: string });
  Object.assign(approved, { a: ECHO, b: ECHO, mirrored: [MIRRORED, wrongTool], far: [MIRRORED] }, CATALOGUES);
  far = await standIn(elsewhere, true);
  const transport = (cell: CellId) => transportTo(far.url, cell);
  harness = await startHarness(
    {
      remote: { far: { command: [], transport } },
      found: { a, b: { command: fixture('echo', 'b'), tools: ['write', LONG] }, mirrored },
      many: Object.fromEntries([...stored, ['unseen', { command: [] }]]),
      some: { a: { ...a, tools: [] } },
      plain: { a },
    },
    {
      searchProfiles: ['found', 'many', 'some', 'remote'],
      approved,
    },
  );
});
afterAll(async () => {
  await harness.close();
  await far.close();
});

/** A server elsewhere without sessions, with one tool that wants its parameter repeated. */
function elsewhere(got: Got, res: ServerResponse): void {
  const answers: Readonly<Record<string, object>> = {
    'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
    'tools/list': { tools: [JSON.parse(MIRRORED.text)] },
    'tools/call': { content: [] },
  };
  const answer = answers[String(got.message['method'])];
  if (answer === undefined) res.writeHead(404).end();
  else json(res, resultTo(got, { resultType: 'complete', ...answer }));
}

async function connect(profile: string): Promise<TestClient> {
  const client = harness.stdio(principal('tok_1', profile), { profile });
  await client.initialize();
  return client;
}
const use = async (client: TestClient, name: string, given: object, more: object = {}): Promise<Parsed> =>
  client.request((id += 1), 'tools/call', { name, arguments: given, ...more });
const find = async (client: TestClient, given: object): Promise<Answer> =>
  resultOf(await use(client, 'find_tools', given));
const namesOf = ({ structuredContent }: Answer): string[] => structuredContent.tools.map(({ name }) => name);

describe('finding', () => {
  it('is what two tools are listed for, which say what is behind them', async () => {
    const client = await connect('many');
    const listed = await client.request(1, 'tools/list');
    const { tools } = (listed as { result: { tools: { name: string; description: string }[] } }).result;
    expect(tools.map(({ name }) => name)).toEqual(['find_tools', 'call_tool']);
    // Of 56, those that only read: nothing selects the others.
    expect(tools[0]?.description).toContain('36 tools can be used here');
    expect(tools[0]?.description).toContain('github (14), slack (5), postgres (8), files (9).');
    expect(resultOf(listed)._meta).toEqual({
      'app.sallyport/leftOut': [{ server: 'unseen', code: 'definitions_unapproved' }],
    });
  });

  it('gives whole definitions, structured and as text, under the names that they are called by', async () => {
    const client = await connect('found');
    const answer = await find(client, { query: 'repeat what I say' });
    expect(answer.structuredContent.tools[0]).toEqual({
      server: 'a',
      name: 'a__echo',
      description: 'Repeats what it is told',
      ...reading,
      'x-vendor': 1,
    });
    expect(JSON.parse(answer.content[0]?.text ?? '')).toEqual(answer.structuredContent);
    expect(
      namesOf(answer)
        .map((name) => name.slice(0, 8))
        .toSorted(),
    ).toEqual(['a__echo', 'a__odd_n', 'b__odd_n', 'b__write']);
    for (const name of namesOf(answer)) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  it('starts no server', async () => {
    const client = await connect('many');
    const before = harness.transports.length;
    expect(namesOf(await find(client, { query: 'list open issues' }))).toContain('github__list_issues');
    expect(harness.transports).toHaveLength(before);
    expect(harness.calls.filter(({ server }) => server === 'github')).toEqual([]);
  });

  it('goes by what is agreed to at that moment', async () => {
    const client = await connect('found');
    const later = approvedTool({ name: 'later', description: 'Repeats tomorrow', ...reading } as {
      name: string;
    });
    expect(namesOf(await find(client, { query: 'tomorrow' }))).toEqual([]);
    approved['a'] = [...ECHO, later];
    expect(namesOf(await find(client, { query: 'tomorrow' }))).toEqual(['a__later']);
    approved['a'] = ECHO;
    expect(namesOf(await find(client, { query: 'tomorrow' }))).toEqual([]);
  });

  it('is bounded by what is asked for, and says whether there is more', async () => {
    const client = await connect('many');
    const one = await find(client, { query: 'list', limit: 1 });
    expect(one.structuredContent).toMatchObject({ more: true, tools: [{}] });
    const slack = await find(client, { query: '', server: 'slack', limit: 25 });
    expect(slack.structuredContent).toMatchObject({ more: false, tools: [{}, {}, {}, {}, {}] });
    expect(new Set(slack.structuredContent.tools.map(({ server }) => server))).toEqual(new Set(['slack']));
  });

  it('says what there is where nothing fits, and what is asked wrongly', async () => {
    const client = await connect('many');
    const none = await find(client, { query: 'zzzz' });
    expect(none.structuredContent).toMatchObject({ tools: [], more: false });
    expect(none.structuredContent.note).toContain('github (14), slack (5)');
    expect(none.structuredContent.note).toContain('Not searched: unseen (definitions_unapproved)');
    expect(none.isError).toBeUndefined();
    const nowhere = await find(client, { query: 'list', server: 'elsewhere' });
    expect(nowhere).toMatchObject({ isError: true });
    expect(nowhere.content[0]?.text).toContain('There is no server "elsewhere" here. There are: github (14)');
    expect(await find(client, { server: 'slack' })).toMatchObject({ isError: true });
  });

  it('gives exactly what may be called', async () => {
    const client = await connect('some');
    expect((await find(client, { query: 'repeat' })).structuredContent.tools).toEqual([]);
    const found = await connect('found');
    const names = namesOf(await find(found, { query: 'repeat', limit: 25 }));
    expect(names).not.toContain('a__write');
    expect(names).not.toContain('b__echo');
    expect(await use(found, 'call_tool', { name: 'a__write' })).toMatchObject({
      error: { data: { code: 'tool_not_selected' } },
    });
  });
});

describe('calling', () => {
  it('is the call itself, on record under the name of the tool', async () => {
    const client = await connect('found');
    const before = harness.audit.length;
    const given = { name: 'a__echo', arguments: { n: 1 } };
    const through = await use(client, 'call_tool', given, { _meta: { progressToken: 'p' } });
    const direct = await use(client, 'a__echo', { n: 1 }, { _meta: { progressToken: 'p' } });
    // The line that arrived, but for the ids of the connection, is the same.
    const line = (parsed: Parsed): string =>
      (parsed as { result: { line: string } }).result.line.replaceAll(/\d+/g, '0');
    expect(line(through)).toBe(line(direct));
    expect(line(through)).toContain('"name":"echo","arguments":{"n":0}');
    expect(harness.audit.slice(before)).toEqual([
      'started a echo',
      'finished a echo ok',
      'started a echo',
      'finished a echo ok',
    ]);
  });

  it('takes a name that was cut', async () => {
    const client = await connect('found');
    const name = namesOf(await find(client, { query: 'oddly', server: 'a' }))[0];
    expect(await use(client, 'call_tool', { name })).toMatchObject({
      result: { content: [{ text: `called ${LONG}` }] },
    });
  });

  it('passes on errors and results as they are', async () => {
    const client = await connect('found');
    expect(await use(client, 'call_tool', { name: 'a__fail' })).toMatchObject({
      error: { code: -32042, message: 'no' },
    });
    expect(await use(client, 'call_tool', { name: 'b__write' })).toMatchObject({ result: { isError: true } });
  });

  it.each(['call_tool', 'find_tools', 'echo', 'c__echo', '__proto__'])('does not know %s', async (name) => {
    const client = await connect('found');
    expect(await use(client, 'call_tool', { name })).toMatchObject({
      error: {
        code: -32602,
        data: { code: 'mcp_tool_unknown', hint: expect.stringContaining('find_tools') as string },
      },
    });
  });

  it('tells whoever calls wrongly, and calls nothing', async () => {
    const client = await connect('found');
    const before = harness.audit.length;
    const wrong = resultOf(await use(client, 'call_tool', { name: 'a__echo', arguments: [] }));
    expect(wrong).toMatchObject({ isError: true });
    expect(wrong.content[0]?.text).toContain('"arguments" must be an object');
    expect(harness.audit).toHaveLength(before);
  });

  it.each(['find_tools', 'call_tool'])('%s is nothing where nobody searches', async (name) => {
    const client = await connect('plain');
    expect(await use(client, name, { query: 'x', name: 'a__echo' })).toMatchObject({
      error: { data: { code: 'mcp_tool_unknown' } },
    });
  });
});

describe('beside it', () => {
  it('prompts and resources are listed as ever', async () => {
    const client = await connect('found');
    expect(JSON.stringify(await client.request(1, 'prompts/list'))).toContain('"a__greet"');
    expect(JSON.stringify(await client.request(2, 'resources/list'))).toContain('"a://one"');
  });

  it('the endpoint of one server shows its own tools', async () => {
    const client = harness.stdio(principal('tok_1', 'found'), { profile: 'found', server: 'a' });
    await client.initialize();
    expect(JSON.stringify(await client.request(1, 'tools/list'))).toContain('"name":"echo"');
  });

  it('a change of the tools behind is told to nobody who sees only the two; other changes are', async () => {
    const [searching, plain] = [await connect('found'), await connect('plain')];
    const changed = (message: Parsed): boolean => message['method'] === 'notifications/tools/list_changed';
    await use(searching, 'call_tool', { name: 'a__seen' });
    await use(plain, 'a__seen', {});
    const single = harness.stdio(principal('tok_1', 'plain'), { profile: 'plain', server: 'a' });
    await single.initialize();
    await single.request(1, 'x-vendor/change');
    // The control: the same change, of the same server, elsewhere.
    await plain.line(changed);
    await use(searching, 'call_tool', { name: 'a__seen' });
    expect(searching.lines.filter((line) => changed(JSON.parse(line) as Parsed))).toEqual([]);
  });
});

describe('over HTTP, for clients without a session', () => {
  const post = async (
    name: string,
    given: object,
    headers: Record<string, string> = {},
    profile = 'found',
  ): Promise<Response> =>
    fetch(`${harness.url}/mcp/${profile}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer good.${profile}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': name,
        ...headers,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name, arguments: given, _meta: META },
      }),
    });

  it('finding and calling are the same, with what this revision wants of results', async () => {
    const found = (await (await post('find_tools', { query: 'region' })).json()) as Parsed;
    expect(found).toMatchObject({
      result: { resultType: 'complete', structuredContent: { tools: [{ name: 'mirrored__query' }] } },
    });
    const called = await post('call_tool', { name: 'mirrored__query', arguments: { region: 'eu' } });
    expect(called.status).toBe(200);
    expect(await called.json()).toMatchObject({ result: { got: { region: 'eu' }, resultType: 'complete' } });
  });

  it('a server elsewhere gets its headers from the gateway, and none that came beside the other call', async () => {
    const inner = { name: 'far__query', arguments: { region: 'eu' } };
    const headers = { 'mcp-param-region': 'us', 'mcp-param-tier': 'gold' };
    expect((await post('call_tool', inner, headers, 'remote')).status).toBe(200);
    const called = far.got.filter(({ message }) => message['method'] === 'tools/call');
    expect(called).toHaveLength(1);
    expect(called[0]?.headers).toMatchObject({ 'mcp-name': 'query', 'mcp-param-region': 'eu' });
    expect(called[0]?.headers).not.toHaveProperty('mcp-param-tier');
  });

  it.each([
    ['127.0.0.0/8', 'denied'],
    ['10.0.0.0/8', 'called'],
  ])('rules know where a call in it came from: what is from %s is %s', async (network, what) => {
    const inner = { name: 'mirrored__query', arguments: { region: 'eu' } };
    const when = `inNetwork(client.ip, "${network}")`;
    harness.setRules(rulesOf(`rules: [{ id: here, match: { tools: query }, when: '${when}', do: deny }]`));
    const told = await (await post('call_tool', inner)).text();
    harness.setRules(NO_RULES);
    expect(told).toContain(what === 'denied' ? 'policy_denied' : '"got"');
  });

  it('a tool that asks for headers wrongly is found and called: none of them is beside this call', async () => {
    const found = (await (await post('find_tools', { query: 'wrong' })).json()) as Parsed;
    expect(found).toMatchObject({ result: { structuredContent: { tools: [{ name: 'mirrored__wrong' }] } } });
    expect((await post('call_tool', { name: 'mirrored__wrong' })).status).toBe(200);
  });

  it('headers are about the call that was made: those of the one in it are nobody’s to send', async () => {
    const inner = { name: 'mirrored__query', arguments: { region: 'eu' } };
    expect((await post('call_tool', inner, { 'mcp-name': 'mirrored__query' })).status).toBe(400);
    expect((await post('call_tool', inner, { 'mcp-param-region': 'us' })).status).toBe(200);
    // The control: called by its own name, it has them.
    expect((await post('mirrored__query', { region: 'eu' })).status).toBe(400);
    expect((await post('mirrored__query', { region: 'eu' }, { 'mcp-param-region': 'eu' })).status).toBe(200);
  });
});
