/**
 * ATTACKS 11 over WebSockets, on real sockets: bytes behind an upgrade that is none, handshakes that were not asked
 * for, frames that two readers would read differently, and floods. Each has its control, and leaves its event.
 */
import { once } from 'node:events';
import { constants } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { limits } from '../../src/kernel/index.ts';
import { encodeClose, encodeFrameHead, OPCODE } from '../../src/wire/index.ts';
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
  TOKEN,
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

const frameOf = (first: number, second: number, ...rest: number[]): Buffer =>
  Buffer.of(first, second, ...rest);
const MASK = [0, 0, 0, 0];
const M = 0x80;

/** First byte, second byte without the mask bit, and what follows the mask. */
const VIOLATIONS: readonly (readonly [
  name: string,
  frames: readonly (readonly number[])[],
  code: number,
  reason: string,
])[] = [
  ['a compressed frame', [[0xc1, 1, 0x61]], 1002, 'reserved_bits'],
  ['another reserved bit', [[0xa1, 1, 0x61]], 1002, 'reserved_bits'],
  ['an unknown opcode', [[0x83, 1, 0x61]], 1002, 'opcode_unknown'],
  ['an unknown control frame', [[0x8b, 1, 0x61]], 1002, 'opcode_unknown'],
  ['a continuation of nothing', [[0x80, 1, 0x61]], 1002, 'continuation_unexpected'],
  [
    'a message within another',
    [
      [0x01, 1, 0x61],
      [0x81, 1, 0x61],
    ],
    1002,
    'continuation_missing',
  ],
  ['a fragmented ping', [[0x09, 1, 0x61]], 1002, 'control_fragmented'],
  ['a ping that is too long', [[0x89, 126, 0, 126]], 1002, 'control_too_long'],
  ['a length that could be shorter', [[0x82, 126, 0, 1]], 1002, 'length_not_minimal'],
  [
    'a long length that could be shorter',
    [[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255]],
    1002,
    'length_not_minimal',
  ],
  ['a frame of 2^63 bytes', [[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]], 1002, 'length_invalid'],
  [
    'a frame of 2^63 - 1 bytes',
    [[0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255]],
    1009,
    'frame_too_large',
  ],
  ['a frame of 4 GiB', [[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]], 1009, 'frame_too_large'],
  ['text that is no UTF-8', [[0x81, 2, 0xc3, 0x28]], 1007, 'text_not_utf8'],
  ['text that ends within a character', [[0x81, 1, 0xc3]], 1007, 'text_not_utf8'],
  ['a Close of one byte', [[0x88, 1, 3]], 1002, 'close_payload_invalid'],
  ['a Close with a code that must not be sent', [[0x88, 2, 3, 237]], 1002, 'close_code_invalid'],
  ['a Close whose reason is no UTF-8', [[0x88, 3, 3, 232, 0xff]], 1007, 'close_reason_not_utf8'],
];

/** Puts a mask that changes nothing between a frame's length and its payload. */
function maskedFrame([first = 0, second = 0, ...rest]: readonly number[]): Buffer {
  const extended = second === 127 ? 8 : second === 126 ? 2 : 0;
  return frameOf(first, second | M, ...rest.slice(0, extended), ...MASK, ...rest.slice(extended));
}

describe('ATTACKS 11: frames that are none', () => {
  it.each(VIOLATIONS)('%s of a program ends both sides', async (_name, frames, code, reason) => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      socket.write(Buffer.concat([fromProgram(OPCODE.binary, 'before'), ...frames.map(maskedFrame)]));
      const close = closeIn(await readAll(socket));
      expect(close?.code).toBe(code);
      expect(close?.reason).toContain(reason);
      await heard.ended;
      const [before, ...rest] = heard.frames.map(({ payload }) => payload.toString('latin1'));
      expect(before).toBe('before');
      expect(rest.at(-1)).toBe(encodeClose(code, '').toString('latin1'));
      expect(rest.length).toBeLessThanOrEqual(frames.length);
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({
        code: 'egress_websocket_malformed',
        reason,
        host: API,
      });
      expect(dataOf((await world.eventsOf('egress.finished'))[0])).toMatchObject({
        code: 'egress_websocket_malformed',
        webSocket: { closeCode: code, closedBy: 'gateway' },
      });
    });
  });

  it.each(VIOLATIONS)('%s of an upstream ends both sides', async (_name, frames, code, reason) => {
    const before = fragments('binary', [Buffer.from('before')]);
    const heard = await listener((socket) =>
      socket.write(Buffer.concat([before, ...frames.map((bytes) => Buffer.from(bytes))])),
    );
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      const text = await readAll(socket);
      expect(text.startsWith(before.toString('latin1'))).toBe(true);
      expect(closeIn(text)?.code).toBe(code);
      await heard.ended;
      expect(heard.frames.map(({ payload }) => payload)).toEqual([encodeClose(code, '')]);
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({
        code: 'egress_upstream_websocket',
        reason,
        host: API,
      });
    });
  });

  it('unmasked ones of a program, and masked ones of an upstream', async () => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      socket.write(frameOf(0x81, 1, 0x61));
      expect(closeIn(await readAll(socket))?.reason).toContain('mask_missing');
    });
    const masking = await listener((socket) => socket.write(maskedFrame([0x81, 1, 0x61])));
    await inWorld({ upstreams: { [PLACE]: masking.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      expect(closeIn(await readAll(socket))?.reason).toContain('mask_forbidden');
    });
  });

  it('nothing follows a Close, from either side', async () => {
    const after = fragments('text', [Buffer.from('after')]);
    const heard = await listener((socket) =>
      socket.once('data', () =>
        socket.write(Buffer.concat([frameOf(0x88, 2, 3, 232), after, Buffer.from('garbage')])),
      ),
    );
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      const close = fromProgram(OPCODE.close, Buffer.of(3, 232));
      socket.write(Buffer.concat([close, fromProgram(OPCODE.text, 'after'), Buffer.from('garbage')]));
      expect(await readAll(socket)).toBe(frameOf(0x88, 2, 3, 232).toString('latin1'));
      await heard.ended;
      expect(heard.frames).toHaveLength(1);
      const [finished] = await world.eventsOf('egress.finished');
      expect(dataOf(finished)['code']).toBe(undefined);
    });
  });
});

