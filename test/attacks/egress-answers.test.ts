/**
 * ATTACKS 11 from the other side: an upstream whose answers two readers could cut differently, or that answers when it was not
 * asked. What is at stake is the next request on the connection, which may be another cell's. The control is an answer with one
 * reading: both requests get their own, on one connection.
 */
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import {
  API,
  errorOf,
  inWorld,
  rawUpstream,
  readAll,
  type Reply,
  type Upstream,
  type World,
  turns,
} from '../egress/world.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** What a later request must never be answered with. */
const WRONG = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong';
const SECOND = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond';

/** What arrived, connection by connection. */
type Heard = string[];

/** Answers `/first` as the attacker likes, and everything else with `second`. */
async function answering(
  first: string | ((socket: TLSSocket) => void),
  body: (world: World, upstream: Upstream, heard: Heard) => Promise<void>,
): Promise<void> {
  const heard: Heard = [];
  const upstream = await rawUpstream((socket) => {
    const at = heard.push('') - 1;
    socket.on('data', (bytes) => {
      const before = heard[at] ?? '';
      heard[at] = before + bytes.toString('latin1');
      if (!bytes.includes('\r\n\r\n')) return;
      if (!/^\w+ \/first /.test(bytes.toString('latin1'))) socket.write(SECOND);
      else if (typeof first === 'string') socket.write(first, 'latin1');
      else first(socket);
    });
  });
  await inWorld({ upstreams: { [`${API}:443`]: upstream } }, (world) => body(world, upstream, heard));
}

const said = ({ status, body }: Reply): string => `${status} ${body.toString()}`;

