/** Answers, streams and cancellations of servers elsewhere that speak Streamable HTTP, through the whole front. */
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/kernel/index.ts';
import { call, done, far } from './far.ts';
import { type Answerer, event, type Got, isCall, json, resultOf, stream, usual } from './stand-in.ts';

/** As `usual`, with a say of its own in what becomes of a call. */
const onCall =
  (answer: Answerer): Answerer =>
  (got, res) =>
    isCall(got) ? answer(got, res) : usual(got, res);

const progress = (got: Got, value: number): object => ({
  jsonrpc: '2.0',
  method: 'notifications/progress',
  params: {
    progressToken: (got.message['params'] as { _meta: { progressToken: unknown } })._meta.progressToken,
    progress: value,
  },
});

describe('an answer from elsewhere', () => {
  it('comes as events, with what is said before it', async () => {
    const { client } = await far(
      onCall((got, res) => {
        stream(res);
        res.write(event(progress(got, 1)));
        res.write('event: ping\ndata: hello\n\n: comment\n\n');
        res.end(event(resultOf(got, done)));
      }),
    );
    await client.initialize();
    expect(await call(client, 'call', { progressToken: 'p' })).toMatchObject({ result: done });
    expect(client.lines.map((line) => JSON.parse(line) as object)).toContainEqual({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'p', progress: 1 },
    });
  });

  it('is not waited for on a stream that the server leaves open', async () => {
    let left = 0;
    const { client } = await far(
      onCall((got, res) => {
        stream(res);
        res.on('close', () => (left += 1));
        res.write(event(resultOf(got, done)));
      }),
    );
    await client.initialize();
    expect(await call(client)).toMatchObject({ result: done });
    await expect.poll(() => left, { timeout: 10_000 }).toBe(1);
  });

  it('keeps what it has, digit for digit', async () => {
    const raw =
      '{"content":[],"structuredContent":{"n":12345678901234567890.10,"x-new":[1.0,{"__proto__":1}]}}';
    const { client } = await far(
      onCall(({ message }, res) => {
        res.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' });
        res.end(`{"jsonrpc":"2.0","id":${String(message['id'])},"result":${raw}}`);
      }),
    );
    await client.initialize();
    await call(client);
    expect(client.lines.at(-1)).toBe(`{"jsonrpc":"2.0","id":"call","result":${raw}}`);
  });

  it.each<[string, number, object, object]>([
    [
      'names its request',
      400,
      { jsonrpc: '2.0', id: 4, error: { code: -32602, message: 'no' } },
      { code: -32602, message: 'no' },
    ],
    [
      'names none',
      400,
      { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'Bad' } },
      { code: -32000, message: 'Bad' },
    ],
    [
      'is of another method',
      404,
      { jsonrpc: '2.0', id: 4, error: { code: -32601, message: 'x' } },
      { code: -32601, message: 'x' },
    ],
    [
      'is no message',
      500,
      { error: 'out of order' },
      {
        data: { code: 'upstream_http_status' },
        message: 'The server "far" answered with HTTP 500. It says: {"error":"out of order"}',
      },
    ],
    ['says wait', 429, {}, { data: { code: 'upstream_limited', hint: 'Try again in 7 s.' } }],
    ['says who are you', 401, {}, { data: { code: 'upstream_unauthorized' } }],
    ['says you may not', 403, { why: 'scope' }, { data: { code: 'upstream_forbidden' } }],
  ])('with a status of its own is told as what it is: %s', async (_name, status, body, error) => {
    const { client } = await far(
      // A session that is ended by a 404 would be begun again: this server has none.
      (got, res) => (isCall(got) ? json(res, body, { 'Retry-After': '7' }, status) : usual(got, res, [])),
    );
    await client.initialize();
    expect(await call(client)).toMatchObject({ error });
  });

  it.each<[string, Answerer, string]>([
    ['nothing', (_got, res) => res.writeHead(202).end(), 'upstream_answer_missing'],
    [
      'a page',
      (_got, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>'),
      'upstream_answer_malformed',
    ],
    [
      'no text',
      (_got, res) => res.writeHead(200, { 'Content-Type': 'application/json' }).end('\xff', 'latin1'),
      'upstream_answer_malformed',
    ],
    [
      'another’s answer',
      (_got, res) => json(res, { jsonrpc: '2.0', id: 99, result: {} }),
      'upstream_answer_missing',
    ],
    [
      'a stream without it',
      (_got, res) => {
        stream(res);
        res.end(': nothing\n\n');
      },
      'upstream_answer_missing',
    ],
    [
      'a stream that breaks off',
      (_got, res) => {
        stream(res);
        res.write(': nothing\n\n');
        setTimeout(() => res.destroy(), 20);
      },
      'upstream_unreachable',
    ],
    ['a connection that is cut', (_got, res) => res.destroy(), 'upstream_unreachable'],
  ])('that is none fails the call, and nothing else: %s', async (_name, answer, code) => {
    let isBad = true;
    const { client } = await far(onCall((got, res) => (isBad ? answer(got, res) : usual(got, res))));
    await client.initialize();
    expect(await call(client)).toMatchObject({ error: { data: { code } } });
    isBad = false;
    expect(await call(client, 'next')).toMatchObject({ result: done });
  });

  it.each(['JSON', 'an event'])(
    'that is larger than allowed fails the call, and nothing else: %s',
    async (how) => {
      const large = Buffer.alloc(limits.mcpMessageBytesMax + 1, 'x');
      let isBad = true;
      const { client } = await far(
        onCall((got, res) => {
          if (!isBad) return usual(got, res);
          if (how === 'an event') {
            stream(res);
            res.write('data: ');
          } else res.writeHead(200, { 'Content-Type': 'application/json' });
          res.write(large);
          res.end('\n\n');
        }),
      );
      await client.initialize();
      expect(await call(client)).toMatchObject({ error: { data: { code: 'upstream_answer_too_large' } } });
      isBad = false;
      expect(await call(client, 'next')).toMatchObject({ result: done });
    },
  );
});

