/**
 * ATTACKS 12: one header list, one connection's streams, one body or answer that takes more than its share. Each is refused,
 * reset, held back or ended at its limit, and on record; the controls are just below.
 */
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import {
  connectFrames,
  errorCodeOf,
  FLAG,
  FRAME,
  type FramePeer,
  frame,
  headerBlock,
  headersOf,
  openFrames,
  PREFACE,
  requestLines,
  settingsOf,
} from '../egress/http2-frames.ts';
import { http2Upstream } from '../egress/http2-world.ts';
import { API, inWorld, rawUpstream, silentUpstream } from '../egress/world.ts';
import {
  abuses,
  BOMB,
  get,
  GROWTH_BYTES_MAX,
  held,
  inSeen,
  MANY,
  MIB,
  ping,
  post,
  RECORD_BYTES,
  repeat,
  settled,
  window,
} from './http2-attacks.ts';

describe('one header list', () => {
  const open = headersOf(1, requestLines(), FLAG.endStream);
  const more = (payload: Buffer): Buffer => frame(FRAME.continuation, 0, 1, payload);

  it.each([
    [
      'in frames that hold a field each',
      [open, ...Array.from({ length: 50 }, () => more(headerBlock([['x', 'y']])))],
      'continuations',
    ],
    [
      'in frames that hold nothing',
      [open, ...Array.from({ length: 50 }, () => more(Buffer.alloc(0)))],
      'continuations',
    ],
    [
      'in frames that are full',
      [open, ...Array.from({ length: 50 }, () => more(headerBlock([['x', 'y'.repeat(16_000)]])))],
      'continuations',
    ],
    ['with something else in the middle', [open, ping], 'protocol'],
    [
      'that goes on on another stream',
      [open, frame(FRAME.continuation, FLAG.endHeaders, 3, Buffer.alloc(0))],
      'protocol',
    ],
    [
      'that asks for a larger table than there is',
      [
        frame(
          FRAME.headers,
          FLAG.endHeaders | FLAG.endStream,
          1,
          Buffer.concat([Buffer.from('3fe1ff03', 'hex'), headerBlock(requestLines())]),
        ),
      ],
      'protocol',
    ],
    [
      'that names what is in no table',
      [frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, Buffer.from('ff8001', 'hex'))],
      'protocol',
    ],
  ])('%s: the connection is ended, and nothing was asked for', async (_name, frames, reason) => {
    await inSeen(async (world, seen) => {
      const peer = await openFrames(world);
      await settled(peer);
      peer.send(...frames);
      await peer.closed;
      await world.eventsOf('egress.refused');
      expect([abuses(world), seen]).toEqual([[reason], []]);
    });
  });

  it('control: in a few frames, with a few updates of its table', async () => {
    await inSeen(async (world, seen) => {
      const peer = await openFrames(world);
      const block = headerBlock([...requestLines({ path: '/few' }), ['x-long', 'y'.repeat(5_000)]]);
      const update = Buffer.from('3fe11f20', 'hex'); // 4,096 and then 0
      peer.send(
        frame(FRAME.headers, FLAG.endStream, 1, Buffer.concat([update, block.subarray(0, 2_000)])),
        more(block.subarray(2_000, 4_000)),
        frame(FRAME.continuation, FLAG.endHeaders, 1, block.subarray(4_000)),
      );
      expect(await peer.bodyOf(1)).toBe('ok');
      expect(seen).toEqual(['/few']);
      peer.close();
    });
  });

  it('that is too large is reset, or refused in words, and the next one is answered', async () => {
    await inSeen(async (world, seen) => {
      const peer = await openFrames(world);
      peer.send(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, BOMB));
      peer.send(headersOf(3, [...requestLines(), ...MANY]));
      for (const stream of [1, 3])
        expect(errorCodeOf(await peer.first(({ stream: on }) => on === stream))).toBe(11);
      const some = MANY.slice(0, limits.headFieldsMax + 1);
      peer.send(headersOf(5, [...requestLines(), ...some]));
      expect(await peer.bodyOf(5)).toContain('egress_request_malformed');
      peer.send(headersOf(7, [...requestLines(), ...some.slice(2)]));
      expect(await peer.bodyOf(7)).toBe('ok');
      expect(seen).toEqual(['/']);
      peer.close();
    });
  });
});

