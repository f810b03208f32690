/** HTTP/2 in all combinations with HTTP/1.1: the same way, the same rules, the same keys. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type IncomingHttpHeaders, sensitiveHeaders, type ServerHttp2Stream } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { ask, connectHttp2, http2Upstream, replyOf } from './http2-world.ts';
import {
  API,
  apiRule,
  bearer,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  rawUpstream,
  TOKEN,
  type World,
  turns,
} from './world.ts';

const AUTH = { authorization: `Bearer ${PLACEHOLDER}` };

/** The same job on an upstream of either version. */
interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly path: string;
}

/** As far as it came. */
async function bodyOf(stream: AsyncIterable<unknown>): Promise<string> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of stream) pieces.push(piece as Buffer);
  } catch {
    return '';
  }
  return Buffer.concat(pieces).toString('latin1');
}

async function echo(version: 'h1' | 'h2', seen: Seen[]): Promise<Awaited<ReturnType<typeof httpsUpstream>>> {
  if (version === 'h1')
    return httpsUpstream(async (request: IncomingMessage, response: ServerResponse) => {
      seen.push({ headers: request.headers, method: request.method ?? '', path: request.url ?? '' });
      const body = await bodyOf(request);
      response.writeHead(200, {
        'X-Version': request.httpVersion,
        Trailer: 'x-sum',
        'Set-Cookie': ['a=1', 'b=2'],
      });
      response.write(`got ${body}`);
      response.addTrailers({ 'X-Sum': 'sum', 'X-Echo': String(request.headers.authorization) });
      response.end();
    });
  return http2Upstream(async (stream: ServerHttp2Stream, headers) => {
    seen.push({ headers, method: headers[':method'] ?? '', path: headers[':path'] ?? '' });
    const body = await bodyOf(stream);
    if (stream.destroyed) return;
    stream.respond(
      { ':status': 200, 'x-version': '2.0', 'set-cookie': ['a=1', 'b=2'] },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () =>
      stream.sendTrailers({ 'x-sum': 'sum', 'x-echo': String(headers.authorization) }),
    );
    stream.end(`got ${body}`);
  });
}

async function through(
  version: 'h1' | 'h2',
  body: (world: World, seen: Seen[]) => Promise<void>,
): Promise<void> {
  const seen: Seen[] = [];
  const upstream = await echo(version, seen);
  await inWorld({ upstreams: { [`${API}:443`]: upstream } }, (world) => body(world, seen));
}