describe('ATTACKS 11: an answer, and the next request', () => {
  it.each([
    ['a length', OK],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['an interim answer before it', `HTTP/1.1 103 Early Hints\r\n\r\n${OK}`],
  ])('control: with %s both get their own, on one connection', async (_name, first) => {
    await answering(first, async (world, upstream) => {
      expect(said(await world.request({ path: '/first' }))).toBe('200 ok');
      expect(said(await world.request({ path: '/second' }))).toBe('200 second');
      expect(upstream.connections).toHaveLength(1);
    });
  });

  it.each<[string, string, string, string | ((socket: TLSSocket) => void)]>([
    ['two answers to one request', 'GET', '200 ok', OK + WRONG],
    [
      'another answer a moment later',
      'GET',
      '200 ok',
      (socket) => {
        socket.write(OK);
        setTimeout(() => socket.write(WRONG), 20);
      },
    ],
    ['the beginning of another answer', 'GET', '200 ok', `${OK}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n`],
    ['a body for HEAD', 'HEAD', '200 ', WRONG],
    [
      'a whole answer as the body for HEAD',
      'HEAD',
      '200 ',
      `HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n${WRONG}`,
    ],
    ['a body for 204', 'GET', '204 ', `HTTP/1.1 204 No Content\r\n\r\n${WRONG}`],
    ['a body for 304', 'GET', '304 ', `HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n${WRONG}`],
    ['an interim answer behind it', 'GET', '200 ok', `${OK}HTTP/1.1 100 Continue\r\n\r\n${WRONG}`],
  ])('%s: the next one gets its own, on another connection', async (_name, method, answered, first) => {
    await answering(first, async (world, upstream) => {
      expect(said(await world.request({ method, path: '/first' }))).toBe(answered);
      await turns(20); // whatever comes late is there
      expect(said(await world.request({ path: '/second' }))).toBe('200 second');
      expect(upstream.connections).toHaveLength(2);
      const finished = await world.eventsOf('egress.finished', 2);
      expect(finished.map(({ data }) => data['path'])).toEqual(['/first', '/second']);
    });
  });

  const te = 'Transfer-Encoding: chunked\r\n';
  it.each([
    ['a length and chunks', `HTTP/1.1 200 OK\r\nContent-Length: 4\r\n${te}\r\n0\r\n\r\n${WRONG}`],
    ['two lengths', `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 43\r\n\r\n${WRONG}`],
    ['a list of lengths', `HTTP/1.1 200 OK\r\nContent-Length: 0, 43\r\n\r\n${WRONG}`],
    ['a negative length', `HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n${WRONG}`],
    ['a length with a sign', `HTTP/1.1 200 OK\r\nContent-Length: +0\r\n\r\n${WRONG}`],
    ['a length in hex', `HTTP/1.1 200 OK\r\nContent-Length: 0x0\r\n\r\n${WRONG}`],
    ['chunked, identity', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${WRONG}`],
    ['a coding in two fields', `HTTP/1.1 200 OK\r\n${te}Transfer-Encoding: x\r\n\r\n0\r\n\r\n${WRONG}`],
    ['a bare LF', `HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n${WRONG}`],
    ['NUL', `HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n${WRONG}`],
    ['space before the colon', `HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n${WRONG}`],
    [
      'another protocol that nobody asked for',
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n${WRONG}`,
    ],
    ['an interim answer with a body', `HTTP/1.1 103 Early Hints\r\nContent-Length: 43\r\n\r\n${WRONG}`],
    ['an interim answer in chunks', `HTTP/1.1 103 Early Hints\r\n${te}\r\n${WRONG}`],
    ['interim answers without end', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(200)],
    ['no status', `HTTP/1.1 OK\r\n\r\n${WRONG}`],
    ['another version', `HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n${WRONG}`],
  ])('%s: refused, on record, and the connection is gone', async (_name, first) => {
    await answering(first, async (world, upstream) => {
      const refused = await world.exchange(
        `GET /first HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\n\r\n`,
      );
      expect(refused).not.toContain('wrong');
      expect(errorOf(refused.slice(refused.indexOf('HTTP/1.1 502'))).code).toBe('egress_response_malformed');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({
        code: 'egress_response_malformed',
        path: '/first',
      });
      expect(said(await world.request({ path: '/second' }))).toBe('200 second');
      expect(upstream.connections).toHaveLength(2);
    });
  });

  it.each([
    ['more data than the chunk', `2\r\nokwrong\r\n0\r\n\r\n`],
    ['a chunk size that overflows', `2\r\nok\r\n10000000000000000\r\n${WRONG}`],
    ['a chunk size that is none', `2\r\nok\r\n-1\r\n${WRONG}`],
    ['LF in a chunk extension', `2;\nxx\r\nok\r\n0\r\n\r\n${WRONG}`],
    ['a bare LF behind a chunk', `2\r\nok\n0\r\n\r\n${WRONG}`],
    ['a length in a trailer', `2\r\nok\r\n0\r\nContent-Length: 43\r\n\r\n${WRONG}`],
  ])('%s: cut where it goes wrong, and never ended as if it were right', async (_name, chunks) => {
    await answering(`HTTP/1.1 200 OK\r\n${te}\r\n${chunks}`, async (world, upstream) => {
      const text = await world.exchange(`GET /first HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\n\r\n`);
      expect(text).not.toContain('wrong');
      expect(text.startsWith('HTTP/1.1 200') && text.endsWith('\r\n0\r\n\r\n')).toBe(false);
      expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
        code: 'egress_response_malformed',
      });
      expect(said(await world.request({ path: '/second' }))).toBe('200 second');
      expect(upstream.connections).toHaveLength(2);
    });
  });

  it("an answer before the body was sent: what is left of it is nobody's request", async () => {
    await answering(OK, async (world, upstream, heard) => {
      const smuggled = `GET /smuggled HTTP/1.1\r\nHost: ${API}\r\n\r\n`;
      const socket = await world.connectTls();
      socket.write(`POST /first HTTP/1.1\r\nHost: ${API}\r\nContent-Length: 100000\r\n\r\nbegun`);
      const answer = readAll(socket);
      setTimeout(() => socket.destroyed || socket.write(smuggled.repeat(100)), 50);
      expect(await answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
      expect(said(await world.request({ path: '/second' }))).toBe('200 second');
      expect(upstream.connections).toHaveLength(2);
      expect(heard[1]).toMatch(/^GET \/second /);
      expect(heard[1]).not.toContain('smuggled');
    });
  });

  it('an answer before anything was asked is no answer to what is asked later', async () => {
    const heard: string[] = [];
    const upstream = await rawUpstream((socket) => {
      if (heard.length === 0) socket.write(WRONG);
      socket.on('data', (bytes) => {
        heard.push(bytes.toString('latin1'));
        socket.write(SECOND);
      });
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      /* It came with the handshake, so it may be taken for the answer to this. Then it is the last one there. */
      await world.request({ path: '/first' });
      await turns(20);
      expect(said(await world.request({ path: '/second' }))).toBe('200 second');
    });
  });
});
