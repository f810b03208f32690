/**
 * ATTACKS 7 at the egress proxy: a cell that takes all the handshakes and streams that it can get. Another cell's requests
 * go on, by count: so much of the flood at most between two of their answers.
 */
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { connectHttp2 as openHttp2, ask as askHttp2 } from '../egress/http2-world.ts';
import { API, httpsUpstream, inWorld, turns, type World } from '../egress/world.ts';
import { connectIn, neighbourCell } from './neighbour-cell.ts';

interface Place {
  readonly host: string;
  readonly port: number;
}

/** What a client says first for a name, once and for all. */
async function clientHello(servername: string): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectTls({ port: (server.address() as { port: number }).port, servername });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

interface Flood {
  /** Handshakes that the gateway has begun: each has cost it a signature. */
  begun: number;
  /** Connections that were cut without one. */
  cut: number;
}

/** A connection that has said nothing yet. @returns has a handshake begun, and throws it away */
async function ready({ host, port }: Place, hello: Buffer, flood: Flood): Promise<() => void> {
  const socket = connectTcp({ host, port });
  let isAnswered = false;
  socket.on('error', () => socket.destroy());
  socket.once('data', () => {
    isAnswered = true;
    flood.begun += 1;
    socket.destroy();
  });
  socket.once('close', () => {
    if (!isAnswered) flood.cut += 1;
  });
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  return () => socket.write(hello);
}

const handshake = (place: Place, hello: Buffer, flood: Flood): unknown =>
  ready(place, hello, flood).then((begin) => begin());

/** A request on a connection that is kept; the head of its answer. */
async function requestOn(socket: TLSSocket): Promise<string> {
  socket.write(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString('latin1');
}

describe('a cell that opens thousands of handshakes', () => {
  it('waits for itself: its neighbour is answered, on old connections and new ones, while most of them wait', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const hello = await clientHello(API);
      const neighbour = await neighbourCell(world);
      const kept = await connectIn(neighbour);
      expect(await requestOn(kept)).toContain('200 OK'); // its certificate and its upstream are there
      const place = await world.placeOf(API, 443);
      const flood = { begun: 0, cut: 0 };
      const connections = limits.cellConnectionsMax - 24;
      const begins = await Promise.all(Array.from({ length: connections }, () => ready(place, hello, flood)));
      for (const begin of begins) begin();
      expect(await requestOn(kept)).toContain('200 OK');
      expect(flood.begun).toBeLessThan(limits.cellHandshakesBurst);
      expect(await requestOn(await connectIn(neighbour))).toContain('200 OK');
      while (flood.begun + flood.cut < connections) await new Promise((resolve) => setTimeout(resolve, 20));
      /* It got its share, and what was too much was cut. */
      expect(flood.begun).toBeGreaterThan(0);
      expect(flood.cut).toBeGreaterThan(0);
      const refused = { code: 'egress_handshakes_limit', host: API, port: 443 };
      await expect
        .poll(() => world.events.map(({ data }) => data), { timeout: 10_000 })
        .toContainEqual(expect.objectContaining(refused));
      neighbour.server.close();
    });
  });

  it('control: connections that come one after another all get theirs', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      for (let index = 0; index < 50; index += 1) expect((await world.request()).status).toBe(200);
      expect(world.events.filter(({ type }) => type === 'egress.refused')).toEqual([]);
    });
  });

  it('connections that wait for their turn are cut, and told, when there are too many', async () => {
    /* The clock stands still: after the burst, none is earned. */
    const clock = fixedClock(Date.now());
    await inWorld({ clock, credentials: [] }, async (world) => {
      const hello = await clientHello(API);
      const place = await world.placeOf(API, 443);
      const flood = { begun: 0, cut: 0 };
      const fitting = limits.cellHandshakesBurst + limits.cellHandshakesWaitingMax;
      for (let index = 0; index < limits.cellHandshakesBurst; index += 1) {
        handshake(place, hello, flood);
        while (flood.begun <= index) await turn();
      }
      for (let index = limits.cellHandshakesBurst; index < fitting + 20; index += 1)
        handshake(place, hello, flood);
      while (flood.cut < 20) await turn();
      const refused = { code: 'egress_handshakes_limit', host: API, port: 443 };
      await expect
        .poll(() => world.events.map(({ data }) => data), { timeout: 10_000 })
        .toContainEqual(expect.objectContaining(refused));
      expect(flood).toEqual({ begun: limits.cellHandshakesBurst, cut: 20 });
      /* Who waits too long is cut like one that says nothing. */
      clock.advance(limits.egressHeadTimeoutMs);
      while (flood.begun + flood.cut < fitting + 20) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(flood.begun).toBeGreaterThanOrEqual(limits.cellHandshakesBurst);
    });
  });
});