describe.each(['h1', 'h2'] as const)('an HTTP/2 client and an upstream that speaks %s', (version) => {
  it('exchange a request: key in, key masked on the way back, trailers and repeated fields kept', async () => {
    await through(version, async (world, seen) => {
      const session = await connectHttp2(world);
      const reply = await ask(session, { ':path': '/v1?a=b', 'x-custom': 'caf\u00e9', ...AUTH });
      expect(reply.status).toBe(200);
      expect(reply.headers['x-version']).toBe(version === 'h1' ? '1.1' : '2.0');
      expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2']);
      expect(reply.body.toString()).toBe('got ');
      expect(reply.trailers).toMatchObject({ 'x-sum': 'sum', 'x-echo': `Bearer ${PLACEHOLDER}` });
      expect(seen[0]).toMatchObject({
        method: 'GET',
        path: '/v1?a=b',
        headers: { authorization: `Bearer ${TOKEN}`, 'x-custom': 'caf\u00e9' },
      });
      expect((await world.eventsOf('egress.masked'))[0]?.data).toMatchObject({ credentials: ['TOKEN'] });
      expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({ status: 200, path: '/v1' });
      session.destroy();
    });
  });

  it('exchange bodies, small and large, many at a time on one connection', async () => {
    await through(version, async (world) => {
      const session = await connectHttp2(world);
      const bodies = [
        'x',
        'y'.repeat(70_000),
        'z'.repeat(1_000_000),
        ...Array.from({ length: 20 }, (_, i) => `n${i}`),
      ];
      const replies = await Promise.all(bodies.map((body) => ask(session, { ':method': 'POST' }, body)));
      expect(replies.map((reply) => reply.body.toString())).toEqual(bodies.map((body) => `got ${body}`));
      session.destroy();
    });
  });

  it('refuse with an answer that says why, and go on', async () => {
    await through(version, async (world, seen) => {
      const session = await connectHttp2(world);
      const misplaced = await ask(session, { 'x-other': PLACEHOLDER });
      expect([misplaced.status, errorOf(misplaced as never).code]).toEqual([
        403,
        'egress_placeholder_misplaced',
      ]);
      const text = `a${PLACEHOLDER}b`;
      const length = { 'content-length': text.length };
      const body = await ask(session, { ':method': 'POST', ...length, ...AUTH }, text);
      expect([body.status, errorOf(body as never).code]).toEqual([403, 'egress_placeholder_misplaced']);
      expect(seen).toEqual([]);
      expect((await ask(session, AUTH)).status).toBe(200);
      session.destroy();
    });
  });

  it('a misplaced placeholder that streams by never arrives whole', async () => {
    await through(version, async (world) => {
      const session = await connectHttp2(world);
      const stream = session.request({ ':method': 'POST', ':path': '/' });
      const reply = replyOf(stream);
      stream.write(`a${PLACEHOLDER.slice(0, 9)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      stream.end(PLACEHOLDER.slice(9));
      expect(errorOf((await reply) as never).code).toBe('egress_placeholder_misplaced');
      session.destroy();
    });
  });
});

describe('an HTTP/1.1 client and an upstream that speaks h2', () => {
  it('exchange a request: key in, key masked on the way back, trailers kept', async () => {
    await through('h2', async (world, seen) => {
      const reply = await world.request({
        method: 'POST',
        path: '/v1',
        body: 'hello',
        headers: { Authorization: `Bearer ${PLACEHOLDER}`, TE: 'trailers' },
      });
      expect([reply.status, reply.body.toString()]).toEqual([200, 'got hello']);
      expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2']);
      expect(reply.trailers).toMatchObject({ 'x-sum': 'sum', 'x-echo': `Bearer ${PLACEHOLDER}` });
      expect(seen[0]?.headers).toMatchObject({
        authorization: `Bearer ${TOKEN}`,
        te: 'trailers',
        ':authority': API,
      });
    });
  });
});

describe('a field with a key in it', () => {
  it('is kept in no table of header compression (RFC 7541 section 7.1.3)', async () => {
    const kept: unknown[] = [];
    const upstream = await http2Upstream((stream, headers) => {
      kept.push(Reflect.get(headers, sensitiveHeaders), headers['x-api-key'], headers.cookie);
      stream.respond({ ':status': 204 }, { endStream: true });
    });
    const inject = [{ header: 'X-Api-Key', format: '{token}' }, { cookie: 'session' }];
    const options = { upstreams: { [`${API}:443`]: upstream }, credentials: [bearer({ inject })] };
    await inWorld(options, async (world) => {
      const session = await connectHttp2(world);
      const cookie = `a=b; session=${PLACEHOLDER}; long=${'c'.repeat(40)}`;
      await ask(session, { 'x-api-key': PLACEHOLDER, 'x-other': 'y', cookie });
      expect(kept).toEqual([['x-api-key', 'cookie'], TOKEN, cookie.replace(PLACEHOLDER, TOKEN)]);
      session.destroy();
    });
  });
});

describe('what could be read in two ways', () => {
  it.each([
    ['another host field', { ':authority': API, host: 'other.test' }, 'authority_differs_from_host'],
    ['another scheme', { ':scheme': 'http' }, 'scheme_mismatch'],
    ['a method of lower case', { ':method': 'get' }, 'method_unknown'],
  ])('%s: refused', async (_name, headers, reason) => {
    await through('h1', async (world, seen) => {
      const session = await connectHttp2(world);
      const reply = await ask(session, headers);
      expect([reply.status, errorOf(reply as never).code]).toEqual([400, 'egress_request_malformed']);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ reason });
      expect(seen).toEqual([]);
      expect((await ask(session, { host: API })).status).toBe(200); // control: the same one
      session.destroy();
    });
  });

  it('another authority than the name of the connection: refused (ATTACKS 10)', async () => {
    await inWorld({ rules: [apiRule(), apiRule({ host: 'other.test' })] }, async (world) => {
      const session = await connectHttp2(world);
      const reply = await ask(session, { ':authority': 'other.test', ...AUTH });
      expect([reply.status, errorOf(reply as never).code]).toEqual([403, 'egress_name_mismatch']);
      session.destroy();
    });
  });
});

describe('an upstream that speaks h2 and breaks off', () => {
  it.each([
    ['by resetting the stream', (stream: ServerHttp2Stream) => stream.destroy(new Error('broken'))],
    ['by closing the connection', (stream: ServerHttp2Stream) => stream.session?.socket.destroy()],
  ])('in the middle of an answer, %s: the client is not told that it was all', async (_name, breakOff) => {
    const upstream = await http2Upstream((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('half\n\n');
      void turns().then(() => breakOff(stream)); // once that has arrived
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const session = await connectHttp2(world);
      const reply = await ask(session, AUTH);
      expect([reply.body.toString(), reply.reset]).toEqual(['half\n\n', 2]);
      expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
        code: 'egress_upstream_closed',
      });
      session.destroy();
    });
  });
});

describe('an upstream that speaks h2 and breaks off before it answers', () => {
  const BREAKS = [
    ['resetting the stream', (stream: ServerHttp2Stream) => stream.destroy(new Error('broken'))],
    ['closing the connection', (stream: ServerHttp2Stream) => stream.session?.socket.destroy()],
  ] as const;

  it.each(BREAKS)('by %s, on a new connection: refused, and not sent again', async (_name, breakOff) => {
    let requests = 0;
    const upstream = await http2Upstream((stream) => {
      requests += 1;
      breakOff(stream);
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const reply = await world.request();
      expect([reply.status, errorOf(reply).code, requests]).toEqual([502, 'egress_upstream_closed', 1]);
    });
  });

  it.each(BREAKS)('by %s, on one that has answered: sent again, on another', async (_name, breakOff) => {
    let requests = 0;
    const upstream = await http2Upstream((stream) => {
      requests += 1;
      if (requests === 2) return breakOff(stream);
      stream.respond({ ':status': 200 });
      stream.end('ok');
      return undefined;
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      expect((await world.request()).status).toBe(200);
      expect((await world.request()).status).toBe(200);
      expect([requests, upstream.connections.length]).toEqual([3, 2]);
    });
  });

  it('where another request on it was answered meanwhile: refused, and not sent again', async () => {
    const waiting: ServerHttp2Stream[] = [];
    const upstream = await http2Upstream((stream, headers) => {
      if (headers[':path'] === '/slow') waiting.push(stream);
      else stream.respond({ ':status': 204 }, { endStream: true });
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const slow = world.request({ path: '/slow' });
      while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      expect((await world.request()).status).toBe(204);
      waiting[0]?.session?.socket.destroy();
      const reply = await slow;
      expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_upstream_closed']);
      expect(upstream.connections.length).toBe(1);
    });
  });
});

describe('trailers that HTTP/2 could not take', () => {
  const CHUNKED = `POST / HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n`;

  it.each([
    ['one twice that is meant once', 'ETag: a\r\nETag: b\r\n'],
    ['one of the connection', 'Http2-Settings: x\r\n'],
    ['one twice of another kind', 'DNT: 1\r\nDNT: 1\r\n'],
  ])('%s, from a client: the next request is served', async (_name, trailers) => {
    await through('h2', async (world) => {
      await world.exchange(`${CHUNKED}${trailers}\r\n`);
      expect((await world.request()).status).toBe(200);
    });
  });

  it.each([
    ['one twice that is meant once', 'ETag: a\r\nETag: b\r\n'],
    ['one of the connection', 'Http2-Settings: x\r\n'],
  ])('%s, from an upstream: the next request is served', async (_name, trailers) => {
    const upstream = await rawUpstream((socket) => {
      socket.on('data', () =>
        socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailers}\r\n`),
      );
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const session = await connectHttp2(world);
      await ask(session, {});
      expect((await ask(session, {})).status).toBe(200);
      session.destroy();
    });
  });
});
