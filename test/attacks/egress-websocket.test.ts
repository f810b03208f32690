/**
 * ATTACKS 11 over WebSockets, on real sockets: bytes behind an upgrade that is none, and handshakes that were not asked
 * for. Each has its control, and leaves its event. What comes after a handshake: `egress-websocket-frames.test.ts`.
 */
import { once } from 'node:events';
import { constants } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { encodeClose, OPCODE } from '../../src/wire/index.ts';
import { connectHttp2, replyOf } from '../egress/http2-world.ts';
import {
  acceptOf,
  CLIENT_KEY,
  closeIn,
  fragments,
  fromProgram,
  listener,
  opening,
  rawProgram,
} from '../egress/websocket-world.ts';
import {
  API,
  apiRule,
  errorOf,
  httpsUpstream,
  inWorld,
  PLACEHOLDER,
  rawUpstream,
  readAll,
} from '../egress/world.ts';

const PLACE = `${API}:443`;
const AUTH = `Authorization: Bearer ${PLACEHOLDER}\r\n`;

const dataOf = (event: AuditEvent | undefined): AuditEvent['data'] => event?.data ?? {};

describe('ATTACKS 11: what is behind an upgrade', () => {
  it('is no tunnel when the upstream says no: a second request is one, and judged', async () => {
    const got: string[] = [];
    const upstream = await rawUpstream((socket) =>
      socket.on('data', (data) => {
        got.push(data.toString('latin1'));
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno');
      }),
    );
    const rules = [apiRule({ paths: ['/allowed'] })];
    await inWorld({ rules, upstreams: { [PLACE]: upstream } }, async (world) => {
      const behind = `GET /admin HTTP/1.1\r\nHost: ${API}\r\n${AUTH}Connection: close\r\n\r\n`;
      const text = await world.exchange(opening('', '/allowed') + behind);
      expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
      expect(got).toHaveLength(1);
      expect(got[0]).not.toContain('admin');
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({
        code: 'egress_path_denied',
        path: '/admin',
      });
    });
  });

  it('is refused when it did not wait for the upgrade', async () => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      for (const early of [
        `GET /admin HTTP/1.1\r\nHost: ${API}\r\n\r\n`,
        fromProgram(OPCODE.text, 'early'),
      ]) {
        const socket = await world.connectTls();
        socket.write(Buffer.concat([Buffer.from(opening(AUTH)), Buffer.from(early as string)]));
        const text = await readAll(socket);
        expect(text.startsWith('HTTP/1.1 400 ')).toBe(true);
        expect(errorOf(text).code).toBe('egress_websocket_malformed');
        expect(text.match(/HTTP\/1.1/g)).toHaveLength(1);
      }
      await heard.ended;
      expect(heard.frames).toEqual([]);
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({
        code: 'egress_websocket_malformed',
        reason: 'upgrade_not_awaited',
      });
      (await rawProgram(world)).destroy(); // who waits is let in
    });
  });

  it('is read as frames when the upstream says yes, whatever it looks like', async () => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      socket.write(`GET /admin HTTP/1.1\r\nHost: ${API}\r\n${AUTH}\r\n`);
      expect(closeIn(await readAll(socket))?.code).toBe(1002);
      await heard.ended;
      expect(heard.frames.map(({ head, payload }) => [head.opcode, payload])).toEqual([
        [OPCODE.close, encodeClose(1002, '')],
      ]);
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({
        code: 'egress_websocket_malformed',
        reason: 'reserved_bits',
      });
    });
  });

  it('is never anything else than WebSocket', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('ok'));
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      for (const [protocol, code] of [
        ['tls/1.0', 'egress_upgrade_unsupported'],
        ['mcp-stdio', 'egress_upgrade_unsupported'],
        ['websocket, h2c', 'egress_websocket_malformed'],
        ['websocket, mcp', 'egress_websocket_malformed'],
        ['websocket/13', 'egress_upgrade_unsupported'],
      ]) {
        const text = await world.exchange(
          opening('Connection: close\r\n').replace('Upgrade: websocket', `Upgrade: ${protocol}`),
        );
        expect([protocol, errorOf(text).code]).toEqual([protocol, code]);
      }
      expect(upstream.connections).toHaveLength(0);
      const h2c = `GET / HTTP/1.1\r\nHost: ${API}\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n`;
      expect(await world.exchange(h2c)).toMatch(/^HTTP\/1.1 200 /); // an offer that may be ignored
    });
  });

  it.each([
    ['a method that is not GET', (text: string) => text.replace('GET', 'POST'), 'method_not_get'],
    ['no key', (text: string) => text.replace(/Sec-WebSocket-Key.*\r\n/, ''), 'key_invalid'],
    ['a key of another size', (text: string) => text.replace(CLIENT_KEY, btoa('short')), 'key_invalid'],
    [
      'two keys',
      (text: string) =>
        text.replace('Sec-WebSocket-Key', `Sec-WebSocket-Key: ${CLIENT_KEY}\r\nSec-WebSocket-Key`),
      'key_invalid',
    ],
    ['another version', (text: string) => text.replace('Version: 13', 'Version: 8'), 'version_unsupported'],
    [
      'no Connection',
      (text: string) => text.replace('Connection: Upgrade\r\n', ''),
      'connection_not_upgrade',
    ],
    [
      'a body',
      (text: string) => text.replace('\r\n\r\n', '\r\nContent-Length: 4\r\n\r\nbody'),
      'body_declared',
    ],
    [
      'a chunked body',
      (text: string) => text.replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
      'body_declared',
    ],
    [
      'a protocol that is no token',
      (text: string) => text.replace('\r\n\r\n', '\r\nSec-WebSocket-Protocol: a b\r\n\r\n'),
      'protocol_invalid',
    ],
  ])('is refused after a handshake with %s', async (_name, change, reason) => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const text = await world.exchange(change(opening(AUTH)));
      expect(errorOf(text).code).toBe('egress_websocket_malformed');
      expect(heard.upstream.connections).toHaveLength(0);
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({ reason });
    });
  });
});

