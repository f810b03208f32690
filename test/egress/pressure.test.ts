/** What a cell may make the gateway hold: bounded, whatever it sends and however little it reads. */
import { once } from 'node:events';
import { type ClientHttp2Session, constants } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BodyScan } from '../../src/egress/inject/body-scan.ts';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { connectHttp2 } from './http2-world.ts';
import {
  API,
  call,
  apiRule,
  bearer,
  errorOf,
  httpsUpstream,
  httpUpstream,
  inWorld,
  PLACEHOLDER,
  readAll,
  silentUpstream,
  type World,
} from './world.ts';

const MIB = 1024 * 1024;
/** A framed question for the address of `api.test`. */
const QUESTION = Buffer.from('001a0001010000010000000000000361706904746573740000010001', 'hex');
const PLAIN = [apiRule({ port: 80, protocol: 'http', methods: ['GET'] })];

/** A connection into the cell's listener, from both ends. */
describe('a body that is being searched when its client leaves', () => {
  afterEach(() => vi.restoreAllMocks());

  const long = `"\\n${'x'.repeat(limits.requestBodyBufferBytesMax - 1_024)}"`;
  it.each([
    ['JSON', {}, Buffer.from(long)],
    ['coded', { 'content-encoding': 'gzip' }, gzipSync(long)],
  ])('is searched no further: %s', async (_what, coding, body) => {
    const credentials = [bearer({ inject: [{ json: '/key' }] })];
    await inWorld({ credentials, upstreams: {} }, async (world) => {
      const session = await connectHttp2(world);
      const search = vi.spyOn(BodyScan.prototype, 'push');
      const begun = new Promise<void>((resolve) => search.mockImplementationOnce(() => (resolve(), null)));
      const headers = { 'content-type': 'application/json', 'content-length': body.length, ...coding };
      const stream = session.request({ ':method': 'POST', ...headers });
      stream.on('error', () => undefined).end(body);
      await begun;
      stream.close(constants.NGHTTP2_CANCEL);
      const searched = await settled(() => search.mock.calls.reduce((sum, [piece]) => sum + piece.length, 0));
      expect(searched).toBeLessThan(long.length / 2);
      session.destroy();
    });
  });
});

async function bothEnds(
  world: World,
  accept: (server: Server) => void,
): Promise<{ client: Socket; server: Socket }> {
  const [address] = await world.resolver.resolve4(API);
  const listener = createServer({ pauseOnConnect: true });
  accept(listener);
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  listener.listen(0, address);
  await once(listener, 'listening');
  const client = connect((listener.address() as AddressInfo).port, address);
  client.on('error', () => undefined);
  const [server] = await accepted;
  server.once('close', () => listener.close());
  return { client, server };
}