describe('settings', () => {
  it('more of them in one frame than there are: ended; control: a few', async () => {
    await inSeen(async (world) => {
      const entries = Array.from(
        { length: limits.http2SettingsMax + 1 },
        (_, index) => [0x1000 + index, 1] as const,
      );
      const few = await openFrames(world, API, settingsOf(...entries.slice(0, 20)));
      few.send(get(1));
      expect(await few.bodyOf(1)).toBe('ok');
      few.close();
      const peer = await connectFrames(world);
      peer.send(PREFACE, settingsOf(...entries));
      await peer.closed;
      await world.eventsOf('egress.refused');
      expect(abuses(world)).toEqual(['protocol']);
    });
  });

  it('acknowledged when there was nothing to acknowledge: ended', async () => {
    await inSeen(async (world) => {
      const peer = await openFrames(world);
      await settled(peer);
      peer.send(frame(FRAME.settings, FLAG.ack, 0));
      await peer.closed;
      await world.eventsOf('egress.refused');
      expect(abuses(world)).toEqual(['protocol']);
    });
  });
});

describe('streams', () => {
  it('one more than the connection may have: ended; control: as many as it may', async () => {
    await inSeen(async (world) => {
      const ids = Array.from({ length: limits.http2StreamsMax }, (_, index) => 2 * index + 1);
      const peer = await openFrames(world);
      peer.send(...ids.map(post));
      await settled(peer);
      for (const id of ids) peer.send(frame(FRAME.data, FLAG.endStream, id, Buffer.of(65)));
      for (const id of ids) expect(await peer.bodyOf(id)).toBe('ok');
      peer.close();
      const greedy = await openFrames(world);
      await settled(greedy);
      greedy.send(...ids.map(post), post(2 * limits.http2StreamsMax + 1));
      await greedy.closed;
      await world.eventsOf('egress.refused');
      expect(abuses(world)).toEqual(['protocol']);
      const outcomes = await world.eventsOf('egress.finished', 2 * ids.length);
      expect(outcomes.filter(({ data }) => data['code'] === 'client_closed').length).toBe(ids.length);
    });
  });
});

describe('bodies that nobody reads', () => {
  it('a byte that comes with 16 KiB of nothing: what waits takes what it is, not what came with it', async () => {
    await inWorld({ upstreams: { [`${API}:443`]: await silentUpstream() } }, async (world) => {
      const peer = await openFrames(world);
      peer.send(post(1));
      await settled(peer);
      const before = held();
      const record = Buffer.concat([frame(FRAME.data, 0, 1, Buffer.of(65)), repeat(window(0, 1), 1_250)]);
      for (let round = 0; !peer.socket.destroyed && round < 10_000; round += 1) {
        await peer.sent(record);
        /* Before the connection is ended, so that it is what waits that is measured. */
        if (round === 1_000) expect(held() - before).toBeLessThan(8 * MIB);
      }
      await peer.closed;
      await world.eventsOf('egress.refused');
      expect(abuses(world)).toEqual(['overhead']);
    });
  });

  it('on very many streams: so much in the whole cell, then streams are reset, and it is told', async () => {
    await inWorld({ upstreams: { [`${API}:443`]: await silentUpstream() } }, async (world) => {
      const streams = Math.ceil(limits.cellBodyBytesMax / limits.http2WindowBytes) + 10;
      const data = Buffer.alloc(RECORD_BYTES);
      const peers: FramePeer[] = [];
      let sent = 0;
      while (sent < streams) {
        const peer = await openFrames(world);
        peers.push(peer);
        for (let id = 1; id <= 2 * 60 && sent < streams; id += 2) {
          sent += 1;
          peer.send(post(id));
          for (let left = limits.http2WindowBytes; left > 0; left -= data.length)
            await peer.sent(frame(FRAME.data, 0, id, data));
        }
        await settled(peer);
      }
      await world.eventsOf('egress.refused');
      expect(world.events.filter(({ type }) => type === 'egress.refused')[0]?.data).toMatchObject({
        code: 'egress_unread_limit',
        host: API,
        port: 443,
      });
      const resets = peers.flatMap(({ frames }) => frames.filter(({ type }) => type === FRAME.reset));
      /* Each that is reset makes room. */
      expect(resets.length).toBeGreaterThan(0);
      expect(resets.length).toBeLessThan(20);
      for (const peer of peers) peer.close();
    });
  });
});

