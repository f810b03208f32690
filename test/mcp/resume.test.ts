/** Event streams that break: what was sent meanwhile comes to a client that says which event it saw last. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { EventStore } from '../../src/mcp/http/event-store.ts';
import { fixture, type Harness, startHarness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo') } } });
});
afterAll(() => harness.close());

const PATH = '/mcp/default/echo';
const GOOD = { authorization: 'Bearer good.default' };
const HEADERS = {
  ...GOOD,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

interface Seen {
  readonly id: string;
  readonly retry: string;
  readonly data: string;
}

interface Stream {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly events: readonly Seen[];
}

const field = (frame: string, name: string): string =>
  frame
    .split('\n')
    .find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2) ?? '';

/** Sends a request and reads its events until as many are there, then cuts the connection; without a number, to the end. */
function open(options: {
  readonly method: 'GET' | 'POST';
  readonly headers: Record<string, string>;
  readonly body?: object;
  readonly cutAfter?: number;
  readonly onEvent?: (event: Seen) => void;
}): Promise<Stream> {
  const { promise, resolve, reject } = Promise.withResolvers<Stream>();
  const { method, cutAfter = Infinity } = options;
  const req = httpRequest(harness.url + PATH, { method, headers: { ...HEADERS, ...options.headers } });
  req.on('error', reject);
  req.on('response', (res) => {
    let body = '';
    let read = 0;
    const events: Seen[] = [];
    const type = res.headers['content-type'] ?? '';
    const done = (): void => resolve({ status: res.statusCode ?? 0, type, body, events });
    res.on('data', (chunk: Buffer) => {
      body += chunk.toString();
      for (let end = body.indexOf('\n\n', read); end !== -1; end = body.indexOf('\n\n', read)) {
        const frame = body.slice(read, end);
        read = end + 2;
        if (!frame.includes('data:') || events.length >= cutAfter) continue;
        const event = { id: field(frame, 'id'), retry: field(frame, 'retry'), data: field(frame, 'data') };
        events.push(event);
        options.onEvent?.(event);
        if (events.length < cutAfter) continue;
        req.destroy();
        done();
      }
    });
    res.on('end', done);
    res.on('error', done);
  });
  req.end(options.body === undefined ? undefined : JSON.stringify({ jsonrpc: '2.0', ...options.body }));
  return promise;
}

async function newSession(version = '2025-11-25'): Promise<Record<string, string>> {
  const params = {
    protocolVersion: version,
    capabilities: { elicitation: {} },
    clientInfo: { name: 't', version: '1' },
  };
  const response = await fetch(harness.url + PATH, {
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }),
  });
  expect(await response.json()).toMatchObject({ result: { protocolVersion: version } });
  return { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' };
}

const call = (id: number, name: string) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: { label: 'x' }, _meta: { progressToken: 'p' } },
});
const resume = (session: Record<string, string>, last: string, cutAfter?: number): Promise<Stream> =>
  open({
    method: 'GET',
    headers: { ...session, 'last-event-id': last },
    ...(cutAfter === undefined ? {} : { cutAfter }),
  });
const dataOf = ({ events }: Stream): readonly string[] =>
  events.map(({ data }) => data).filter((data) => data !== '');

