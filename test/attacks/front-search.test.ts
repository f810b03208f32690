/**
 * ATTACKS 22 and the rules of a profile, at a profile that is searched: a call in another call must not be read in two ways,
 * and must not get where the call itself would not. Each beside its control.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { definitionHash } from '../../src/mcp/pinning/definition-hash.ts';
import {
  fixture,
  type Harness,
  type Parsed,
  principal,
  startHarness,
  type TestClient,
} from '../mcp/harness.ts';

const stored = (name: string, more: object = {}) => {
  const text = JSON.stringify({ name, description: 'Repeats', inputSchema: { type: 'object' }, ...more });
  return { name, text, hash: definitionHash(text) };
};
const annotations = { readOnlyHint: true };

let harness: Harness;
let client: TestClient;
let id = 0;
beforeAll(async () => {
  const approved = [stored('echo', { annotations }), stored('write')];
  harness = await startHarness(
    {
      searched: { echo: { command: fixture('echo') } },
      other: { secret: { command: fixture('echo', 'secret'), tools: '*' } },
    },
    { searchProfiles: ['searched'], approved: { echo: approved, secret: approved } },
  );
  client = harness.stdio(principal('tok_1', 'searched'), { profile: 'searched' });
  await client.initialize();
});
afterAll(() => harness.close());

/** As it is written: a test of texts, not of what some printer makes of them. */
async function raw(params: string): Promise<string> {
  id += 1;
  client.send(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params}}`);
  return JSON.stringify(await client.answer(id));
}
const calls = (): number => harness.calls.length;
const found = (text: string): readonly { readonly name: string }[] =>
  (JSON.parse(text) as { result: { structuredContent: { tools: { name: string }[] } } }).result
    .structuredContent.tools;

describe('a call in another call', () => {
  // Twice in plain sight is refused at the door, as `front-json` shows.
  it.each([
    ['one twice, in a string', '{"name":"echo__echo","arguments":"{\\"p\\":1,\\"p\\":2}"}'],
    ['two values in a string', '{"name":"echo__echo","arguments":"{} {\\"jsonrpc\\":\\"2.0\\"}"}'],
  ])('is refused with %s, and nothing is called', async (_, given) => {
    const before = calls();
    expect(await raw(`{"name":"call_tool","arguments":${given}}`)).toContain('"isError":true');
    expect(calls()).toBe(before);
    expect(await raw('{"name":"call_tool","arguments":{"name":"echo__echo","arguments":{"p":1}}}')).toContain(
      '\\"arguments\\":{\\"p\\":1}',
    );
    expect(calls()).toBe(before + 1);
  });

  it('is one line to the server, whatever stands in its arguments', async () => {
    const given = JSON.stringify('{\n"a":1\r\n,\n"b":"\u2028"}\n');
    const answer = await raw(`{"name":"call_tool","arguments":{"name":"echo__echo","arguments":${given}}}`);
    expect(answer).toContain('\\"a\\":1');
    expect(answer.match(/\\"jsonrpc\\"/g)).toHaveLength(1);
  });

  it.each([
    ['a tool that nobody chose', 'echo__write', 'tool_not_selected'],
    ['a tool of another profile', 'secret__echo', 'mcp_tool_unknown'],
    ['a call in it', 'call_tool', 'mcp_tool_unknown'],
    ['a name with a path', 'echo__../echo__write', 'tool_unknown'],
  ])('does not reach %s', async (_, name, code) => {
    const before = calls();
    const given = JSON.stringify({ name, arguments: { name: 'echo__write' } });
    expect(await raw(`{"name":"call_tool","arguments":${given}}`)).toContain(`"code":"${code}"`);
    expect(calls()).toBe(before);
  });

  it('cannot bring the envelope of another request', async () => {
    const given = '{"name":"echo__echo","arguments":{},"_meta":{"progressToken":"x"},"requestState":"y"}';
    const answer = await raw(`{"name":"call_tool","arguments":${given}}`);
    expect(answer).toContain('\\"name\\":\\"echo\\",\\"arguments\\":{}');
    expect(answer).not.toContain('progressToken');
    expect(answer).not.toContain('requestState');
  });
});

describe('a search', () => {
  it.each(['repeat', 'echo write secret', 'secret__echo', '', '*', '"'])(
    'finds what may be called, by %j',
    async (query) => {
      const names = found(await raw(JSON.stringify({ name: 'find_tools', arguments: { query, limit: 25 } })));
      for (const { name } of names) expect(name).toBe('echo__echo');
    },
  );

  it('finds it, and under a kill switch nothing', async () => {
    const search = '{"name":"find_tools","arguments":{"query":"repeat"}}';
    expect(found(await raw(search))).toMatchObject([{ name: 'echo__echo' }]);
    harness.kill('echo');
    expect(found(await raw(search))).toEqual([]);
    expect(await raw('{"name":"call_tool","arguments":{"name":"echo__echo"}}')).toContain('kill_active');
    harness.kill('everything');
    expect(await raw(search)).toContain('kill_active');
    harness.resume('everything');
    harness.resume('echo');
    expect(found(await raw(search))).toMatchObject([{ name: 'echo__echo' }]);
  });

  it('cannot be told of another server, or of itself', async () => {
    const answer = await raw('{"name":"find_tools","arguments":{"query":"x","server":"secret"}}');
    expect(answer).toContain('There is no server \\"secret\\" here');
    expect(answer).toContain('"isError":true');
  });
});

it('is no way to name what the answer is about: a definition says nothing of its server', async () => {
  const lying = stored('echo', { annotations, server: 'secret', name: 'echo' });
  const world = await startHarness(
    { searched: { echo: { command: fixture('echo') } } },
    { searchProfiles: ['searched'], approved: { echo: [lying] } },
  );
  const asking = world.stdio(principal('tok_1', 'searched'), { profile: 'searched' });
  await asking.initialize();
  const answer: Parsed = await asking.request(1, 'tools/call', {
    name: 'find_tools',
    arguments: { query: 'repeat' },
  });
  expect(found(JSON.stringify(answer))).toEqual([
    expect.objectContaining({ server: 'echo', name: 'echo__echo' }),
  ]);
  await world.close();
});
