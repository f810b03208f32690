/** Answers without bodies, interim answers, expectations and cookies, in all combinations of HTTP/1.1 and HTTP/2. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { describe, expect, it } from 'vitest';
import { connectHttp2, http2Upstream, replyOf } from './http2-world.ts';
import {
  API,
  bearer,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  TOKEN,
  type Upstream,
  type World,
} from './world.ts';

type Version = 'h1' | 'h2';
const WAYS = (['h1', 'h2'] as const).flatMap((client) =>
  (['h1', 'h2'] as const).map((upstream) => ({ client, upstream })),
);

interface Asked {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

interface Said {
  readonly status: number;
  readonly interims: readonly number[];
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function askH1(world: World, { method, headers = {}, body }: Asked): Promise<Said> {
  const place = await world.placeOf(API, 443);
  const interims: number[] = [];
  const request = httpsRequest({
    ...place,
    servername: API,
    ca: world.cell.caPem,
    agent: false,
    method,
    headers: { Host: API, ...headers },
  });
  request.on('information', ({ statusCode }) => interims.push(statusCode));
  request.on('continue', () => interims.push(100));
  if (headers['expect'] === undefined) request.end(body);
  else request.once('continue', () => request.end(body)).flushHeaders();
  const [response] = (await once(request, 'response')) as [IncomingMessage]; // as the event is documented
  request.end();
  let text = '';
  for await (const piece of response) text += String(piece);
  return {
    status: response.statusCode ?? 0,
    interims: [...new Set(interims)],
    headers: response.headers,
    body: text,
  };
}

async function askH2(world: World, { method, headers = {}, body }: Asked): Promise<Said> {
  const session = await connectHttp2(world);
  const stream = session.request(
    { ':path': '/', ':method': method, ...headers },
    { endStream: body === undefined },
  );
  const reply = replyOf(stream);
  if (headers['expect'] === undefined) {
    if (body !== undefined) stream.end(body);
  } else stream.once('continue', () => stream.end(body));
  const { status, interims, headers: received, body: bytes, reset } = await reply;
  session.destroy();
  expect(reset).toBe(0);
  return { status, interims, headers: received, body: bytes.toString() };
}

const CLIENTS = { h1: askH1, h2: askH2 };

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly interim?: boolean;
}

/** Answers each request in the same way, and keeps its fields. */
function upstreamWith(version: Version, answer: Answer, seen: IncomingHttpHeaders[]): Promise<Upstream> {
  const { status, headers = {}, body, interim = false } = answer;
  if (version === 'h1')
    return httpsUpstream((request, response) => {
      seen.push(request.headers);
      request.resume();
      if (interim) response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.writeHead(status, headers);
      response.end(body);
    });
  return http2Upstream((stream, received) => {
    seen.push(received);
    stream.resume();
    if (interim) stream.additionalHeaders({ ':status': 103, link: '</a>; rel=preload' });
    stream.respond({ ':status': status, ...headers }, { endStream: body === undefined });
    if (body !== undefined && !stream.writableEnded) stream.end(body);
  });
}

describe.each(WAYS)('a client with $client, an upstream with $upstream', ({ client, upstream }) => {
  async function exchange(
    asked: Asked,
    answer: Answer,
  ): Promise<{ said: Said; seen: IncomingHttpHeaders[] }> {
    const seen: IncomingHttpHeaders[] = [];
    const options = {
      upstreams: { [`${API}:443`]: await upstreamWith(upstream, answer, seen) },
      credentials: [
        bearer({ inject: [{ header: 'Authorization', format: 'Bearer {token}' }, { cookie: 'key' }] }),
      ],
    };
    let said: Said | undefined;
    await inWorld(options, async (world) => {
      said = await CLIENTS[client](world, asked);
    });
    if (said === undefined) throw new Error('nothing was said');
    return { said, seen };
  }

  it('HEAD: the length of what there would be, and nothing of it', async () => {
    const { said } = await exchange(
      { method: 'HEAD' },
      { status: 200, headers: { 'content-length': '1234', etag: '"a"' } },
    );
    expect(said).toMatchObject({ status: 200, body: '', headers: { 'content-length': '1234', etag: '"a"' } });
  });

  it('304: the same', async () => {
    const { said } = await exchange(
      { method: 'GET' },
      { status: 304, headers: { 'content-length': '1234', etag: '"a"' } },
    );
    expect(said).toMatchObject({ status: 304, body: '', headers: { etag: '"a"' } });
  });

  it('204: nothing', async () => {
    const { said } = await exchange({ method: 'DELETE' }, { status: 204 });
    expect([said.status, said.body, said.headers['content-length']]).toEqual([204, '', undefined]);
  });

  it('an empty body', async () => {
    const { said } = await exchange(
      { method: 'GET' },
      { status: 200, headers: { 'content-length': '0' }, body: '' },
    );
    expect(said).toMatchObject({ status: 200, body: '' });
  });

  it('interim answers go before', async () => {
    const { said } = await exchange({ method: 'GET' }, { status: 200, body: 'x', interim: true });
    expect(said).toMatchObject({ status: 200, body: 'x', interims: [103] });
  });

  it('an expectation is met, and the body follows', async () => {
    const asked = {
      method: 'POST',
      headers: { expect: '100-continue', 'content-length': '4' },
      body: 'body',
    };
    const { said } = await exchange(asked, { status: 201, body: 'x' });
    expect(said).toMatchObject({ status: 201, body: 'x', interims: [100] });
  });

  it('cookies arrive as one field, with the key in its pair', async () => {
    const headers = {
      cookie: client === 'h2' ? ['a=b', `key=${PLACEHOLDER}`, 'c=d'] : `a=b; key=${PLACEHOLDER}; c=d`,
    };
    const { seen } = await exchange({ method: 'GET', headers }, { status: 200, body: 'x' });
    expect(seen[0]?.cookie).toBe(`a=b; key=${TOKEN}; c=d`);
  });

  it('what is about one connection stays on it', async () => {
    const headers =
      client === 'h1' ? { Connection: 'close, x-mine', 'X-Mine': '1', TE: 'trailers' } : { te: 'trailers' };
    const { seen, said } = await exchange({ method: 'GET', headers }, { status: 200, body: 'x' });
    expect(seen[0]).toMatchObject({ te: 'trailers' });
    expect(seen[0]?.['x-mine']).toBeUndefined();
    expect(said.body).toBe('x');
  });
});