describe('ATTACKS 11: an upstream that says 101', () => {
  const answer = (lines: readonly string[], key = 'KEY'): string =>
    ['HTTP/1.1 101 Switching Protocols', ...lines.map((line) => line.replace('KEY', key)), '\r\n'].join(
      '\r\n',
    );
  const UPGRADE = ['Upgrade: websocket', 'Connection: Upgrade'];
  const ACCEPT = 'Sec-WebSocket-Accept: KEY';

  it.each([
    ['without an Accept', UPGRADE, 'accept_mismatch'],
    [
      "with the client's own Accept",
      [...UPGRADE, `Sec-WebSocket-Accept: ${acceptOf(CLIENT_KEY)}`],
      'accept_mismatch',
    ],
    ['with two Accepts', [...UPGRADE, ACCEPT, ACCEPT], 'accept_mismatch'],
    ['to another protocol', ['Upgrade: h2c', 'Connection: Upgrade', ACCEPT], 'upgrade_not_websocket'],
    ['without Connection', ['Upgrade: websocket', ACCEPT], 'connection_not_upgrade'],
    [
      'with compression that nobody offered',
      [...UPGRADE, ACCEPT, 'Sec-WebSocket-Extensions: permessage-deflate'],
      'extension_not_offered',
    ],
    [
      'with a subprotocol that nobody offered',
      [...UPGRADE, ACCEPT, 'Sec-WebSocket-Protocol: other'],
      'protocol_not_offered',
    ],
    ['with a body', [...UPGRADE, ACCEPT, 'Content-Length: 5'], 'body_declared'],
    ['with a coded body', [...UPGRADE, ACCEPT, 'Transfer-Encoding: chunked'], 'body_declared'],
  ])('%s: 502, and nothing comes through', async (_name, lines, reason) => {
    const upstream = await rawUpstream((socket) =>
      socket.on('data', (data) => {
        const key = /^sec-websocket-key: (.*)$/im.exec(data.toString('latin1'))?.[1] ?? '';
        socket.write(
          answer(lines, acceptOf(key)) + fragments('text', [Buffer.from('hello')]).toString('latin1'),
        );
      }),
    );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const text = await world.exchange(
        opening(`${AUTH}Sec-WebSocket-Protocol: mcp\r\nConnection: close\r\n`),
      );
      expect(text.startsWith('HTTP/1.1 502 ')).toBe(true);
      expect(errorOf(text).code).toBe('egress_upstream_websocket');
      expect(text).not.toContain('hello');
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({
        code: 'egress_upstream_websocket',
        reason,
      });
      expect(dataOf((await world.eventsOf('egress.finished'))[0])).toMatchObject({
        status: 502,
        credentials: ['TOKEN'],
      });
    });
  });

  it.each([
    ['a plain request', 'Connection: close\r\n'],
    ['an offer of h2c', 'Connection: Upgrade, close\r\nUpgrade: h2c\r\n'],
  ])('to %s: 502', async (_name, extra) => {
    const upstream = await rawUpstream((socket) =>
      socket.on('data', () => socket.write(answer([...UPGRADE, `Sec-WebSocket-Accept: ${acceptOf('')}`]))),
    );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const text = await world.exchange(`GET / HTTP/1.1\r\nHost: ${API}\r\n${extra}\r\n`);
      expect([text.slice(0, 13), errorOf(text).code]).toEqual(['HTTP/1.1 502 ', 'egress_response_malformed']);
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({
        reason: 'upgrade_not_asked_for',
      });
    });
  });
});