describe('a stream that breaks off', () => {
  const brief = (res: ServerResponse): boolean => res.write('retry: 100\n\n');

  it('is gone on with after the last event, however often', async () => {
    const events: string[] = [];
    let asked: Got | null = null;
    const { client, server } = await far((got, res) => {
      const last = got.headers['last-event-id'];
      if (isCall(got)) {
        asked = got;
        stream(res);
        brief(res);
        res.write('id: e-0\ndata:\n\n');
        res.end(event(progress(got, 1), 'e-1'));
      } else if (got.method === 'GET' && typeof last === 'string' && asked !== null) {
        events.push(last);
        stream(res);
        brief(res);
        if (last === 'e-1') res.write(event(progress(asked, 2), 'e-2'), () => res.destroy());
        else res.end(event(resultOf(asked, done), 'e-3'));
      } else usual(got, res);
    });
    await client.initialize();
    expect(await call(client, 'call', { progressToken: 'p' })).toMatchObject({ result: done });
    expect(events).toEqual(['e-1', 'e-2']);
    const steps = client.lines.filter((line) => line.includes('notifications/progress'));
    expect(steps.map((line) => (JSON.parse(line) as { params: object }).params)).toEqual([
      { progressToken: 'p', progress: 1 },
      { progressToken: 'p', progress: 2 },
    ]);
    expect(server.seen.filter((line) => line === 'POST tools/call')).toHaveLength(1);
  });

  it('is given up when the server has forgotten it', async () => {
    const { client } = await far((got, res) => {
      if (isCall(got)) {
        stream(res);
        brief(res);
        res.end('id: e-0\ndata:\n\n');
      } else if (got.method === 'GET' && got.headers['last-event-id'] !== undefined) res.writeHead(400).end();
      else usual(got, res);
    });
    await client.initialize();
    expect(await call(client)).toMatchObject({ error: { data: { code: 'upstream_http_status' } } });
  });
});

describe('what a server elsewhere says by itself', () => {
  it('comes on a stream of its own, which is opened again after its last event', async () => {
    const changed = (id: string): string =>
      event({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }, id);
    const opened: unknown[] = [];
    const { client } = await far((got, res) => {
      if (got.method !== 'GET') return usual(got, res);
      opened.push(got.headers['last-event-id']);
      stream(res);
      res.write('retry: 100\n\n');
      if (opened.length < 3) res.end(changed(`n-${opened.length}`));
    });
    await client.initialize();
    await expect.poll(() => opened, { timeout: 10_000 }).toEqual([undefined, 'n-1', 'n-2']);
    const told = client.lines.filter((line) => line.includes('list_changed'));
    expect(told).toHaveLength(2);
  });

  it('is asked for no more where there is no such stream', async () => {
    const { client, server } = await far(usual);
    await client.initialize();
    await call(client);
    await expect.poll(() => server.seen.filter((line) => line === 'GET').length, { timeout: 10_000 }).toBe(1);
    await call(client, 'again');
    expect(server.seen.filter((line) => line === 'GET')).toHaveLength(1);
  });

  it('may be a question to the client, whose answer goes back', async () => {
    let answered: Got | null = null;
    let waiting: (() => void) | null = null;
    const { client } = await far((got, res) => {
      if (isCall(got)) {
        stream(res);
        res.write(event({ jsonrpc: '2.0', id: 'q-1', method: 'roots/list' }));
        waiting = () => res.end(event(resultOf(got, done)));
      } else if (got.message['id'] === 'q-1') {
        answered = got;
        res.writeHead(202).end();
        waiting?.();
      } else usual(got, res);
    });
    await client.initialize({ roots: {} });
    const called = call(client);
    const question = JSON.parse(await client.line(({ method }) => method === 'roots/list')) as {
      id: unknown;
    };
    client.send({ jsonrpc: '2.0', id: question.id, result: { roots: [] } });
    expect(await called).toMatchObject({ result: done });
    expect(answered).toMatchObject({ message: { id: 'q-1', result: { roots: [] } } });
  });
});

