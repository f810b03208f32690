/**
 * ATTACKS 11 over WebSockets, on real sockets: frames that two readers would read differently, and floods. Each has its
 * control, and leaves its event.
 */
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { limits } from '../../src/kernel/index.ts';
import { encodeClose, encodeFrameHead, OPCODE } from '../../src/wire/index.ts';
import { closeIn, fragments, fromProgram, listener, rawProgram } from '../egress/websocket-world.ts';
import { API, inWorld, PLACEHOLDER, readAll, TOKEN } from '../egress/world.ts';

const PLACE = `${API}:443`;
const AUTH = `Authorization: Bearer ${PLACEHOLDER}\r\n`;

const dataOf = (event: AuditEvent | undefined): AuditEvent['data'] => event?.data ?? {};

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
