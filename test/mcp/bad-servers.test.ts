/** Servers that hang, flood, lie and die (ATTACKS 22, 23): a clear error for whoever called, nothing for others. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { fixture, type Harness, type Parsed, principal, startHarness } from './harness.ts';

const operator = principal('uid', null);

describe('a server that does not start', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness({
      default: {
        exits: { command: fixture('bad', 'exits') },
        help: { command: fixture('bad', 'prints-help') },
        future: { command: fixture('bad', 'from-the-future') },
        missing: { command: ['/nonexistent/server.mjs'] },
        good: { command: fixture('echo') },
      },
    });
  });
  afterAll(() => harness.close());

  const failure = async (slug: string): Promise<AppError> => {
    try {
      await harness.front.callTool(operator, null, slug, 'go', '{}');
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
    throw new Error('it started');
  };

  it('is reported with its exit and its last words, made harmless', async () => {
    const error = await failure('exits');
    expect(error.code).toBe('upstream_exited');
    expect(error.message).toBe('The server "exits" stopped: it ended with code 3.');
    expect(error.hint).toBe('Its last output: Error: MISSING_KEY is not set');
  });

  it('is reported with what it printed instead of JSON-RPC', async () => {
    const error = await failure('help');
    expect(error.code).toBe('upstream_exited');
    expect(error.hint).toBe('It printed, instead of JSON-RPC: Usage: server [options]');
  });

  it('is reported when it speaks another protocol, and is ended', async () => {
    const error = await failure('future');
    expect(error.code).toBe('upstream_version_unsupported');
    expect(harness.transports.at(-1)?.alive).toBe(false);
  });

  it('is reported when its program is not there', async () => {
    const error = await failure('missing');
    expect(error.code).toBe('upstream_exited');
    expect(error.hint).toContain('Cannot find module');
  });

  it('makes initialize fail with a JSON-RPC error', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'exits' });
    expect(await client.initialize()).toMatchObject({
      error: {
        code: -32000,
        message: 'The server "exits" stopped: it ended with code 3.',
        data: { code: 'upstream_exited', hint: 'Its last output: Error: MISSING_KEY is not set' },
      },
    });
    client.end();
  });

  it('is tried anew at the next call', async () => {
    const before = harness.transports.length;
    await failure('exits');
    await failure('exits');
    expect(harness.transports.length).toBe(before + 2);
  });

  it('is left out of the list of its profile, and the others are there', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
    await client.initialize();
    const answer = await client.request(1, 'tools/list');
    const { tools, _meta } = answer['result'] as { tools: { name: string }[]; _meta: Parsed };
    const names = tools.map(({ name }) => name).join();
    expect(names).toContain('good__echo');
    expect(names).not.toContain('exits__');
    expect(_meta['app.sallyport/leftOut']).toContainEqual({ server: 'exits', code: 'upstream_exited' });
    client.end();
  });
});

describe('a server that misbehaves at a call', () => {
  let harness: Harness;
  const zoo = [
    'answers-twice',
    'foreign-ids',
    'garbage',
    'floods',
    'huge',
    'dies',
    'asks-much',
    'asks-and-dies',
    'hangs',
  ];
  beforeAll(async () => {
    const servers = zoo.map((how) => [how, { command: fixture('bad', how) }]);
    harness = await startHarness({
      default: { good: { command: fixture('echo') }, ...Object.fromEntries(servers) },
    });
  });
  afterAll(() => harness.close());

  const connect = async (server: string) => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server });
    await client.initialize({ sampling: {} });
    return client;
  };

  it.each(['answers-twice', 'foreign-ids', 'garbage', 'floods', 'asks-much'])(
    '%s: the right answer, once',
    async (how) => {
      const client = await connect(how);
      expect(await client.request('c', 'tools/call', { name: 'go' })).toMatchObject({
        result: { content: [{ text: how }] },
      });
      expect(await client.request('d', 'tools/list')).toMatchObject({ result: { tools: [{ name: 'go' }] } });
      expect(client.lines.filter((line) => line.includes('"id":"c"'))).toHaveLength(1);
      for (const line of client.lines) expect(() => JSON.parse(line)).not.toThrow();
      client.duplex.destroy();
    },
  );

  it('asks-and-dies: the client is told that nobody waits for its answers', async () => {
    const client = await connect('asks-and-dies');
    expect(await client.request('c', 'tools/call', { name: 'go' })).toMatchObject({
      error: { data: { code: 'upstream_exited' } },
    });
    const of = (method: string) =>
      client.lines
        .map((line) => JSON.parse(line) as Parsed)
        .filter((message) => message['method'] === method);
    const asked = of('sampling/createMessage').map(({ id }) => id);
    expect(asked).toHaveLength(3);
    expect(of('notifications/cancelled').map(({ params }) => (params as Parsed)['requestId'])).toEqual(asked);
    client.duplex.destroy();
  });

  it('floods: what is past the limit is dropped', async () => {
    const client = await connect('floods');
    await client.request('c', 'tools/call', { name: 'go' });
    expect(client.lines.filter((line) => line.includes('notifications/message')).length).toBeLessThan(50_000);
    client.duplex.destroy();
  });

  it('huge: an error names the limit, and the connection goes on', async () => {
    const client = await connect('huge');
    expect(await client.request(1, 'tools/call', { name: 'go' })).toMatchObject({
      error: { code: -32000, data: { code: 'upstream_answer_too_large' } },
    });
    expect(await client.request(2, 'tools/list')).toMatchObject({ result: { tools: [{ name: 'go' }] } });
    client.duplex.destroy();
  });

  it('dies: the call fails with its last words, and the next one starts it again', async () => {
    const client = await connect('dies');
    for (const id of [1, 2]) {
      expect(await client.request(id, 'tools/call', { name: 'go' })).toMatchObject({
        error: { data: { code: 'upstream_exited', hint: 'Its last output: panic: out of luck' } },
      });
    }
    expect(harness.audit).toContain('finished dies go failed upstream_exited');
    client.duplex.destroy();
  });

  it('hangs: other calls and other servers are answered meanwhile', async () => {
    const client = await connect('hangs');
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'go' } });
    expect(await client.request(2, 'tools/call', { name: 'go', arguments: { answer: true } })).toMatchObject({
      result: { content: [{ text: 'hangs' }] },
    });
    const good = await connect('good');
    expect(await good.request(1, 'tools/call', { name: 'seen' })).toMatchObject({ result: {} });
    client.duplex.destroy();
    good.duplex.destroy();
  });
});

describe('a server that is silent', () => {
  let harness: Harness;
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    harness = await startHarness({
      default: {
        silent: { command: fixture('bad', 'silent') },
        slow: { command: fixture('bad', 'hangs-at-list') },
        hangs: { command: fixture('bad', 'hangs') },
        endless: { command: fixture('bad', 'endless-list') },
        listless: { command: fixture('bad', 'list-without-list') },
        good: { command: fixture('echo') },
      },
    });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await harness.close();
  });

  it('is given up after the time that a start may take, and ended', async () => {
    const call = harness.front.callTool(operator, null, 'silent', 'go', '{}');
    const outcome = call.then(
      () => null,
      (error: unknown) => error,
    );
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await outcome).toMatchObject({ code: 'upstream_timeout' });
    expect(harness.transports[0]?.alive).toBe(false);
  });

  it('fails a call after the time without an answer, and is told so', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'hangs' });
    await client.initialize();
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'go' } });
    while (!harness.audit.includes('started hangs go')) await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(600_000);
    expect(await client.answer(1)).toMatchObject({ error: { data: { code: 'upstream_timeout' } } });
    client.duplex.destroy();
  });

  it('does not hold up the list of its profile beyond the deadline', async () => {
    const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
    await client.initialize();
    const seen = () => harness.front.callTool(principal('tok_1', 'default'), 'default', 'good', 'seen', '{}');
    await seen();
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    // The good server answers in order: once it has told of the second listing, that is answered too.
    while ((await seen()).split('tools/list').length < 3)
      await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(8_000);
    const listed = JSON.stringify(await client.answer(1));
    expect(listed).toContain('"good__echo"');
    expect(listed).toContain('{"server":"slow","code":"deadline"}');
    client.duplex.destroy();
  });
});