/** Waits until a number has stopped growing, and gives it. */
async function settled(read: () => number): Promise<number> {
  for (let before = -1; ; ) {
    const now = read();
    if (now === before && now > 0) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function readUntilCount(socket: Socket, what: string, count: number): Promise<void> {
  let seen = 0;
  let tail = '';
  for await (const bytes of socket) {
    const text = tail + (bytes as Buffer).toString('latin1');
    seen += text.split(what).length - 1;
    tail = text.slice(-(what.length - 1));
    if (seen >= count) return;
  }
}

describe('a client that sends requests and reads no answers', () => {
  it.each([
    ['that are refused', 'DELETE', 60_000, 'HTTP/1.1 403 '],
    ['that are carried out', 'GET', 6_000, 'HTTP/1.1 200 '],
  ])('%s: waits for itself, and then gets them all', async (_name, method, count, status) => {
    const body = Buffer.alloc(4_096, 'x');
    const upstream = await httpUpstream((_request, response) => response.end(body));
    await inWorld({ rules: PLAIN, upstreams: { 'api.test:80': upstream } }, async (world) => {
      const { client, server } = await bothEnds(world, (listener) => world.cell.acceptTcp(80, listener));
      client.pause();
      client.end(`${method} / HTTP/1.1\r\nHost: ${API}\r\n\r\n`.repeat(count));
      await settled(() => server.bytesWritten);
      expect(server.writableLength).toBeLessThan(MIB);
      await readUntilCount(client, status, count);
      client.destroy();
    });
  });
});

describe('a gateway that was kept from reading for a while', () => {
  it('reads what has come meanwhile before it looks who is late', async () => {
    const clock = fixedClock(0);
    const upstream = await httpUpstream((_request, response) => response.end('ok'));
    await inWorld({ rules: PLAIN, clock, upstreams: { 'api.test:80': upstream } }, async (world) => {
      const { client, server } = await bothEnds(world, (listener) => world.cell.acceptTcp(80, listener));
      client.write('GET / HTTP/1.1\r\nHost');
      await once(server, 'data');
      client.end(`: ${API}\r\n\r\n`);
      clock.advance(limits.egressHeadTimeoutMs);
      const until = performance.now() + limits.egressSweepIntervalMs;
      while (performance.now() < until); // so that the next look is due before anything is read
      expect(await readAll(client)).toContain('HTTP/1.1 200 OK');
    });
  });
});

describe('bodies that have to be seen whole', () => {
  it('take so much memory of a cell together, and give it back', async () => {
    const upstream = await httpsUpstream((request, response) =>
      request.resume().on('end', () => response.end('ok')),
    );
    const credentials = [bearer({ inject: [{ json: '/key' }] })];
    await inWorld({ credentials, upstreams: { 'api.test:443': upstream } }, async (world) => {
      const bytes = limits.requestBodyBufferBytesMax;
      const begin = async (): Promise<Socket> => {
        const client = await world.connectTls();
        client.on('error', () => undefined);
        client.write(
          `POST / HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n"`,
        );
        const flushed = new Promise((resolve) => client.write(Buffer.alloc(bytes - 2, 'x'), resolve));
        await flushed;
        return client;
      };
      const fitting = Math.floor(limits.cellBodyBytesMax / bytes);
      const clients = await Promise.all(Array.from({ length: fitting + 1 }, begin));
      const replies = clients.map(async (client) => ({ client, text: await readAll(client) }));
      const refused = await Promise.race(replies); // the others wait for their last byte
      expect(errorOf(refused.text).code).toBe('egress_body_too_large');
      for (const client of clients) if (client !== refused.client) client.write('"');
      const ended = await Promise.all(replies);
      expect(ended.filter(({ text }) => text.startsWith('HTTP/1.1 200 OK'))).toHaveLength(fitting);
      const again = await begin();
      again.write('"');
      expect(await readAll(again)).toContain('HTTP/1.1 200 OK');
    });
  });
});

describe('the resolver', () => {
  it('ends a connection that asks and does not read', async () => {
    await inWorld({}, async (world) => {
      const { client, server } = await bothEnds(world, (listener) => world.cell.acceptDnsTcp(listener));
      client.pause();
      const questions = Buffer.concat(Array.from({ length: 1_000 }, () => QUESTION));
      let most = 0;
      while (!server.destroyed && server.bytesWritten < 64 * MIB) {
        client.write(questions);
        await new Promise((resolve) => setImmediate(resolve));
        most = Math.max(most, server.writableLength);
      }
      expect(server.destroyed).toBe(true);
      expect(most).toBeLessThan(MIB);
      client.destroy();
    });
  });

  it('asks once for a name however many ask, and for so many names at a time', async () => {
    const rules = [apiRule(), apiRule({ host: '*.wild.test' })];
    const { promise: answer, resolve } = Promise.withResolvers<readonly string[]>();
    const asked: string[] = [];
    const resolver = {
      resolve: async (host: string) => {
        asked.push(host);
        return answer;
      },
    };
    await inWorld({ addresses: 'real', rules, resolver }, async (world) => {
      const same = Array.from({ length: 20 }, () => world.resolver.resolve4(API));
      const others = Array.from({ length: 200 }, (_, index) =>
        world.resolver.resolve4(`n${index}.wild.test`),
      );
      const failed = others.map((other) =>
        other.then(
          () => '',
          ({ code }) => String(code),
        ),
      );
      expect(await Promise.race(failed)).toBe('ESERVFAIL');
      expect(asked.length).toBeLessThanOrEqual(limits.cellDnsWaitingMax);
      resolve(['127.88.0.1']);
      for (const addresses of await Promise.all(same)) expect(addresses).toEqual(['127.88.0.1']);
      await Promise.all(failed);
      expect(asked.filter((name) => name === API)).toHaveLength(1);
    });
  });
});

describe('connections to upstreams', () => {
  it('are given up with the client that they were made for', async () => {
    const silent = await silentUpstream();
    await inWorld({ upstreams: { 'api.test:443': silent } }, async (world) => {
      for (let count = 1; count <= 20; count += 1) {
        const socket = await world.connectTcp(API, 443);
        const client = connectTls({ socket, servername: API, ca: world.cell.caPem });
        client.on('error', () => undefined);
        client.write(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
        await expect.poll(() => silent.connections.length).toBe(count);
        socket.resetAndDestroy();
      }
      await expect.poll(() => silent.connections.filter((socket) => !socket.destroyed).length).toBe(0);
    });
  });

  it('are waited for by so many requests of a cell; the next is refused, and that is on record', async () => {
    const silent = await silentUpstream();
    await inWorld({ upstreams: { 'api.test:443': silent } }, async (world) => {
      const total = limits.cellUpstreamsMax + limits.cellUpstreamsWaitingMax + 1;
      const { promise, resolve } = Promise.withResolvers<string>();
      const ask = (session: ClientHttp2Session): void => {
        const stream = session.request({ ':path': '/' }).setEncoding('utf8');
        stream.on('error', () => undefined);
        let status = 0;
        stream.on('response', (headers) => (status = headers[':status'] ?? 0));
        stream.on('data', (body: string) => resolve(`${status} ${body}`));
      };
      for (let asked = 0; asked < total; asked += limits.http2StreamsMax) {
        const session = await connectHttp2(world);
        for (let count = 0; count < Math.min(limits.http2StreamsMax, total - asked); count += 1) ask(session);
      }
      expect(await promise).toMatch(/^429 .*"egress_upstreams_limit".*The limit is 512\./);
      expect(silent.connections.length).toBeLessThanOrEqual(limits.upstreamDialsMax);
      const [refused] = await world.eventsOf('egress.refused');
      expect(refused?.data).toMatchObject({ code: 'egress_upstreams_limit', reason: 'too_many_wait' });
    });
  });

  it('are kept for so many places and no more', async () => {
    const upstream = await httpUpstream((_request, response) => response.end('ok'));
    const port = Number(upstream.address.split(':')[1]);
    const rules = [apiRule({ host: '*.wild.test', port, protocol: 'http' })];
    const resolver = { resolve: async () => ['127.0.0.1'] };
    await inWorld({ rules, resolver }, async (world) => {
      const open = (): number => upstream.connections.filter((socket) => !socket.destroyed).length;
      const ask = async (count: number): Promise<void> => {
        const host = `n${count}.wild.test`;
        const client = await world.connectTcp(host, port);
        client.end(`GET / HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
        expect(await readAll(client)).toContain('HTTP/1.1 200 OK');
      };
      for (let count = 0; count < limits.upstreamIdleTotalMax + 20; count += 4)
        await Promise.all([count, count + 1, count + 2, count + 3].map(ask));
      expect(upstream.connections).toHaveLength(limits.upstreamIdleTotalMax + 20);
      await expect.poll(open).toBe(limits.upstreamIdleTotalMax);
    });
    await upstream.close();
  });
});

describe('the audit log', () => {
  it('is not flooded by refused requests, counts them all, and loses no other incident among them', async () => {
    const upstream = await httpUpstream((_request, response) => response.end('ok'));
    await inWorld({ rules: PLAIN, upstreams: { 'api.test:80': upstream } }, async (world) => {
      const ask = async (count: number, line: string): Promise<void> => {
        const client = await world.connectTcp();
        client.end(`${line} HTTP/1.1\r\nHost: ${API}\r\n\r\n`.repeat(count));
        await readUntilCount(client, 'HTTP/1.1 403 ', count);
      };
      await ask(1_000, 'DELETE /');
      await ask(1, `GET /${PLACEHOLDER}`);
      expect(await world.eventsOf('credential.refused')).toHaveLength(1);
      expect(await world.eventsOf('egress.refused')).toHaveLength(limits.cellRefusalRepeatsMax);
      await world.egress.close();
      const told = (await world.eventsOf('egress.refused')).map(
        ({ data }) => 1 + Number(data['suppressed'] ?? 0),
      );
      expect(told.reduce((sum, count) => sum + count, 0)).toBe(1_000);
      expect(told).toHaveLength(limits.cellRefusalRepeatsMax + 1);
    });
  });

  it.each([
    ['a long key of a JSON body', { body: JSON.stringify({ ['\u{1f600}'.repeat(40_000)]: PLACEHOLDER }) }],
    [
      'a deep place of a JSON body',
      {
        body: `${'{"key-of-some-length-or-other-that-adds-up":'.repeat(100)}"${PLACEHOLDER}"${'}'.repeat(100)}`,
      },
    ],
    ['a long name of a header', { headers: { [`x-${'a'.repeat(30_000)}`]: PLACEHOLDER } }],
  ])('takes the event about a placeholder in %s', async (_name, request) => {
    const credentials = [bearer({ inject: [{ json: '/key' }] })];
    await inWorld({ credentials }, async (world) => {
      const headers = {
        'Content-Type': 'application/json',
        ...('headers' in request ? request.headers : {}),
      };
      const reply = await world.request({ method: 'POST', ...request, headers });
      expect(errorOf(reply).code).toBe('egress_placeholder_misplaced');
      expect(errorOf(reply).message.length).toBeLessThan(1_000);
      await world.eventsOf('credential.refused');
    });
  });

  it('takes the events of a request with thousands of calls in flight and a long path', async () => {
    const calls = Array.from({ length: 4_096 }, (_, index) =>
      call({ id: `call_${index}`, tool: '"'.repeat(1_000), agent: '"'.repeat(limits.agentNameCharsMax) }),
    );
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ calls, upstreams: { 'api.test:443': upstream } }, async (world) => {
      const path = `/${'"'.repeat(16_000)}`;
      expect((await world.request({ path })).status).toBe(200);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data['calls']).toHaveLength(limits.requestCallsMax);
      expect(finished?.data['callsInFlight']).toBe(4_096);
    });
  });
});
