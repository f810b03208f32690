/**
 * Through the explicit proxy, further in: WebSockets in a tunnel and outside of one, names that lead to the gateway's
 * own machine, and the token, which is for the proxy alone. Each with its control.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader, OPCODE } from '../../src/wire/index.ts';
import { basic, GOOD, inProxyWorld, OUTSIDE_PLACEHOLDER, type ProxyWorld } from '../egress/proxy-world.ts';
import { acceptOf, CLIENT_KEY, fromProgram, listener, opening } from '../egress/websocket-world.ts';
import { API, apiRule, errorOf, rawUpstream, TOKEN, type Upstream } from '../egress/world.ts';

const PLACE = `${API}:443`;
const AUTH = `Authorization: Bearer ${OUTSIDE_PLACEHOLDER}\r\n`;
const LOGIN = `Proxy-Authorization: ${basic('github', GOOD)}\r\n`;
/** In the clear and as it is sent. */
const TOKENS = [GOOD, basic('github', GOOD).slice('Basic '.length)];

const servers: { close(): void }[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

/** An upstream without TLS that keeps every byte and answers with `answer`. */
async function plainUpstream(answer: (head: string) => string): Promise<Upstream & { bytes(): string }> {
  let bytes = '';
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (data: Buffer) => {
      const before = bytes;
      bytes += data.toString('latin1');
      if (!before.includes('\r\n\r\n') && bytes.includes('\r\n\r\n')) socket.write(answer(bytes), 'latin1');
    });
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    bytes: () => bytes,
    async close() {
      for (const socket of connections) socket.destroy();
      server.close();
    },
  };
}

/** Reads up to the end of a head. */
async function headOf(socket: Socket): Promise<string> {
  let text = '';
  while (!text.includes('\r\n\r\n')) text += String((await once(socket, 'data'))[0]);
  return text;
}

const KEY_LINE = /^sec-websocket-key: (.*)$/im;
const agreed = (head: string): string =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(KEY_LINE.exec(head)?.[1] ?? '')}\r\n\r\n`;

describe('a WebSocket through the explicit proxy', () => {
  it('carries the key, and is cut on both sides when the session ends', async () => {
    const heard = await listener();
    await inProxyWorld({ upstreams: { [PLACE]: heard.upstream } }, async (proxy) => {
      const secure = await proxy.secure();
      secure.on('error', () => undefined);
      secure.write(opening(AUTH));
      expect(await headOf(secure)).toContain(`Sec-WebSocket-Accept: ${acceptOf(CLIENT_KEY)}`);
      secure.write(fromProgram(OPCODE.text, 'hello'));
      await heard.got((frames) => frames.length === 1);
      expect(heard.text()).toBe('hello');
      const cut = once(secure, 'close');
      secure.resume();
      proxy.share.close();
      await Promise.all([cut, heard.ended]);
      const [finished] = await proxy.world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({
        code: 'cell_closed',
        status: 101,
        via: 'proxy',
        credentials: ['TOKEN'],
        webSocket: { sent: 1 },
      });
    });
  });

  it('outside of a tunnel, by rules of http, with the token gone from its head', async () => {
    const upstream = await plainUpstream(agreed);
    const rules = [apiRule({ port: 80, protocol: 'http' })];
    await inProxyWorld({ rules, upstreams: { [`${API}:80`]: upstream } }, async (proxy) => {
      const socket = await proxy.connect();
      const absolute = opening(LOGIN + AUTH).replace('GET /', `GET http://${API}/chat`);
      socket.write(absolute);
      expect(await headOf(socket)).toMatch(/^HTTP\/1\.1 101 /);
      socket.write(fromProgram(OPCODE.text, 'hello'));
      await proxy.world.eventsOf('egress.request', 0);
      const [head = ''] = upstream.bytes().split('\r\n\r\n', 1);
      expect(head.startsWith(`GET /chat HTTP/1.1\r\n`)).toBe(true);
      expect(head).toContain(`Bearer ${TOKEN}`);
      expect(head.toLowerCase()).not.toContain('proxy-');
      for (const token of TOKENS) expect(upstream.bytes()).not.toContain(token);
      socket.destroy();
    });
  });
});