describe('a stream', () => {
  it('begins by saying where it is and when to come back, from 2025-11-25 on', async () => {
    const session = await newSession();
    const { events } = await open({ method: 'POST', headers: session, body: call(1, 'progress') });
    expect(events[0]).toEqual({ id: '0-0', retry: '1000', data: '' });
    expect(events.slice(1).map(({ id }) => id)).toEqual(['0-1', '0-2', '0-3', '0-4']);
    const own = await open({ method: 'GET', headers: session, cutAfter: 1 });
    expect(own.events).toEqual([{ id: '1-0', retry: '1000', data: '' }]);
  });

  it.each(['2025-06-18', '2025-03-26'])('has ids, and no event without data, in %s', async (version) => {
    const session = await newSession(version);
    const { events } = await open({ method: 'POST', headers: session, body: call(1, 'progress') });
    expect(events.map(({ id }) => id)).toEqual(['0-1', '0-2', '0-3', '0-4']);
    expect(events.every(({ data }) => data !== '')).toBe(true);
  });

  it.each([
    ['text/event-stream, application/json', 'text/event-stream'],
    ['application/json;q=0.5, text/event-stream', 'text/event-stream'],
    ['text/event-stream;q=0.5, application/json', 'application/json'],
    ['application/json, text/event-stream', 'application/json'],
    ['*/*', 'application/json'],
  ])('answers a call that is done at once, to a client that accepts %s, as %s', async (accept, type) => {
    const headers = { ...(await newSession()), accept };
    const answer = await open({ method: 'POST', headers, body: call(1, 'seen') });
    expect(answer.type).toBe(type);
    if (type === 'application/json') return;
    expect(answer.events[0]).toEqual({ id: '0-0', retry: '1000', data: '' });
    expect(JSON.parse(dataOf(answer)[0] ?? '')).toMatchObject({ id: 1, result: {} });
  });

  it('goes on after a cut at any event, as often as it is cut', async () => {
    const whole = dataOf(
      await open({ method: 'POST', headers: await newSession(), body: call(1, 'progress') }),
    );
    expect(whole).toHaveLength(4);
    for (let cut = 1; cut <= 5; cut += 1) {
      const session = await newSession();
      const begun = await open({
        method: 'POST',
        headers: session,
        body: call(1, 'progress'),
        cutAfter: cut,
      });
      const got = [...dataOf(begun)];
      let last = begun.events.at(-1)?.id ?? '';
      // One event at a time: each connection is primed, then cut after the next message.
      while (got.length < whole.length) {
        const more = await resume(session, last, 2);
        got.push(...dataOf(more));
        last = more.events.at(-1)?.id ?? '';
      }
      expect(got).toEqual(whole);
      expect(dataOf(await resume(session, last))).toEqual([]);
    }
  });

  it('keeps an answer that came while its client was away', async () => {
    const session = await newSession();
    const asked = await open({ method: 'POST', headers: session, body: call(1, 'ask'), cutAfter: 2 });
    const question = JSON.parse(asked.events[1]?.data ?? '{}') as { id: number; method: string };
    expect(question.method).toBe('elicitation/create');
    const reply = { id: question.id, result: { action: 'accept', content: { name: 'N' } } };
    expect((await open({ method: 'POST', headers: session, body: reply })).status).toBe(202);
    const answered = await resume(session, asked.events[1]?.id ?? '');
    expect(answered.type).toBe('text/event-stream');
    expect(dataOf(answered)).toHaveLength(1);
    expect(JSON.parse(dataOf(answered)[0] ?? '')).toMatchObject({ id: 1, result: {} });
    expect(dataOf(answered)[0]).toContain('accept');
  });

  it('goes on live where its request is not answered yet', async () => {
    const session = await newSession();
    const asked = await open({ method: 'POST', headers: session, body: call(1, 'ask'), cutAfter: 1 });
    let answered: Promise<unknown> = Promise.resolve();
    const stream = await open({
      method: 'GET',
      headers: { ...session, 'last-event-id': asked.events[0]?.id ?? '' },
      onEvent({ data }) {
        if (!data.includes('elicitation/create')) return;
        const { id } = JSON.parse(data) as { id: number };
        answered = open({ method: 'POST', headers: session, body: { id, result: { action: 'decline' } } });
      },
    });
    await answered;
    expect(dataOf(stream)).toHaveLength(2);
    expect(dataOf(stream)[1]).toContain('decline');
  });

  it('of the session itself brings what was missed, and only to who asks for it', async () => {
    const session = await newSession();
    const first = await open({ method: 'GET', headers: session, cutAfter: 1 });
    const change = { id: 1, method: 'x-vendor/change' };
    // Another session of the same server makes it say something to all.
    expect((await open({ method: 'POST', headers: await newSession(), body: change })).status).toBe(200);
    const missed = await resume(session, first.events[0]?.id ?? '', 2);
    expect(dataOf(missed)[0]).toContain('notifications/tools/list_changed');
    const fresh = await open({ method: 'GET', headers: session, cutAfter: 1 });
    expect(fresh.events).toEqual([{ id: missed.events[1]?.id, retry: '1000', data: '' }]);
  });
});