describe('ATTACKS 11: floods', () => {
  const many = (frame: Buffer, count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, () => frame));
  const first = (opcode: 1 | 2): Buffer =>
    encodeFrameHead({ fin: false, opcode, length: 0, maskingKey: null });
  const more = encodeFrameHead({ fin: false, opcode: OPCODE.continuation, length: 0, maskingKey: null });
  const ofProgram = (frame: Buffer): Buffer => maskedFrame([...frame]);
  const FLOOD = limits.webSocketControlBurst * 3;
  const ping = frameOf(0x89, 1, 0x61);
  const pong = frameOf(0x8a, 0);

  it.each([
    ['pings', many(ofProgram(ping), FLOOD)],
    ['pongs that nobody asked for', many(ofProgram(pong), FLOOD)],
    ['fragments with nothing in them', Buffer.concat([ofProgram(first(1)), many(ofProgram(more), FLOOD)])],
  ])('of %s from a program end it', async (_name, bytes) => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      socket.write(bytes);
      expect(closeIn(await readAll(socket))?.code).toBe(1008);
      await heard.ended;
      expect(heard.frames.length).toBeLessThan(FLOOD / 2);
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({
        code: 'egress_websocket_flood',
      });
    });
  });

  it.each([
    ['pings', many(ping, FLOOD), 'control_frames_too_many'],
    [
      'fragments with nothing in them',
      Buffer.concat([first(2), many(more, FLOOD)]),
      'empty_fragments_too_many',
    ],
  ])('of %s from an upstream end it', async (_name, bytes, reason) => {
    const heard = await listener((socket) => socket.write(bytes));
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      expect(closeIn(await readAll(socket))?.code).toBe(1008);
      expect(dataOf((await world.eventsOf('egress.refused'))[0])).toMatchObject({ reason });
    });
  });

  it('as many as may be go through', async () => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      const close = fromProgram(OPCODE.close, Buffer.of(3, 232));
      socket.end(Buffer.concat([many(ofProgram(ping), limits.webSocketControlBurst - 1), close]));
      await heard.ended;
      expect(heard.frames).toHaveLength(limits.webSocketControlBurst);
    });
  });

  it('of fragments with something in them are one message', async () => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world);
      const piece = ofProgram(Buffer.concat([frameOf(0x00, 1), Buffer.from('a')]));
      const all = [ofProgram(frameOf(0x01, 1, 0x61)), many(piece, 20_000), ofProgram(frameOf(0x80, 1, 0x61))];
      socket.end(Buffer.concat([...all, fromProgram(OPCODE.close, Buffer.of(3, 232))]));
      await heard.ended;
      const text = heard.frames.filter(({ head }) => head.message === 'text').map(({ payload }) => payload);
      expect(Buffer.concat(text).toString()).toBe('a'.repeat(20_002));
      expect(dataOf((await world.eventsOf('egress.finished'))[0])).toMatchObject({ webSocket: { sent: 1 } });
    });
  });

  it('of keys leave few events', async () => {
    const message = fragments('text', [Buffer.from(`{"k":"${TOKEN}"}`)]);
    const heard = await listener((socket) =>
      socket.end(Buffer.concat([many(message, 20_000), frameOf(0x88, 2, 3, 232)])),
    );
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const socket = await rawProgram(world, AUTH);
      expect(await readAll(socket)).not.toContain(TOKEN);
      await world.eventsOf('egress.finished');
      const masked = await world.eventsOf('egress.masked');
      expect(masked.reduce((sum, { data }) => sum + Number(data['hits']), 0)).toBe(20_000);
      expect(masked.length).toBeLessThanOrEqual(2);
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
