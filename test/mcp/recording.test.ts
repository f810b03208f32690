/** What passes between clients and the front is what is recorded of it, over every door, with the call that the audit knows. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Entry } from '../../src/recording/index.ts';
import { rulesOf } from '../policy/rules/asking.ts';
import { recorderWorld, type World } from '../recording/world.ts';
import { fixture, type Harness, principal, startHarness } from './harness.ts';

const who = principal('tok_1', 'default');
let harness: Harness;
let world: World;

async function start(
  level: World['level'],
  required = false,
  searchProfiles: readonly string[] = [],
): Promise<void> {
  world = recorderWorld(level, required);
  harness = await startHarness(
    { default: { echo: { command: fixture('echo'), tools: '*' } } },
    {
      searchProfiles,
      recorder: {
        begin: ({ principal: { workspace, actor, agent }, ...rest }) =>
          world.recorder.begin({ workspace, actor: `${actor.kind}:${actor.id}`, agent, ...rest }),
      },
    },
  );
}
beforeEach(() => start('full'));
afterEach(async () => {
  await harness.close();
  await world.recorder.close();
});

const messages = (entries: readonly Entry[]) =>
  entries.filter((entry): entry is Extract<Entry, { kind: 'message' }> => entry.kind === 'message');

describe('over lines', () => {
  it('every message both ways is kept as it was said', async () => {
    const client = harness.stdio(who, { profile: 'default', server: 'echo' });
    const sent: string[] = [];
    const say = (message: object): void => {
      const text = JSON.stringify({ jsonrpc: '2.0', ...message });
      sent.push(text);
      client.send(text);
    };
    say({
      id: 'init',
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: { roots: {} },
        clientInfo: { name: 'test', version: '1' },
      },
    });
    await client.answer('init');
    say({ method: 'notifications/initialized' });
    say({ id: 1, method: 'tools/list' });
    await client.answer(1);
    say({
      id: 2,
      method: 'tools/call',
      params: { name: 'progress', arguments: { label: 'x' }, _meta: { progressToken: 'p' } },
    });
    await client.answer(2);
    say({ id: 3, method: 'tools/call', params: { name: 'fail' } });
    await client.answer(3);
    say({ id: 3, method: 'no/such/method' });
    await client.answer(3);
    client.end();
    await client.closed;
    await world.recorder.flush();
    const { entries, faults, isWhole } = world.read();
    expect([faults, isWhole]).toEqual([[], true]);
    const said = (from: string) =>
      messages(entries)
        .filter((entry) => entry.from === from)
        .map(({ text }) => text);
    expect(said('client')).toEqual(sent);
    expect(said('gateway')).toEqual(client.lines);
    // The identifiers are those that the audit has.
    const calls = entries.filter((entry) => entry.kind === 'call');
    expect(calls.map(({ call, tool, cell }) => [call, tool, cell])).toEqual(
      harness.calls.map(({ id, tool, cell }) => [id, tool, cell]),
    );
    expect(calls.map(({ request }) => request)).toEqual([3, 4]);
    const told = messages(entries).filter(({ method }) => method === 'notifications/progress');
    expect(told.map(({ request }) => request)).toEqual([3, 3, 3]);
  });

  it('what rules said is kept, and what was refused, with its arguments', async () => {
    harness.setRules(rulesOf('rules: [{ id: no-write, match: { tools: write }, do: deny }]'));
    const client = harness.stdio(who, { profile: 'default' });
    await client.initialize();
    await client.request(1, 'tools/call', { name: 'echo__write', arguments: { a: 1 } });
    await client.request(2, 'prompts/get', { name: 'echo__greet', arguments: { who: 'bob' } });
    client.end();
    await client.closed;
    await world.recorder.flush();
    const { entries } = world.read();
    expect(entries.filter((entry) => entry.kind === 'decision')).toMatchObject([
      {
        subject: 'tool',
        server: 'echo',
        name: 'write',
        arguments: '{"a":1}',
        outcome: 'deny',
        rule: 'no-write',
        tokens: ['tok_1'],
        request: 2,
      },
      { subject: 'prompt', name: 'greet', arguments: '{"who":"bob"}', outcome: 'allow', request: 3 },
    ]);
    expect(messages(entries).filter(({ outcome }) => outcome === 'error')).toMatchObject([
      { code: 'policy_denied', request: 2 },
    ]);
  });

  it('so is where prompts and resources were asked for, if they were', async () => {
    harness.setRules(rulesOf('rules: [{ id: none, match: { resources: "*secret*" }, do: deny }]'));
    const client = harness.stdio(who, { profile: 'default', server: 'echo' });
    await client.initialize();
    await client.request(1, 'prompts/get', { name: 'greet' });
    await client.request(2, 'resources/read', { uri: 'echo://one' });
    await client.request(3, 'resources/read', { uri: 'echo://secret' });
    await client.request(4, 'tools/call', { name: 'echo', arguments: {} });
    client.end();
    await client.closed;
    await world.recorder.flush();
    const { entries } = world.read();
    const asked = entries.filter((entry) => entry.kind === 'asked');
    const cell = harness.calls[0]?.cell;
    expect(asked).toMatchObject([
      { request: 2, server: 'echo', cell },
      { request: 3, server: 'echo', cell },
    ]);
  });

  it('a rule has its own requests kept where nothing else is', async () => {
    await harness.close();
    await start('off');
    harness.setRules(
      rulesOf('rules: [{ id: keep, match: { tools: write }, do: record, record: { level: full } }]'),
    );
    const client = harness.stdio(who, { profile: 'default', server: 'echo' });
    await client.initialize();
    await client.request(1, 'tools/call', { name: 'echo', arguments: { not: 'kept' } });
    await client.request(2, 'tools/call', { name: 'write', arguments: { is: 'kept' } });
    client.end();
    await client.closed;
    await world.recorder.flush();
    const { entries, faults } = world.read();
    expect(faults).toEqual([]);
    expect(entries.map(({ kind }) => kind)).toEqual([
      'session',
      'message',
      'decision',
      'call',
      'message',
      'end',
    ]);
    expect(JSON.stringify(entries)).not.toContain('not');
  });

  it('a tool that is called by the one that finds others is kept as what it is', async () => {
    await harness.close();
    await start('arguments', false, ['default']);
    const client = harness.stdio(who, { profile: 'default' });
    await client.initialize();
    await client.request(1, 'tools/call', {
      name: 'call_tool',
      arguments: { name: 'echo__write', arguments: { a: 1 } },
    });
    client.end();
    await client.closed;
    await world.recorder.flush();
    expect(world.read().entries.find((entry) => entry.kind === 'decision')).toMatchObject({
      name: 'write',
      arguments: '{"a":1}',
    });
  });

  it('a call that cannot be recorded does not reach its server, where it must be', async () => {
    await harness.close();
    await start('metadata', true);
    const client = harness.stdio(who, { profile: 'default', server: 'echo' });
    await client.initialize();
    expect(await client.request(1, 'tools/call', { name: 'echo' })).toMatchObject({ result: {} });
    world.broken = true;
    expect(await client.request(2, 'tools/call', { name: 'echo' })).toMatchObject({
      error: { data: { code: 'recording_unavailable' } },
    });
    expect(harness.calls).toHaveLength(1);
    expect(harness.audit.at(-1)).toBe('refused echo echo recording_unavailable');
  });
});

it('over HTTP, requests without a session are one session of their caller', async () => {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  for (const id of [1, 1]) {
    const response = await fetch(`${harness.url}/mcp/default/echo`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer good.default',
        'content-type': 'application/json',
        accept: 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'write',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id,
        method: 'tools/call',
        params: { name: 'write', _meta: meta },
      }),
    });
    expect(response.status).toBe(200);
    await response.text();
  }
  await world.recorder.flush();
  const { entries, faults } = world.read(undefined, false);
  expect(faults).toEqual([]);
  expect(new Set(world.growths.map(({ session }) => session)).size).toBe(1);
  expect(entries.filter((entry) => entry.kind === 'call').map(({ call }) => call)).toEqual(
    harness.calls.map(({ id }) => id),
  );
  expect(messages(entries).map(({ from, request }) => [from, request])).toEqual([
    ['client', 1],
    ['gateway', 1],
    ['client', 2],
    ['gateway', 2],
  ]);
});

it('a call of the operator outside any session is kept, too', async () => {
  await harness.front.callTool(principal('uid', null), null, 'echo', 'echo', '{"a":1}');
  await expect(harness.front.callTool(principal('uid', null), null, 'echo', 'none', '{}')).rejects.toThrow();
  await world.recorder.flush();
  const { entries } = world.read(undefined, false);
  expect(messages(entries).map(({ from, outcome }) => [from, outcome])).toEqual([
    ['client', undefined],
    ['gateway', 'ok'],
    ['client', undefined],
    ['gateway', 'error'],
  ]);
});