describe('an answer that is read a byte at a time', () => {
  it('is held back where it comes from; its reader waits for itself, and is cut when it stops', async () => {
    const BODY = Buffer.alloc(MIB, 'x');
    const upstream = await rawUpstream((socket) => {
      let written = 0;
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * BODY.length}\r\n\r\n`);
        const more = (): void => {
          while (!socket.destroyed && written < 64 * BODY.length) {
            written += BODY.length;
            if (!socket.write(BODY)) break;
          }
        };
        socket.on('drain', more);
        more();
      });
    });
    const clock = fixedClock(Date.now());
    await inWorld({ clock, upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const before = held();
      const tiny = settingsOf([4, 1]); // SETTINGS_INITIAL_WINDOW_SIZE
      const peer = await openFrames(world, API, tiny);
      const STREAMS = 20;
      const ids = Array.from({ length: STREAMS }, (_, index) => 2 * index + 1);
      peer.send(...ids.map(get));
      for (const id of ids) await peer.first(({ type, stream }) => type === FRAME.data && stream === id);
      for (let round = 0; round < 100; round += 1) {
        peer.send(...ids.map((id) => window(id, 1)));
        await settled(peer);
      }
      const received = peer.frames.filter(({ type }) => type === FRAME.data);
      expect(received.length).toBe(STREAMS * 101);
      expect(received.every(({ payload }) => payload.length === 1)).toBe(true);
      /* Of the 64 MiB that each answer has, the rest waits at the upstream and in the sockets between. */
      expect(held() - before).toBeLessThan(STREAMS * MIB + GROWTH_BYTES_MAX);
      clock.advance(limits.egressBodyIdleTimeoutMs);
      const outcomes = await world.eventsOf('egress.finished', STREAMS);
      for (const { data } of outcomes) expect(data).toMatchObject({ code: 'egress_timeout', status: 200 });
      for (const id of ids)
        expect(
          errorCodeOf(await peer.first(({ type, stream }) => type === FRAME.reset && stream === id)),
        ).toBe(2);
      peer.close();
    });
  });

  it('over HTTP/2 on both sides, in very many: so much waits for the whole cell, then answers are cut, and it is told', async () => {
    const piece = Buffer.alloc(RECORD_BYTES, 'x');
    const upstream = await http2Upstream((stream) => {
      stream.respond({ ':status': 200 });
      Readable.from(Array.from({ length: 32 }, () => piece)).pipe(stream);
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const ids = Array.from({ length: 90 }, (_, index) => 2 * index + 1);
      const peers: FramePeer[] = [];
      const open = async (): Promise<void> => {
        const peer = await openFrames(world, API, settingsOf([4, 1]));
        peers.push(peer);
        peer.send(...ids.map(get));
        for (const id of ids) await peer.first(({ type, stream }) => type === FRAME.data && stream === id);
      };
      const cut = (): number =>
        peers.flatMap(({ frames }) => frames.filter(({ type }) => type === FRAME.reset)).length;
      const fitting = Math.floor(limits.cellAnswerBytesMax / (ids.length * limits.http2WindowBytes));
      for (let count = 0; count < fitting; count += 1) await open();
      await settled(peers[0] ?? expect.fail('no connection fits'));
      expect(cut()).toBe(0);
      for (let count = 0; count < fitting; count += 1) await open();
      const [outcome] = await world.eventsOf('egress.refused');
      expect(outcome?.data).toMatchObject({ code: 'egress_unread_limit', host: API });
      expect(cut()).toBeGreaterThan(0);
      for (const peer of peers) peer.close();
    });
  });
});
