/** HTTP/2 streams that go both ways at a time, stop in the middle, or are slower on one side than on the other. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ask, connectHttp2, http2Upstream, type Http2Reply, replyOf } from './http2-world.ts';
import { API, httpsUpstream, inWorld, PLACEHOLDER, TOKEN, type World } from './world.ts';

const PLACE = `${API}:443`;
const AUTH = { authorization: `Bearer ${PLACEHOLDER}` };

/** A message of gRPC. */
function message(text: string): Buffer {
  const bytes = Buffer.alloc(5 + text.length);
  bytes.writeUInt32BE(text.length, 1);
  bytes.write(text, 5, 'latin1');
  return bytes;
}

/** Sends each message when the answer to the one before has come. */
async function talk(world: World, texts: readonly string[]): Promise<Http2Reply> {
  const session = await connectHttp2(world);
  const stream = session.request(
    { ':method': 'POST', ':path': '/', 'content-type': 'application/grpc', te: 'trailers', ...AUTH },
    { endStream: false },
  );
  const reply = replyOf(stream);
  const expected = texts.map((text) => message(text.replaceAll(TOKEN, PLACEHOLDER)).length);
  let [sent, received, awaited] = [0, 0, 0];
  const next = (): void => {
    const text = texts[sent];
    awaited += expected[sent] ?? 0;
    sent += 1;
    if (text === undefined) stream.end();
    else stream.write(message(text.replaceAll(TOKEN, 'key')));
  };
  stream.on('data', (data: Buffer) => {
    received += data.length;
    if (received === awaited) next();
  });
  next();
  try {
    return await reply;
  } finally {
    session.destroy();
  }
}

describe.each(['h1', 'h2'] as const)('messages both ways, through an upstream that speaks %s', (version) => {
  const upstreamOf = (answer: (text: Buffer) => Buffer) =>
    version === 'h2'
      ? http2Upstream((stream) => {
          stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-key': TOKEN }));
          stream.on('data', (data: Buffer) => stream.write(answer(data)));
          stream.on('end', () => stream.end());
        })
      : httpsUpstream((request, response) => {
          response.writeHead(200, { 'Content-Type': 'application/grpc', Trailer: 'grpc-status' });
          request.on('data', (data: Buffer) => response.write(answer(data)));
          request.on('end', () => {
            response.addTrailers({ 'grpc-status': '0', 'x-key': TOKEN });
            response.end();
          });
        });

  it('each is there before the next is sent, whatever it ends with', async () => {
    const texts = ['a', 'abc', '', TOKEN, TOKEN.slice(0, 20), `x${TOKEN}`, btoa('harmless'), 'last'];
    const upstream = await upstreamOf((data) =>
      data.subarray(5).toString() === 'key' || data.subarray(5).toString() === 'xkey'
        ? message(data.subarray(5).toString().replace('key', TOKEN))
        : data,
    );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const reply = await talk(world, texts);
      expect(reply.body.toString('latin1')).toBe(
        Buffer.concat(texts.map((text) => message(text.replaceAll(TOKEN, PLACEHOLDER)))).toString('latin1'),
      );
      expect(reply.trailers).toMatchObject({ 'grpc-status': '0', 'x-key': PLACEHOLDER });
      expect(reply.reset).toBe(0);
    });
  });
});

/** Waits until a number has stayed the same while other requests went by. */
async function stalled(world: World, count: () => number): Promise<number> {
  const session = await connectHttp2(world);
  let last = -1;
  for (let same = 0; same < 10; same = count() === last ? same + 1 : 0) {
    last = count();
    for (let asked = 0; asked < 5; asked += 1) expect((await ask(session, {})).status).toBe(204);
  }
  session.destroy();
  return last;
}

const SIZE = 128 * 1024 * 1024;
/** What the buffers of the systems and of the gateway may hold together. */
const HELD_MAX = 32 * 1024 * 1024;
const PIECE = Buffer.alloc(65_536, 'harmless ');

/** Writes a body of `SIZE` bytes as fast as it is taken. */
function pump(stream: Writable, onWritten: (bytes: number) => void): void {
  let left = SIZE / PIECE.length;
  const next = (): void => {
    while (left > 0) {
      left -= 1;
      onWritten(PIECE.length);
      if (!stream.write(PIECE)) {
        stream.once('drain', next);
        return;
      }
    }
    stream.end();
  };
  next();
}

const WAYS = [
  ['h1', 'h1 upstream'],
  ['h2', 'h2 upstream'],
] as const;

describe.each(WAYS)('a side that is slow, with an %s upstream', (version) => {
  it('slows the other down and nobody else: an answer', async () => {
    let sent = 0;
    const count = (bytes: number): void => {
      sent += bytes;
    };
    const upstream =
      version === 'h2'
        ? await http2Upstream((stream, headers) => {
            if (headers[':path'] === '/') stream.respond({ ':status': 204 }, { endStream: true });
            else {
              stream.respond({ ':status': 200 });
              pump(stream, count);
            }
          })
        : await httpsUpstream((request, response) => {
            if (request.url === '/') response.writeHead(204).end();
            else pump(response, count);
          });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const session = await connectHttp2(world);
      const stream = session.request({ ':path': '/big' });
      expect(await stalled(world, () => sent)).toBeLessThan(HELD_MAX);
      let received = 0;
      stream.on('data', (data: Buffer) => {
        received += data.length;
      });
      await once(stream, 'close');
      expect([received, sent]).toEqual([SIZE, SIZE]);
      session.destroy();
    });
  });

  it('slows the other down and nobody else: a request', async () => {
    let [sent, received] = [0, 0];
    const waiting: Readable[] = [];
    const take = (request: Readable, path: string | undefined, answer: (status: number) => void): void => {
      if (path === '/') answer(204);
      else {
        waiting.push(request);
        request.on('data', (data: Buffer) => {
          received += data.length;
        });
        request.pause();
        request.on('end', () => answer(201));
      }
    };
    const upstream =
      version === 'h2'
        ? await http2Upstream((stream, headers) =>
            take(stream, headers[':path'], (status) =>
              stream.respond({ ':status': status }, { endStream: true }),
            ),
          )
        : await httpsUpstream((request, response) =>
            take(request, request.url, (status) => response.writeHead(status).end()),
          );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const session = await connectHttp2(world);
      const stream = session.request({ ':path': '/big', ':method': 'POST' }, { endStream: false });
      const reply = replyOf(stream);
      pump(stream, (bytes) => {
        sent += bytes;
      });
      expect(await stalled(world, () => sent)).toBeLessThan(HELD_MAX);
      waiting[0]?.resume();
      expect((await reply).status).toBe(201);
      expect(received).toBe(SIZE);
      session.destroy();
    });
  });
});

it('trailers arrive behind a body whose length was declared', async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const upstream = await http2Upstream((stream) => {
    stream.on('trailers', ({ 'x-sum': sum }) => resolve(sum));
    stream.resume();
    stream.on('end', () => stream.respond({ ':status': 204 }, { endStream: true }));
  });
  await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
    const session = await connectHttp2(world);
    const stream = session.request(
      { ':path': '/', ':method': 'POST', 'content-length': 100_000 },
      { endStream: false, waitForTrailers: true },
    );
    const reply = replyOf(stream);
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
    stream.end(Buffer.alloc(100_000));
    expect((await reply).status).toBe(204);
    expect(await promise).toBe('1');
    session.destroy();
  });
});