it('HTTP/2 is no way to a WebSocket: extended CONNECT is not offered, and not taken', async () => {
  const heard = await listener();
  await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
    const session = await connectHttp2(world);
    const [settings] = (await once(session, 'remoteSettings')) as [{ enableConnectProtocol?: boolean }];
    expect(settings.enableConnectProtocol ?? false).toBe(false);
    const asked = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':path': '/',
      ':authority': API,
      'sec-websocket-version': '13',
    });
    const reply = await replyOf(asked.end());
    expect([reply.status, reply.reset]).toEqual([0, constants.NGHTTP2_PROTOCOL_ERROR]);
    expect(heard.upstream.connections).toHaveLength(0);
    session.destroy();
  });
});

it('an upgrade never goes over a connection that others use, nor do others over its own', async () => {
  const heads: { socket: Socket; head: string }[] = [];
  const upstream = await rawUpstream((socket) =>
    socket.on('data', (data) => {
      heads.push({ socket, head: data.toString('latin1') });
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }),
  );
  await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
    await world.request({ path: '/1' });
    await world.request({ path: '/2' });
    await world.exchange(opening('Connection: close\r\n', '/ws'));
    await world.request({ path: '/3' });
    const of = new Map(heads.map(({ socket, head }) => [head.split(' ')[1], socket]));
    expect(of.get('/2')).toBe(of.get('/1')); // the control: plain requests share one
    expect(of.get('/ws')).not.toBe(of.get('/1'));
    expect(of.get('/3')).toBe(of.get('/1'));
  });
});

it('nothing of a WebSocket reaches what the cell may not reach', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connections: Socket[] = [];
  server.on('connection', (socket) => connections.push(socket));
  await inWorld({ allowNetworks: [], resolutions: { [API]: ['127.0.0.1'] } }, async (world) => {
    const text = await world.exchange(opening('Connection: close\r\n'));
    expect(errorOf(text).code).toBe('egress_upstream_address_refused');
  });
  expect(connections).toEqual([]);
  server.close();
});
