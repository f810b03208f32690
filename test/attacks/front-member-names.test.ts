/**
 * ATTACKS 22: a message that is one thing to the gateway and another to the server behind it, because the server's parser does
 * not mind how the names of members are written: `Name` is `name` to it, and the last one counts. The server here is one
 * of those; the controls show what it does with what it is let have.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fixture,
  type Harness,
  type Parsed,
  principal,
  startHarness,
  type TestClient,
} from '../mcp/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({
    default: { files: { command: fixture('folding') }, lists: { command: fixture('folding', 'lists') } },
  });
});
afterEach(() => harness.close());

async function session(who: string, server = 'files'): Promise<TestClient> {
  const client = harness.stdio(principal(who, 'default'), { profile: 'default', server });
  await client.initialize();
  return client;
}
const LOOK = '"jsonrpc":"2.0","id":"look","method":"tools/call","params":{"name":"look"}';
/** What the server has done, as it says itself. */
async function done(client: TestClient): Promise<readonly string[]> {
  const id = `told ${client.lines.length}`;
  client.send(`{${LOOK.replace('"look"', `"${id}"`)}}`);
  const { result } = (await client.answer(id)) as { result: { content: [{ text: string }] } };
  return JSON.parse(result.content[0].text) as string[];
}

const SMUGGLED: readonly [string, string][] = [
  ['another tool', `{${LOOK.replace('"name":"look"', '"name":"look","Name":"wipe"')}}`],
  [
    'another tool, before the one it shows',
    `{${LOOK.replace('"name":"look"', '"NAME":"wipe","name":"look"')}}`,
  ],
  [
    'a call that says that it is something else',
    '{"jsonrpc":"2.0","id":"look","method":"resources/list","Method":"tools/call","params":{"name":"wipe"}}',
  ],
  [
    'parameters beside the parameters',
    '{"jsonrpc":"2.0","id":"look","method":"tools/call","params":{"name":"look"},"Params":{"name":"wipe"}}',
  ],
  [
    'a letter that is only as good as another',
    '{"jsonrpc":"2.0","id":"look","method":"tools/call","params":{"name":"look"},"param\u017f":{"name":"wipe"}}',
  ],
  [
    'parameters that nobody else sees',
    '{"jsonrpc":"2.0","id":"look","method":"x/y","Params":{"name":"wipe"}}',
  ],
  [
    'a progress token that is not its own',
    `{${LOOK.replace('"name":"look"', '"name":"look","_Meta":{"progressToken":1}')}}`,
  ],
  [
    'a progress token within',
    `{${LOOK.replace('"name":"look"', '"name":"look","_meta":{"ProgressToken":1}')}}`,
  ],
];

describe('ATTACKS 22: names that are two to one reader and one to another', () => {
  it('control: the server does what it is let have, and takes names in any case', async () => {
    const client = await session('tok_1');
    expect(await done(client)).toContain('tools/call look');
    // What is inside of a call's arguments is between the client and the tool.
    client.send(`{${LOOK.replace('"name":"look"', '"name":"look","arguments":{"a":1,"A":2}')}}`);
    expect(await client.answer('look')).toHaveProperty('result');
    expect(await client.request(1, 'tools/call', { name: 'wipe' })).toMatchObject({
      error: { data: { code: 'tool_not_selected' } },
    });
  });

  it.each(SMUGGLED)('%s: refused, and the server never sees it', async (_what, text) => {
    const client = await session('tok_1');
    const before = await done(client);
    client.send(text);
    const refused = await client.line((message) => message['error'] !== undefined);
    expect(JSON.parse(refused)).toMatchObject({
      error: { code: -32600, data: { code: 'mcp_not_a_message' } },
    });
    expect(await done(client)).toEqual([...before, 'tools/call look']);
    expect(harness.audit.filter((line) => line.includes('wipe'))).toEqual([]);
  });

  it('an answer in the name of another client is not brought about by an id beside the id', async () => {
    const victim = await session('tok_1');
    const attacker = await session('tok_2');
    victim.send('{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"hold"}}');
    const log = JSON.parse(await victim.line(({ method }) => method === 'notifications/message')) as Parsed;
    const { holds } = (log['params'] as { data: { holds: number } }).data;
    attacker.send(`{"id":1,${LOOK.replace('"id":"look"', `"ID":${holds}`)}}`);
    // A notification for us, a request for such a server.
    attacker.send(`{"jsonrpc":"2.0","Id":${holds},"method":"resources/list"}`);
    const refusals = (): number =>
      attacker.lines.filter((line) => line.includes('"mcp_not_a_message"')).length;
    await expect.poll(refusals, { timeout: 10_000 }).toBe(2);
    await done(victim);
    expect(victim.lines.some((line) => line.includes('"id":5'))).toBe(false);
  });

  it.each(['ID', 'Result', 'eRror'])('a server does not get past it either: %s in its answer', async (as) => {
    const client = await session('tok_1');
    client.send(`{${LOOK.replace('"name":"look"', `"name":"look","arguments":{"as":"${as}","id":"7"}`)}}`);
    // It is no answer: the next is.
    expect(await done(client)).toContain('tools/call look');
    expect(client.lines.some((line) => line.includes(as))).toBe(false);
  });

  it('instructions in another case are none, though some clients would take them for some', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'lists' });
    const { result } = await client.initialize();
    expect(result).toMatchObject({ serverInfo: { name: 'folding' } });
    expect(JSON.stringify(result).toLowerCase()).not.toContain('instructions');
  });

  it('a list beside the list is none', async () => {
    const client = await session('tok_1', 'lists');
    expect(await client.request(1, 'tools/list')).toMatchObject({
      error: { data: { code: 'upstream_listing_malformed' } },
    });
  });
});
