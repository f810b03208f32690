import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { newId, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import {
  API,
  bearer,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  rawUpstream,
  readAll,
  type Upstream,
  type World,
} from './world.ts';

const MIB = 1024 * 1024;
const GET = `GET / HTTP/1.1\r\nHost: ${API}\r\n`;
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const withHttps = async (
  listener: RequestListener,
  body: (world: World, upstream: Upstream) => Promise<void>,
): Promise<void> => {
  const upstream = await httpsUpstream(listener);
  await inWorld({ upstreams: { 'api.test:443': upstream } }, (world) => body(world, upstream));
};

/** An upstream that answers whatever comes with fixed bytes, head by head. */
const withRaw = async (
  answer: string | ((socket: TLSSocket, nth: number) => void),
  body: (world: World, upstream: Upstream) => Promise<void>,
): Promise<void> => {
  let requests = 0;
  const upstream = await rawUpstream((socket) => {
    socket.on('data', (bytes) => {
      if (!bytes.includes('\r\n\r\n')) return;
      requests += 1;
      if (typeof answer === 'string') socket.write(answer, 'latin1');
      else answer(socket, requests);
    });
  });
  await inWorld({ upstreams: { 'api.test:443': upstream } }, (world) => body(world, upstream));
};

/** Reads until `text` has come. */
async function readUntil(socket: TLSSocket, text: string): Promise<string> {
  let seen = '';
  while (!seen.includes(text)) {
    const [piece] = (await once(socket, 'data')) as [Buffer];
    seen += piece.toString('latin1');
  }
  return seen;
}

describe('connections', () => {
  it('are kept on both sides, and requests that come together are answered in order', async () => {
    const paths: string[] = [];
    await withHttps(
      (request, response) => {
        paths.push(request.url ?? '');
        response.end(`answer to ${request.url}`);
      },
      async (world, upstream) => {
        const requests = [1, 2, 3].map((n) => `GET /${n} HTTP/1.1\r\nHost: ${API}\r\n\r\n`).join('');
        const last = `POST /4 HTTP/1.1\r\nHost: ${API}\r\nContent-Length: 2\r\n\r\nhiGET /5 HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\n\r\n`;
        const text = await world.exchange(requests + last);
        expect(text.match(/answer to \/\d/g)).toEqual([1, 2, 3, 4, 5].map((n) => `answer to /${n}`));
        expect(paths).toEqual(['/1', '/2', '/3', '/4', '/5']);
        expect(upstream.connections).toHaveLength(1);
        expect(text).toContain('Connection: close');
      },
    );
  });

  it('are used again for other clients, in another cell of the same workspace too, not in another workspace', async () => {
    await withHttps(
      (_request, response) => response.end('ok'),
      async (world, upstream) => {
        await world.request();
        await world.request();
        expect(upstream.connections).toHaveLength(1);
        const [host] = await world.resolver.resolve4(API); // the first name has the same address in every cell
        const fromNeighbour = async (workspace: WorkspaceId): Promise<void> => {
          const identity = { ...world.spec.identity, workspace, cell: newId<'cell'>('cel', systemRandom) };
          const neighbour = await world.egress.openCell({ ...world.spec, identity, credentials: [] });
          const listener = createServer({ pauseOnConnect: true });
          neighbour.acceptTcp(443, listener);
          listener.listen(0, host);
          await once(listener, 'listening');
          const place = { host, port: (listener.address() as AddressInfo).port };
          const socket = connect({ ...place, servername: API, ca: neighbour.caPem });
          socket.end(`${GET}Connection: close\r\n\r\n`);
          expect(await readAll(socket)).toContain('200 OK');
          listener.close();
        };
        await fromNeighbour(world.spec.identity.workspace);
        expect(upstream.connections).toHaveLength(1);
        await fromNeighbour(newId<'workspace'>('wsp', systemRandom));
        expect(upstream.connections).toHaveLength(2);
      },
    );
  });

  it('answers an HTTP/1.0 client without chunks, and closes', async () => {
    await withHttps(
      (_request, response) => {
        response.write('one ');
        response.end('two');
      },
      async (world) => {
        const text = await world.exchange(`GET / HTTP/1.0\r\nHost: ${API}\r\n\r\n`);
        expect(text.toLowerCase()).not.toContain('transfer-encoding');
        expect(text.endsWith('\r\n\r\none two')).toBe(true);
      },
    );
  });

  it('sends a request again when the kept connection turns out to be dead, if that is harmless', async () => {
    await withRaw(
      (socket, nth) => {
        if (nth === 2 || nth === 5) socket.destroy();
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      },
      async (world, upstream) => {
        expect((await world.request()).status).toBe(200);
        expect((await world.request({ method: 'PUT', body: 'x' })).status).toBe(200);
        expect(upstream.connections).toHaveLength(2);
        expect((await world.request()).status).toBe(200);
        const post = await world.request({ method: 'POST', body: 'x' });
        expect([post.status, errorOf(post).code]).toEqual([502, 'egress_upstream_closed']);
        expect((await world.eventsOf('egress.finished', 4)).map(({ data }) => data['code'] ?? null)).toEqual([
          null,
          null,
          null,
          'egress_upstream_closed',
        ]);
      },
    );
  });

  it('are not used again after bytes that nobody asked for', async () => {
    await withRaw(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong',
      async (world, upstream) => {
        const text = await world.exchange(`${GET}\r\n${GET}Connection: close\r\n\r\n`);
        expect(text).not.toContain('wrong');
        expect(upstream.connections).toHaveLength(2);
      },
    );
  });
});

describe('messages', () => {
  it('lose what concerns one connection only', async () => {
    let raw: string[] = [];
    await withHttps(
      (request, response) => {
        raw = request.rawHeaders;
        response.setHeader('Connection', 'X-Hop');
        response.setHeader('X-Hop', 'a');
        response.setHeader('Keep-Alive', 'timeout=5');
        response.setHeader('X-Kept', 'b');
        response.end('ok');
      },
      async (world) => {
        const text = await world.exchange(
          `${GET}Connection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\nX-Yours: 2\r\nRange: bytes=0-1\r\n\r\n`,
        );
        expect(raw.map((name) => name.toLowerCase()).filter((_, index) => index % 2 === 0)).toEqual([
          'host',
          'x-yours',
          'te',
          'connection',
        ]);
        /* Trailers are relayed, so the offer to read them is ours too; what else the client named is not. */
        expect([raw[5], raw[7]]).toEqual(['trailers', 'TE']);
        expect(text).toContain('X-Kept: b');
        expect(text).not.toMatch(/X-Hop|Keep-Alive/i);
      },
    );
  });

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 200, '5'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204, undefined],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 304, '5'],
  ])('%s: %j has no body, and the connection goes on', async (method, answer, status, length) => {
    await withRaw(answer, async (world, upstream) => {
      for (let round = 0; round < 2; round += 1) {
        const reply = await world.request({ method });
        expect([reply.status, reply.headers['content-length'], reply.body.length]).toEqual([
          status,
          length,
          0,
        ]);
      }
      expect(upstream.connections).toHaveLength(1);
    });
  });

  it('relay interim answers, and not more than a few', async () => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    await withRaw(`${hints}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`, async (world) => {
      const text = await world.exchange(`${GET}Connection: close\r\n\r\n`);
      expect(text.startsWith(`${hints}HTTP/1.1 200 OK\r\n`)).toBe(true);
    });
    const declaring = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 0\r\n\r\n';
    await withRaw(`${declaring}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`, async (world) => {
      const text = await world.exchange(`${GET}Connection: close\r\n\r\n`);
      expect(text.startsWith(`${hints}HTTP/1.1 200 OK\r\n`)).toBe(true);
    });
    await withRaw(hints.repeat(17), async (world) => {
      const text = await world.exchange(`${GET}\r\n`);
      expect(errorOf(text.slice(text.indexOf('HTTP/1.1 502'))).code).toBe('egress_response_malformed');
    });
  });

  it('wait for 100 Continue from whoever will read the body', async () => {
    let bodies = 0;
    await withHttps(
      (request, response) => {
        request.on('data', (piece: Buffer) => (bodies += piece.length));
        request.on('end', () => response.end('ok'));
      },
      async (world) => {
        for (const [length, framing] of [
          [4, 'Content-Length: 4'],
          [100_000, 'Content-Length: 100000'],
          [3, 'Transfer-Encoding: chunked'],
        ] as const) {
          const socket = await world.connectTls();
          socket.write(
            `POST / HTTP/1.1\r\nHost: ${API}\r\nExpect: 100-continue\r\n${framing}\r\nConnection: close\r\n\r\n`,
          );
          expect(await readUntil(socket, '\r\n\r\n')).toBe('HTTP/1.1 100 Continue\r\n\r\n');
          socket.write(framing.startsWith('T') ? '3\r\nabc\r\n0\r\n\r\n' : 'x'.repeat(length));
          expect(await readAll(socket)).toContain('HTTP/1.1 200 OK');
        }
        expect(bodies).toBe(100_007);
      },
    );
  });

  it('end with the connection where the upstream says so', async () => {
    await withRaw(
      (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nup to the end'),
      async (world) => {
        expect((await world.request()).body.toString()).toBe('up to the end');
      },
    );
  });

  it('carry trailers', async () => {
    await withRaw(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 9\r\n\r\n',
      async (world) => {
        const reply = await world.request();
        expect([reply.body.toString(), reply.trailers]).toEqual(['ok', { 'x-sum': '9' }]);
      },
    );
  });

  it('pass on what an upstream says before it has read the request', async () => {
    await withRaw('HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nfull', async (world) => {
      const socket = await world.connectTls();
      socket.write(`POST / HTTP/1.1\r\nHost: ${API}\r\nContent-Length: 1000000\r\n\r\nfirst`);
      const text = await readAll(socket);
      expect(text).toContain('413 Content Too Large');
      expect(text).toContain('Connection: close');
      expect(text.endsWith('full')).toBe(true);
    });
  });

  it('pass an event as soon as it is there', async () => {
    const { promise: seen, resolve } = Promise.withResolvers<void>();
    await withHttps(
      (_request, response) => {
        response.setHeader('Content-Type', 'text/event-stream');
        response.write('data: first\n\n');
        void seen.then(() => response.end('data: second\n\n'));
      },
      async (world) => {
        const socket = await world.connectTls();
        socket.write(`${GET}Connection: close\r\n\r\n`);
        await readUntil(socket, 'data: first\n\n'); // the second one is not sent before this is
        resolve();
        expect(await readAll(socket)).toContain('data: second');
      },
    );
  });
});

