/** What clients are told when their profile is another: other servers, other tools, another way to show them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { profileChanges, serverChanges } from '../../src/mcp/endpoint/profile-changes.ts';
import type { ProfileServer } from '../../src/mcp/index.ts';
import { type Harness, principal, startHarness, type TestClient } from './harness.ts';
import { InProcessServer } from './in-process.ts';

const server = (slug: string, tools: ProfileServer['tools'] = null): ProfileServer => ({
  slug,
  title: null,
  tools,
  defaultTools: null,
  callSeconds: null,
});
const view = (servers: readonly ProfileServer[], search = false) => ({ servers, search });
const told = (...lists: string[]): string[] => lists.map((list) => `notifications/${list}/list_changed`);
const [A, B] = [server('a'), server('b')];

describe('the changes of', () => {
  it.each([
    ['nothing', view([A]), view([A]), []],
    ['one more server', view([A]), view([A, B]), told('tools', 'prompts', 'resources')],
    ['its end', view([A]), null, told('tools', 'prompts', 'resources')],
    ['other tools', view([A]), view([server('a', ['x'])]), told('tools')],
    ['a title', view([A]), view([{ ...A, title: 'A' }]), []],
    ['search on', view([A]), view([A], true), told('tools')],
    ['search off', view([A], true), view([A]), told('tools')],
    ['other tools behind two', view([A], true), view([server('a', ['x'])], true), []],
    ['one more server behind two', view([A], true), view([A, B], true), told('prompts', 'resources')],
  ])('a profile: %s', (_, before, now, lists) => {
    expect(profileChanges(before, now)).toEqual(lists);
  });

  it.each([
    ['another server', view([A]), view([A, B]), []],
    ['its own end', view([A, B]), view([B]), told('tools', 'prompts', 'resources')],
    ['its tools', view([A]), view([server('a', [])]), told('tools')],
    ['search on', view([A]), view([A], true), []],
  ])('one server of it: %s', (_, before, now, lists) => {
    expect(serverChanges('a', before, now)).toEqual(lists);
  });
});

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'new', version: '2' },
};

describe('clients of a profile that is switched to search and back', () => {
  const one = new InProcessServer(
    (method) => (method === 'prompts/list' ? { prompts: [] } : method === 'tools/list' ? { tools: [] } : {}),
    { tools: {}, prompts: { listChanged: true } },
  );
  const other = new InProcessServer(() => ({}));
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness({ default: { one: one.server, other: other.server } });
  });
  afterAll(() => harness.close());

  const changes = ({ lines }: TestClient, list: string): number =>
    lines.filter((line) => line.includes(`notifications/${list}/list_changed`)).length;
  const open = (): TestClient => harness.stdio(principal('good', 'default'), { profile: 'default' });
  const listen = async (client: TestClient, notifications: object): Promise<void> => {
    client.send({
      jsonrpc: '2.0',
      id: 'listen',
      method: 'subscriptions/listen',
      params: { notifications, _meta: META },
    });
    await client.line(({ method }) => method === 'notifications/subscriptions/acknowledged');
  };

  it('are told each time, and servers are started for a list that is asked for, not to listen', async () => {
    await harness.switchSearch('default');
    const [session, stateless] = [open(), open()];
    await session.initialize();
    await listen(stateless, { toolsListChanged: true, promptsListChanged: true });
    expect([one.starts, other.starts]).toEqual([0, 0]);
    await harness.switchSearch('default');
    await expect
      .poll(() => [changes(session, 'tools'), changes(stateless, 'tools')], { timeout: 10_000 })
      .toEqual([1, 1]);
    await harness.switchSearch('default');
    await expect
      .poll(() => [changes(session, 'tools'), changes(stateless, 'tools')], { timeout: 10_000 })
      .toEqual([2, 2]);
    // What somebody else starts is listened to from then on.
    await open().request('list', 'prompts/list', { _meta: META });
    expect(one.starts).toBe(1);
    one.send({ method: 'notifications/prompts/list_changed' });
    await expect.poll(() => changes(stateless, 'prompts'), { timeout: 10_000 }).toBe(1);
  });

  it('start servers to listen where all are shown', async () => {
    await harness.switchSearch('default');
    one.stop();
    await expect.poll(() => harness.front.activity('rmt_one' as never), { timeout: 10_000 }).toBeNull();
    const before = one.starts;
    await listen(open(), { promptsListChanged: true });
    expect(one.starts).toBe(before + 1);
  });
});
