/** One request at a time: what goes wrong with one is about that one alone, and nothing is done twice that is not the same twice. */
import { describe, expect, it } from 'vitest';
import { ask, connectHttp2 } from './http2-world.ts';
import { fixedClock, limits, systemClock } from '../../src/kernel/index.ts';
import { API, errorOf, inWorld, PLACEHOLDER, rawUpstream, readAll, type Upstream } from './world.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Answers the first request of each connection, and lets the second one down. */
const stale = (arrived: string[]): Promise<Upstream> =>
  rawUpstream((socket) => {
    let isFirst = true;
    socket.on('data', (data: Buffer) => {
      arrived.push(data.toString('latin1').split('\r\n', 1)[0] ?? '');
      if (isFirst) socket.write(OK);
      else socket.destroy();
      isFirst = false;
    });
  });

describe('a request on a connection that turns out to be stale', () => {
  it('is sent again where that is the same', async () => {
    const arrived: string[] = [];
    await inWorld({ upstreams: { 'api.test:443': await stale(arrived) } }, async (world) => {
      await world.request({ path: '/1' });
      expect((await world.request({ path: '/2' })).status).toBe(200);
      expect(arrived).toEqual(['GET /1 HTTP/1.1', 'GET /2 HTTP/1.1', 'GET /2 HTTP/1.1']);
    });
  });

  it('is not where another method is meant than the first line says', async () => {
    const arrived: string[] = [];
    await inWorld({ upstreams: { 'api.test:443': await stale(arrived) } }, async (world) => {
      await world.request({ path: '/1' });
      const headers = { Authorization: `Bearer ${PLACEHOLDER}`, 'X-HTTP-Method-Override': 'POST' };
      expect((await world.request({ path: '/2', headers })).status).toBe(502);
      expect(arrived).toEqual(['GET /1 HTTP/1.1', 'GET /2 HTTP/1.1']);
    });
  });
});

describe("an answer that the client's codec does not take", () => {
  const twice = 'ETag: a\r\nETag: b\r\n';
  it.each([
    ['at once', `HTTP/1.1 200 OK\r\n${twice}Content-Length: 2\r\n\r\nok`],
    ['in pieces', `HTTP/1.1 200 OK\r\n${twice}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
    ['before the answer', `HTTP/1.1 103 Early Hints\r\n${twice}\r\n${OK}`],
  ])('ends its request and no other: %s', async (_name, answer) => {
    const upstream = await rawUpstream((socket) =>
      socket.on('data', (data: Buffer) => socket.write(data.includes('/odd') ? answer : OK)),
    );
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const session = await connectHttp2(world, API);
      await ask(session, { ':path': '/odd' });
      const next = await ask(session, { ':path': '/next' });
      expect([next.status, next.body.toString()]).toEqual([200, 'ok']);
      session.destroy();
    });
  });
});

describe('a request that is refused while its key is being opened', () => {
  it('has an outcome for the use that is on record', async () => {
    const clock = fixedClock(0);
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: mayGo, resolve: letGo } = Promise.withResolvers<void>();
    const upstream = await rawUpstream(() => undefined);
    const options = {
      upstreams: { 'api.test:443': upstream },
      clock: { ...systemClock, monotonic: () => clock.monotonic() },
    };
    await inWorld(options, async (world) => {
      world.beforeUse = () => {
        ask();
        return mayGo;
      };
      const socket = await world.connectTls();
      const answer = readAll(socket);
      const head = `POST / HTTP/1.1\r\nHost: ${API}\r\nAuthorization: Bearer ${PLACEHOLDER}\r\n`;
      socket.write(`${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n`);
      await asked;
      clock.advance(limits.egressBodyIdleTimeoutMs);
      expect(errorOf(await answer).code).toBe('egress_request_timeout');
      letGo();
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({ status: 408, code: 'egress_request_timeout' });
      expect(world.events.filter(({ type }) => type === 'credential.used')).toHaveLength(1);
    });
  });
});