describe('large bodies', () => {
  const big = randomBytes(9 * MIB);

  it.each([
    ['a length', false],
    ['chunks', true],
  ])('go both ways unchanged, with %s', async (_name, chunked) => {
    await withHttps(
      (request, response) => {
        if (!chunked) response.setHeader('Content-Length', big.length);
        request.pipe(response);
      },
      async (world) => {
        const headers = chunked
          ? { 'Transfer-Encoding': 'chunked' }
          : { 'Content-Length': String(big.length) };
        const reply = await world.request({ method: 'POST', headers, body: big });
        expect([reply.status, reply.body.length, hash(reply.body)]).toEqual([200, big.length, hash(big)]);
        expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
          requestBytes: big.length,
          responseBytes: big.length,
        });
      },
    );
  });

  it('are not read faster than the client takes them', async () => {
    let upstreamSocket: TLSSocket | null = null;
    const piece = Buffer.alloc(64 * 1024, 'x');
    const total = 64 * MIB;
    let written = 0;
    const upstream = await rawUpstream((socket) => {
      upstreamSocket = socket;
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
        const more = (): void => {
          while (written < total) {
            written += piece.length;
            if (!socket.write(piece)) {
              socket.once('drain', more);
              return;
            }
          }
        };
        more();
      });
    });
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const client = await world.connectTls();
      client.pause();
      client.write(`${GET}Connection: close\r\n\r\n`);
      let before = -1;
      while (upstreamSocket === null || written !== before || written === 0) {
        before = written;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      expect(written).toBeLessThan(total / 2);
      let received = 0;
      for await (const bytes of client) received += (bytes as Buffer).length;
      expect(received).toBeGreaterThan(total);
    });
  });

  it('with a credential in them are refused beyond the limit', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld(
      { upstreams: { 'api.test:443': upstream }, credentials: [bearer({ inject: [{ json: '/key' }] })] },
      async (world) => {
        const body = JSON.stringify({ key: PLACEHOLDER, more: 'x'.repeat(8 * MIB) });
        for (const framing of [`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked']) {
          const socket = await world.connectTls();
          socket.on('error', () => undefined);
          socket.write(
            `POST / HTTP/1.1\r\nHost: ${API}\r\nContent-Type: application/json\r\nConnection: close\r\n${framing}\r\n\r\n`,
          );
          socket.write(
            framing.startsWith('T') ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body,
          );
          expect(errorOf(await readAll(socket)).code).toBe('egress_body_too_large');
        }
      },
    );
  });
});
