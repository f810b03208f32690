/** Servers elsewhere that serve clients with sessions and clients without at one address: each client is given what is its own. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CellId, fixedClock, silentLog } from '../../../src/kernel/index.ts';
import { UNKNOWN_CLIENT } from '../../../src/mcp/client/client-facts.ts';
import { UpstreamDirectory } from '../../../src/mcp/upstream/upstream-directory.ts';
import { type Parsed, principal, type TestClient } from '../harness.ts';
import { type Both, both, called, calledWithout, envelope, TOOL, type Ways } from './both.ts';
import { json, resultOf, transportTo } from './stand-in.ts';

afterEach(() => void vi.useRealTimers());

let ids = 0;
const greetings = ({ seen }: Both): number => seen().filter((one) => one.startsWith('initialize')).length;

describe('a server of both eras', () => {
  it('has a session for clients with one, and none for those without', async () => {
    const server = await both();
    const [session, stateless] = [await server.session(), server.stateless()];
    expect(await called(session)).toBe('s-1');
    expect(await calledWithout(stateless)).toBe('none');
    expect(await called(session)).toBe('s-1');
    expect(server.learned).toEqual(['stateless']);
    expect(server.harness.front.activity('rmt_both' as CellId)).toMatchObject({ sessions: 2 });
    await server.transport().close('idle');
    expect(server.seen().filter((one) => one.startsWith('DELETE'))).toEqual(['DELETE s-1']);
    expect(server.harness.front.activity('rmt_both' as CellId)).toBeNull();
  });

  it('is not asked for a session before a client wants one', async () => {
    const server = await both();
    expect(await calledWithout(server.stateless())).toBe('none');
    expect(await server.harness.front.callTool(principal('uid', null), null, 'both', 'echo', '{}')).toContain(
      'none',
    );
    expect(greetings(server)).toBe(0);
  });

  it('begins one for those who can do the same, and another for those who cannot', async () => {
    const server = await both();
    const asked = await Promise.all([server.session(), server.session({ roots: {} }), server.session()]);
    const [one, other, same] = await Promise.all(asked.map((client) => called(client)));
    expect(new Set([one, other])).toEqual(new Set(['s-1', 's-2']));
    expect(same).toBe(one);
  });

  it('has up to four of them, and one that nobody uses gives way', async () => {
    const server = await both();
    const clients: TestClient[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      clients.push(await server.session({ experimental: { [name]: {} } }));
    expect(await Promise.all(clients.map((client) => called(client)))).toEqual([
      's-1',
      's-2',
      's-3',
      's-4',
      'none',
    ]);
    clients[1]?.end();
    await clients[1]?.closed;
    const late = await server.session({ experimental: { f: {} } });
    expect(await called(late)).toBe('s-5');
    await expect.poll(() => server.seen(), { timeout: 10_000 }).toContain('DELETE s-2');
    // Who began without stays so.
    expect(await called(clients[4] ?? late)).toBe('none');
  });

  it('lets none give way that was given to somebody this moment', async () => {
    const { url } = await both();
    const transport = transportTo(url, 'rmt_alone' as CellId);
    const clock = fixedClock(0);
    const upstreams = {
      profile: () => Promise.resolve(null),
      onProfile: () => () => undefined,
      open: () => transport,
    };
    const directory = new UpstreamDirectory({ upstreams, clock, log: silentLog, version: '1' });
    const opened = (name: string) => {
      const capabilitiesText = JSON.stringify({ experimental: { [name]: {} } });
      return directory.open(principal('good', null), null, 'both', { ...UNKNOWN_CLIENT, capabilitiesText });
    };
    const four = [await opened('a'), await opened('b'), await opened('c'), await opened('d')];
    const alive = (): readonly boolean[] => four.map(({ connection }) => connection.alive);
    expect((await opened('e')).hello.era).toBe('stateless');
    expect(alive()).toEqual([true, true, true, true]);
    clock.advance(3_000);
    expect((await opened('f')).hello.era).toBe('session');
    expect(alive()).toEqual([false, true, true, true]);
    await transport.close('the test is over');
  });

  it('finds out what was remembered wrongly of it, and serves clients without sessions as their own', async () => {
    const server = await both({ known: 'session' });
    expect(await called(await server.session())).toBe('s-1');
    expect(server.seen()).not.toContain('server/discover without');
    expect(await calledWithout(server.stateless())).toBe('none');
    expect(server.learned).toEqual(['session', 'stateless']);
  });

  it('has what it shows in one era alone found in that one, whoever listed it last', async () => {
    const server = await both({ without: { uris: ['x://1'] }, inSession: { uris: ['x://2'] } });
    const [session, stateless] = [await server.session({}, ''), server.stateless('')];
    const read = async (uri: string, client: TestClient, _meta?: object): Promise<unknown> =>
      (await client.request((ids += 1), 'resources/read', { uri, ...(_meta ? { _meta } : {}) }))['result'];
    expect(await read('x://1', stateless, envelope)).toMatchObject({ contents: [{ text: 'without' }] });
    await session.request('list', 'resources/list');
    expect(await read('x://1', stateless, envelope)).toMatchObject({ contents: [{ text: 'without' }] });
    expect(await read('x://2', session)).toMatchObject({ contents: [{ text: 'in a session' }] });
    expect(await called(session, {}, 'both__echo')).toBe('s-1');
  });

  it('has all that it shows in either era looked at, and what nobody agreed to withheld in each', async () => {
    const old = { ...TOOL, name: 'old' };
    const shown = async (client: TestClient): Promise<unknown> =>
      (await client.request('all', 'tools/list'))['result'];
    const control = await both({ inSession: { tools: [TOOL, old] } });
    expect(await shown(await control.session())).toEqual({ tools: [TOOL, old] });
    const judge = async () => (seen: { readonly name: string }) =>
      seen.name === 'echo' ? ('approved' as const) : ('new' as const);
    const server = await both({ inSession: { tools: [TOOL, old] }, without: { tools: [TOOL] }, judge });
    const client = await server.session();
    expect(await shown(client)).toEqual({ tools: [TOOL] });
    expect(await called(client, {}, 'old')).toMatchObject({ error: { data: { code: 'tool_new' } } });
    const alone = transportTo(server.url, 'rmt_look' as CellId);
    const definitions = await server.harness.front.definitionsOf(alone, 'both');
    await alone.close('looked at');
    expect(definitions.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'tool echo',
      'instructions ',
      'tool old',
    ]);
  });
});

/** A handshake that comes to nothing. */
const REFUSALS: Readonly<Record<string, Ways>> = {
  'answers it with an error': {
    greet(got, res) {
      json(
        res,
        { jsonrpc: '2.0', id: got.message['id'], error: { code: -32_601, message: 'removed' } },
        {},
        404,
      );
      return true;
    },
  },
  'keeps no session': {
    greet(got, res) {
      const hello = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        serverInfo: { name: 'both', version: '1' },
      };
      json(res, resultOf(got, hello));
      return true;
    },
  },
  'defines a tool in another way there': { inSession: { tools: [{ ...TOOL, description: 'Another.' }] } },
  'hangs up': {
    greet(_got, res) {
      res.destroy();
      return true;
    },
  },
};