describe('the token of the proxy', () => {
  it.each([
    ['in a tunnel once more', (proxy: ProxyWorld) => inTunnel(proxy, LOGIN)],
    [
      'in a tunnel, and named in Connection',
      (proxy: ProxyWorld) => inTunnel(proxy, `${LOGIN}Connection: Proxy-Authorization\r\n`),
    ],
  ])('%s: goes no further', async (_name, ask) => {
    const heads: string[] = [];
    const upstream = await rawUpstream((socket) =>
      socket.on('data', (data) => {
        heads.push(data.toString('latin1'));
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }),
    );
    await inProxyWorld({ upstreams: { [PLACE]: upstream } }, async (proxy) => {
      await ask(proxy);
      expect(heads.join('')).toContain(`Bearer ${TOKEN}`);
      for (const token of TOKENS) {
        expect(heads.join('')).not.toContain(token);
        expect(JSON.stringify(proxy.world.events)).not.toContain(token);
      }
    });
  });

  it.each([
    ['as part of the URL', `GET http://github:${GOOD}@${API}/ HTTP/1.1\r\nHost: ${API}\r\n${LOGIN}\r\n`],
    ['as the name to connect to', `CONNECT ${GOOD}:443 HTTP/1.1\r\n${LOGIN}\r\n`],
    ['as user of the name to connect to', `CONNECT ${GOOD}@${API}:443 HTTP/1.1\r\n${LOGIN}\r\n`],
  ])('%s: refused, and in no event as it is', async (_name, text) => {
    await inProxyWorld({}, async (proxy) => {
      expect(await proxy.say(text)).toMatch(/^HTTP\/1\.1 40[03] /);
      await proxy.world.eventsOf('egress.refused');
      for (const token of TOKENS) expect(JSON.stringify(proxy.world.events)).not.toContain(token);
    });
  });
});

async function inTunnel(proxy: ProxyWorld, fields: string): Promise<void> {
  const secure = await proxy.secure();
  secure.write(`GET / HTTP/1.1\r\nHost: ${API}\r\n${AUTH}${fields}\r\n`);
  expect(await headAndBody(secure)).toContain('200 OK');
  secure.destroy();
}

describe("ATTACKS 15: a listed name that leads to the gateway's own machine", () => {
  it.each([['127.0.0.1'], ['0.0.0.0'], ['::1'], ['::ffff:127.0.0.1'], ['169.254.169.254']])(
    '%s: nothing arrives there, in a tunnel or outside',
    async (address) => {
      /* What an API of the gateway, or its MCP endpoint, would be: something that listens on loopback. */
      const own = await plainUpstream(() => 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown');
      const port = Number(own.address.split(':')[1]);
      const resolutions = { [API]: [address] };
      const rules = [apiRule({ port }), apiRule({ port: 80, protocol: 'http' })];
      await inProxyWorld({ rules, resolutions, allowNetworks: [] }, async (proxy) => {
        const secure = await proxy.secure(API, API, port);
        secure.write(`GET / HTTP/1.1\r\nHost: ${API}:${port}\r\n${AUTH}\r\n`);
        const refused = errorOf(await headAndBody(secure));
        expect(refused.code).toBe('egress_upstream_address_refused');
        const outside = `GET http://${API}/ HTTP/1.1\r\nHost: ${API}\r\n${LOGIN}\r\n`;
        expect(errorOf(await proxy.say(outside)).code).toBe('egress_upstream_address_refused');
        const [event] = await proxy.world.eventsOf('egress.refused');
        expect(event?.data).toMatchObject({ code: 'egress_upstream_address_refused', via: 'proxy' });
        expect(own.connections).toEqual([]);
        secure.destroy();
      });
    },
  );

  it('control: where the operator allows it, it does', async () => {
    const own = await plainUpstream(() => 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown');
    const port = Number(own.address.split(':')[1]);
    const rules = [apiRule({ port, protocol: 'http' })];
    const resolutions = { [API]: ['127.0.0.1'] };
    await inProxyWorld({ rules, resolutions }, async (proxy) => {
      const text = `GET http://${API}:${port}/ HTTP/1.1\r\nHost: ${API}:${port}\r\n${LOGIN}\r\n`;
      expect(await proxy.say(text)).toMatch(/own$/);
    });
  });
});

/** All of one answer that says how long it is. */
async function headAndBody(socket: Socket): Promise<string> {
  let text = await headOf(socket);
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  const start = text.indexOf('\r\n\r\n') + 4;
  while (text.length < start + length) text += String((await once(socket, 'data'))[0]);
  return text;
}

it('what an upstream sends on a WebSocket in a tunnel is scrubbed as everywhere', async () => {
  const heard = await listener((socket) =>
    socket.write(Buffer.concat([encodeFrame(OPCODE.text, Buffer.from(`echo ${TOKEN}`), null)])),
  );
  await inProxyWorld({ upstreams: { [PLACE]: heard.upstream } }, async (proxy) => {
    const secure = await proxy.secure();
    secure.write(opening(AUTH));
    let bytes = Buffer.alloc(0);
    while (!bytes.includes('echo')) bytes = Buffer.concat([bytes, (await once(secure, 'data'))[0] as Buffer]);
    const texts: string[] = [];
    const reader = new FrameReader({ from: 'server', payloadBytesMax: 1_000 });
    reader.read(bytes, bytes.indexOf('\r\n\r\n') + 4, {
      onFrame: () => undefined,
      onPayload: (data) => void texts.push(data.toString()),
    });
    expect(texts.join('')).toBe(`echo ${OUTSIDE_PLACEHOLDER}`);
    secure.destroy();
  });
});