describe('TLS sessions of a cell', () => {
  async function sessionOf(world: World): Promise<Buffer> {
    const socket = await world.connectTls();
    const [session] = (await once(socket, 'session')) as [Buffer];
    socket.destroy();
    return session;
  }

  async function isReused(place: Place, ca: string, servername: string, session: Buffer): Promise<boolean> {
    const socket: TLSSocket = connectTls({ ...place, servername, ca, session });
    await once(socket, 'secureConnect');
    const reused = socket.isSessionReused();
    socket.destroy();
    return reused;
  }

  it('are resumed, which saves the signature; by that cell and for that name alone', async () => {
    const rules = [API, 'other.test'].map((host) => ({ host, port: 443, protocol: 'https' }) as const);
    await inWorld({ rules, credentials: [] }, async (world) => {
      const session = await sessionOf(world);
      const { caPem } = world.cell;
      expect(await isReused(await world.placeOf(API, 443), caPem, API, session)).toBe(true);
      expect(await isReused(await world.placeOf('other.test', 443), caPem, 'other.test', session)).toBe(
        false,
      );
      const neighbour = await neighbourCell(world);
      expect(await isReused(neighbour.place, neighbour.cell.caPem, API, session)).toBe(false);
      neighbour.server.close();
    });
  });
});

const closed = (stream: ClientHttp2Stream): Promise<void> =>
  new Promise((resolve) => stream.once('close', () => resolve()));

describe('a cell that opens all the HTTP/2 streams that it can', () => {
  it('has so many on all of its connections together; one more may be tried again, and others are not concerned', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const sessions: ClientHttp2Session[] = [];
      const connections = Math.ceil(limits.cellStreamsMax / limits.http2StreamsMax);
      for (let index = 0; index <= connections; index += 1) sessions.push(await openHttp2(world));
      const open = () => {
        const session = sessions[Math.floor(streams.length / limits.http2StreamsMax)];
        if (session === undefined) throw new Error('no session');
        /* Its body is waited for before anything else happens. */
        const head = { ':path': '/', ':method': 'POST', 'content-length': '5' };
        const stream = session.request(head, { endStream: false });
        stream.on('error', () => undefined);
        streams.push(stream);
        return stream;
      };
      const streams: ClientHttp2Stream[] = [];
      while (streams.length < limits.cellStreamsMax) open();
      /* Until the gateway has seen them all. */
      await Promise.all(sessions.map((session) => new Promise((resolve) => session.ping(resolve))));
      const late = open();
      await closed(late);
      expect(late.rstCode).toBe(constants.NGHTTP2_REFUSED_STREAM);
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_streams_limit',
        host: API,
        port: 443,
      });
      const neighbour = await neighbourCell(world);
      expect(await requestOn(await connectIn(neighbour))).toContain('200 OK');
      /* One that ends makes room. */
      const [first, ...rest] = streams;
      first?.close(constants.NGHTTP2_CANCEL);
      if (first !== undefined) await closed(first);
      const last = sessions.at(-1);
      if (last === undefined) throw new Error('no session');
      let status = 0;
      while (status !== 200) ({ status } = await askHttp2(last, { ':path': '/' }));
      for (const stream of rest) stream.destroy();
      for (const session of sessions) session.destroy();
      neighbour.server.close();
    });
  });
});

describe('HTTP/2 connections that are held open', () => {
  const MARGIN_MS = 2 * limits.egressSweepIntervalMs;

  it.each<[string, Buffer]>([
    ['nothing after the handshake', Buffer.alloc(0)],
    [
      'nothing after the preface',
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1'),
    ],
    [
      'a header block that does not end',
      Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1'),
        /* HEADERS of stream 1 without END_HEADERS: `:method: GET` and no more. */
        Buffer.from('00000101000000000182', 'hex'),
      ]),
    ],
  ])('with %s: ended when they are idle for too long', async (_name, bytes) => {
    const clock = fixedClock(Date.now());
    await inWorld({ clock, credentials: [] }, async (world) => {
      const place = await world.placeOf(API, 443);
      const socket = connectTls({ ...place, servername: API, ca: world.cell.caPem, ALPNProtocols: ['h2'] });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      socket.write(bytes);
      socket.resume();
      const closed = once(socket, 'close');
      await turns(); // lets it arrive
      await new Promise((resolve) => setTimeout(resolve, MARGIN_MS));
      expect(socket.destroyed).toBe(false);
      clock.advance(limits.egressIdleTimeoutMs);
      await closed;
    });
  });

  it('by a stream whose body stalls: the stream is refused in words, and the next one is answered', async () => {
    const clock = fixedClock(Date.now());
    const begun = Promise.withResolvers<void>();
    const upstream = await httpsUpstream((request, response) => {
      request.on('data', () => begun.resolve()).on('end', () => response.end('ok'));
    });
    await inWorld({ clock, credentials: [], upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const session = await openHttp2(world);
      const stalled = session.request({ ':path': '/', ':method': 'POST' }, { endStream: false });
      stalled.on('error', () => undefined);
      stalled.write('a');
      const answered = once(stalled, 'response') as Promise<[Record<string, unknown>]>;
      await begun.promise;
      clock.advance(limits.egressBodyIdleTimeoutMs);
      expect((await answered)[0][':status']).toBe(408);
      expect((await askHttp2(session, { ':path': '/' })).status).toBe(200);
      session.destroy();
    });
  });
});