describe('a call that nobody waits for', () => {
  it('is cancelled by a message, before its connection is closed', async () => {
    const told: string[] = [];
    const { client, server } = await far((got, res) => {
      if (isCall(got)) {
        stream(res);
        res.on('close', () => told.push('closed'));
        res.write(': working\n\n');
      } else {
        if (got.message['method'] === 'notifications/cancelled')
          told.push(JSON.stringify((got.message['params'] as { requestId: unknown }).requestId));
        usual(got, res);
      }
    });
    await client.initialize();
    client.send({ jsonrpc: '2.0', id: 'slow', method: 'tools/call', params: { name: 'echo' } });
    await expect.poll(() => server.got.filter(isCall).length, { timeout: 10_000 }).toBe(1);
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'slow' } });
    const asked = server.got.find(isCall);
    await expect
      .poll(() => told, { timeout: 10_000 })
      .toEqual([JSON.stringify(asked?.message['id']), 'closed']);
  });
});

describe('a login that a server does not accept', () => {
  const guarded = (until: number): Answerer => {
    let refused = 0;
    return onCall((got, res) => {
      if (refused >= until) return usual(got, res);
      refused += 1;
      res.writeHead(401, { 'WWW-Authenticate': 'Bearer scope="a"' }).end();
    });
  };

  it('is told to whoever can get another, and tried once more', async () => {
    const { client, transports } = await far(guarded(1), { challenged: [true] });
    await client.initialize();
    expect(await call(client)).toMatchObject({ result: done });
    expect(transports[0]?.challenges).toEqual(['401 Bearer scope="a"']);
  });

  it('is tried no more than that', async () => {
    const { client, transports } = await far(guarded(9), { challenged: [true] });
    await client.initialize();
    expect(await call(client)).toMatchObject({ error: { data: { code: 'upstream_unauthorized' } } });
    expect(transports[0]?.challenges).toHaveLength(1);
  });
});

describe('a redirection', () => {
  const elsewhere = (status: number, location: string | null): Answerer =>
    onCall((got, res) => {
      if (got.path === '/moved') return usual(got, res);
      res.writeHead(status, location === null ? {} : { Location: location }).end();
    });

  it.each([307, 308])('within its origin is followed, with method and body: %s', async (status) => {
    const { client, server } = await far(elsewhere(status, '/moved'));
    await client.initialize();
    expect(await call(client)).toMatchObject({ result: done });
    const [first, second] = server.got.filter(isCall);
    expect([second?.path, second?.method, second?.body]).toEqual(['/moved', 'POST', first?.body]);
    expect(second?.headers['mcp-session-id']).toBe('s-1');
  });

  it.each<[string, number, string | null]>([
    ['to another origin', 307, 'https://other.example/mcp'],
    ['to another port', 308, 'http://127.0.0.1:1/mcp'],
    ['to another scheme', 308, 'https://127.0.0.1/mcp'],
    ['to no address', 307, 'http://'],
    ['to nowhere', 307, null],
    ['with a login', 307, 'http://me:pass@127.0.0.1/mcp'],
    ['that makes a GET of it', 303, '/moved'],
    ['that most clients make a GET of', 302, '/moved'],
    ['to itself', 307, '/mcp'],
  ])('is not followed: %s', async (_name, status, location) => {
    const { client, server } = await far(elsewhere(status, location));
    await client.initialize();
    expect(await call(client)).toMatchObject({ error: { data: { code: 'upstream_redirected' } } });
    expect(server.got.filter(isCall)).toHaveLength(location === '/mcp' ? 1 + limits.remoteRedirectsMax : 1);
  });
});