describe('coming back', () => {
  it.each(['0-9', '7-0', '0', '-1-1', 'x', '0-1 ', '00000000000-1', '0-99999999999', ''])(
    'is refused for an event that never was: %j',
    async (id) => {
      const session = await newSession();
      await open({ method: 'POST', headers: session, body: call(1, 'progress') });
      const { status, body } = await resume(session, id);
      expect(status).toBe(id === '0-1 ' ? 200 : 400);
      if (status === 400) expect(body).toContain('"mcp_event_unknown"');
    },
  );

  it('is only for the session that the event is of, and for whose it is', async () => {
    const session = await newSession();
    await open({ method: 'POST', headers: session, body: call(1, 'progress') });
    expect((await resume({ ...session, authorization: 'Bearer other.default' }, '0-1')).status).toBe(404);
    expect((await resume({ 'mcp-session-id': 'made-up' }, '0-1')).status).toBe(404);
    expect((await resume({}, '0-1')).status).toBe(400);
    expect((await resume(await newSession(), '0-1')).status).toBe(400);
    expect((await resume(session, '0-3')).status).toBe(200);
  });
});

describe('what is kept', () => {
  it('is the last events, by number, by bytes, and by bytes of all sessions of a caller', () => {
    const store = new EventStore({ bytes: 0 });
    const stream = store.newStream();
    for (let n = 0; n < limits.mcpEventsKeptMax; n += 1) store.append(stream, 'x');
    expect(store.after('0-0')?.events).toHaveLength(limits.mcpEventsKeptMax);
    store.append(stream, 'x');
    expect(store.after('0-0')).toBeNull();
    expect(store.after('0-1')?.events).toHaveLength(limits.mcpEventsKeptMax);

    const heavy = new EventStore({ bytes: 0 });
    const bulk = heavy.newStream();
    heavy.append(bulk, 'x'.repeat(limits.mcpEventBytesKeptMax - 1));
    expect(heavy.after('0-0')?.events).toHaveLength(1);
    heavy.append(bulk, 'é');
    expect(heavy.after('0-0')).toBeNull();
    expect(heavy.after('0-1')?.events).toEqual([{ id: '0-2', text: 'é' }]);
    expect(heavy.bytes).toBe(2);
    heavy.append(bulk, 'x'.repeat(limits.mcpEventBytesKeptMax + 1));
    expect(heavy.bytes).toBe(0);

    const budget = { bytes: limits.mcpEventBytesPerCallerMax };
    const shared = new EventStore(budget);
    shared.append(shared.newStream(), 'x');
    expect(shared.after('0-0')).toBeNull();
    expect(budget.bytes).toBe(limits.mcpEventBytesPerCallerMax);
  });

  it('goes with its session', () => {
    const budget = { bytes: 5 };
    const store = new EventStore(budget);
    store.append(store.newStream(), 'abc');
    expect(budget.bytes).toBe(8);
    store.clear();
    expect(budget.bytes).toBe(5);
    expect(store.after('0-0')).toBeNull();
  });

  it('is replayed from every position in order, on its own stream alone', () => {
    const sends = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.string()), { maxLength: 60 });
    fc.assert(
      fc.property(sends, (list) => {
        const store = new EventStore({ bytes: 0 });
        const streams = [0, 1, 2, 3].map(() => store.newStream());
        const sent: { id: string; text: string }[][] = [[], [], [], []];
        for (const [which, text] of list) {
          const stream = streams[which];
          if (stream !== undefined) sent[which]?.push({ id: store.append(stream, text), text });
        }
        for (const [which, events] of sent.entries()) {
          for (let seen = 0; seen <= events.length; seen += 1) {
            expect(store.after(`${which}-${seen}`)?.events).toEqual(events.slice(seen));
          }
        }
      }),
    );
  });
});

it("the SDK's client comes back by itself for the answer to a call whose connection was cut", async () => {
  const gateway = new URL(harness.url);
  const sockets = new Set<Socket>();
  let calling: Socket | null = null;
  let cuts = 0;
  const relay = createServer((near) => {
    const far = connect(Number(gateway.port), gateway.hostname);
    near.pipe(far).pipe(near);
    near.on('data', (chunk: Buffer) => {
      if (chunk.includes('"tools/call"')) calling = near;
    });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        near.destroy();
        far.destroy();
        sockets.delete(socket);
      });
    }
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const { port } = relay.address() as AddressInfo;
  const client = new Client({ name: 't', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler('elicitation/create', () => {
    calling?.destroy();
    cuts += 1;
    return { action: 'accept' as const, content: { name: 'after the cut' } };
  });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}${PATH}`), {
      requestInit: { headers: GOOD },
    }),
  );
  const result = await client.callTool({ name: 'ask', arguments: {} });
  expect(JSON.stringify(result)).toContain('after the cut');
  expect(cuts).toBe(1);
  await client.close();
  relay.close();
  for (const socket of sockets) socket.destroy();
});