describe('a server that has no session to give', () => {
  it.each(Object.entries(REFUSALS))(
    'because it %s is spoken to as before, and asked once',
    async (_why, ways) => {
      const server = await both(ways);
      const session = await server.session();
      expect(await called(session)).toBe('none');
      expect(await called(await server.session({ roots: {} }))).toBe('none');
      expect(await calledWithout(server.stateless())).toBe('none');
      expect(greetings(server)).toBe(1);
      expect(server.learned).toEqual(['stateless']);
    },
  );

  it('because it says nothing is waited for, and then spoken to as before', async () => {
    const held: (() => void)[] = [];
    const server = await both({
      greet(got, res) {
        if (held.length > 0) return false;
        const hello = {
          protocolVersion: '2025-11-25',
          capabilities: {},
          serverInfo: { name: 'both', version: '1' },
        };
        held.push(() => json(res, resultOf(got, hello), { 'Mcp-Session-Id': 'late' }));
        return true;
      },
    });
    expect(await calledWithout(server.stateless())).toBe('none');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waiting = server.session();
    await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 10_000 });
    vi.advanceTimersByTime(3_000);
    const first = await waiting;
    expect(await called(first)).toBe('none');
    vi.useRealTimers();
    held[0]?.();
    await expect.poll(async () => called(await server.session()), { timeout: 10_000 }).toBe('late');
    expect(await called(first)).toBe('none');
  });
});

it('one that is late to say that it serves clients without a session serves them in one as long as it runs', async () => {
  const held: (() => void)[] = [];
  const discover = (answer: () => void): boolean => held.push(answer) > 0;
  const server = await both({ known: 'session', discover });
  expect(await called(await server.session())).toBe('s-1');
  const stateless = server.stateless();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const waiting = calledWithout(stateless);
  await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 10_000 });
  vi.advanceTimersByTime(3_000);
  expect(await waiting).toBe('s-1');
  vi.useRealTimers();
  held[0]?.();
  await expect.poll(() => server.learned, { timeout: 10_000 }).toEqual(['session', 'stateless']);
  // Where it began a client goes on, whatever of it waits there.
  expect(await calledWithout(stateless)).toBe('s-1');
  expect(await calledWithout(server.stateless())).toBe('s-1');
});

describe('a session of a server of both eras', () => {
  it('that is a stream of revision 2024-11-05 ends alone, and another is begun', async () => {
    const streams: ServerResponse[] = [];
    const server = await both({ old: streams });
    const stateless = server.stateless();
    expect(await calledWithout(stateless)).toBe('none');
    expect(await called(await server.session())).toBe('none');
    const { front } = server.harness;
    expect(front.activity('rmt_both' as CellId)).toMatchObject({ sessions: 2 });
    streams[0]?.end();
    await expect.poll(() => front.activity('rmt_both' as CellId)?.sessions, { timeout: 10_000 }).toBe(1);
    expect(await calledWithout(stateless)).toBe('none');
    expect(await called(await server.session())).toBe('none');
    expect(streams).toHaveLength(2);
  });

  it('ends alone, and calls beside it are held against what the cell does as before', async () => {
    const streams: ServerResponse[] = [];
    const server = await both({ old: streams });
    expect(await called(await server.session())).toBe('none');
    const other = server.stateless();
    const waiting = called(other, { _meta: envelope }, 'wait');
    await expect.poll(() => server.seen(), { timeout: 10_000 }).toContain('tools/call without');
    const { front } = server.harness;
    const cell = 'rmt_both' as CellId;
    expect(front.callsIn(cell)).toMatchObject({ begun: true, count: 1 });
    streams[0]?.end();
    await expect.poll(() => front.activity(cell)?.sessions, { timeout: 10_000 }).toBe(1);
    expect(front.activity(cell)?.calls).toBe(1);
    expect(front.callsIn(cell)).toMatchObject({ begun: true, count: 1 });
    await server.transport().close('it was told to');
    await waiting;
    expect(front.callsIn(cell)).toMatchObject({ begun: false, count: 0 });
  });

  it('ends with its server, and so do calls in it', async () => {
    const server = await both();
    const session = await server.session();
    const waiting = called(session, {}, 'wait');
    await expect.poll(() => server.seen(), { timeout: 10_000 }).toContain('tools/call s-1');
    await server.transport().close('it was told to');
    expect(await waiting).toMatchObject({ error: { data: { code: 'upstream_exited' } } });
    expect(await called(session)).toBe('s-2');
  });

  it('is told once that it is over when the gateway stops', async () => {
    const server = await both();
    await server.session();
    await server.harness.front.close();
    expect(server.seen().filter((one) => one.startsWith('DELETE'))).toEqual(['DELETE s-1']);
  });

  it('is no way around a kill switch that is set while it begins', async () => {
    const held: (() => void)[] = [];
    const server = await both({
      greet(got, res) {
        const hello = {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {} },
          serverInfo: { name: 'both', version: '1' },
        };
        held.push(() => json(res, resultOf(got, hello), { 'Mcp-Session-Id': 's-0' }));
        return true;
      },
    });
    expect(await calledWithout(server.stateless())).toBe('none');
    const client = server.stateless();
    const answer = client.initialize();
    await expect.poll(() => held.length, { timeout: 10_000 }).toBe(1);
    server.harness.kill('both');
    held[0]?.();
    expect(await answer).toMatchObject({ error: { data: { code: 'kill_active' } } });
    server.harness.resume('both');
    await client.initialize();
    expect(await called(client)).toBe('s-0');
  });

  it('is not begun to look for an address under a kill switch', async () => {
    const server = await both();
    expect(await calledWithout(server.stateless())).toBe('none');
    const client = await server.session({}, '');
    const read = (): Promise<unknown> => client.request((ids += 1), 'resources/read', { uri: 'y://1' });
    server.harness.kill('both');
    expect(await read()).toMatchObject({ error: { data: { code: 'mcp_resource_unknown' } } });
    server.harness.resume('both');
    expect(await calledWithout(server.stateless())).toBe('none');
    expect(greetings(server)).toBe(0);
    // As a control: where no switch is set, it is.
    await called(client, { name: 'both__echo' });
    expect(greetings(server)).toBe(1);
  });

  it('is not kept from others by a client that says of itself what the server refuses', async () => {
    const server = await both({
      greet(got, res) {
        const { capabilities } = got.message['params'] as { capabilities: object };
        const error = { code: -32_602, message: 'Invalid params' };
        if ('odd' in capabilities) json(res, { jsonrpc: '2.0', id: got.message['id'], error });
        return 'odd' in capabilities;
      },
    });
    const odd = await server.session({ odd: 5 });
    expect(await called(odd)).toBe('none');
    expect(await called(await server.session({ roots: {} }))).toBe('s-2');
    expect(await called(await server.session())).toBe('s-3');
    expect(await called(odd)).toBe('none');
    const ends = (): readonly string[] => server.seen().filter((one) => one.startsWith('DELETE'));
    await expect.poll(ends, { timeout: 10_000 }).toEqual(['DELETE s-1']);
  });

  it('that the server ends is begun again, and where it gives no other its clients are served in the other way', async () => {
    const ended = new Set<unknown>();
    let isOver = false;
    const server = await both({
      ended,
      greet(got, res) {
        const error = { code: -32_601, message: 'removed' };
        if (isOver) json(res, { jsonrpc: '2.0', id: got.message['id'], error });
        return isOver;
      },
    });
    const session = await server.session();
    expect(await called(session)).toBe('s-1');
    ended.add('s-1');
    expect(await called(session)).toBe('s-2');
    ended.add('s-2');
    isOver = true;
    expect(await called(session)).toMatchObject({
      error: { message: 'The server "both" stopped: it ended its session, and begins no other.' },
    });
    expect(await called(session)).toBe('none');
    expect(await called(await server.session())).toBe('none');
    expect(await calledWithout(server.stateless())).toBe('none');
  });

  it('is not where clients who share it hear what the server says in calls of each other', async () => {
    const server = await both();
    const [client, other] = [await server.session(), await server.session()];
    await called(client, {}, 'log');
    expect(await called(other)).toBe('s-1');
    const heard = ({ lines }: TestClient): readonly unknown[] =>
      lines
        .filter((line) => line.includes('what somebody asked for'))
        .map((line) => (JSON.parse(line) as Parsed)['method']);
    expect(heard(client)).toEqual([
      'notifications/message',
      'notifications/tasks/status',
      'notifications/tools/list_changed',
    ]);
    // Of changes all are told.
    expect(heard(other)).toEqual(['notifications/tools/list_changed']);
  });

  it('goes on where it gives no more of them', async () => {
    let greeted = 0;
    const server = await both({
      greet(got, res) {
        greeted += 1;
        if (greeted > 1)
          json(res, { jsonrpc: '2.0', id: got.message['id'], error: { code: -32_000, message: 'no' } });
        return greeted > 1;
      },
    });
    const session = await server.session();
    expect(await called(await server.session({ roots: {} }))).toBe('none');
    expect(await called(session)).toBe('s-1');
    expect(await called(await server.session())).toBe('s-1');
  });
});
