/**
 * ATTACKS 12: frames that cost their sender nothing. The connection is ended, the audit log says why, what the gateway
 * holds is bounded, and the cell next door is answered meanwhile. Each control is the same thing in the amount that a
 * client needs: it goes through.
 */
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { answerData, answerHead, begin, frameUpstream, requestOn } from '../egress/http2-frame-upstream.ts';
import {
  FLAG,
  FRAME,
  type FramePeer,
  frame,
  headersOf,
  number32,
  openFrames,
  requestLines,
  settingsOf,
} from '../egress/http2-frames.ts';
import { API, apiRule, httpsUpstream, inWorld } from '../egress/world.ts';
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
import { Neighbour } from './neighbour-cell.ts';

/** What a flood may have sent when it is ended, at the very most. */
const FLOOD_BYTES_MAX = 256 * MIB;
/** Of the frames of a flood, what is nothing unusual. */
const USUAL = 50;

interface Attack {
  readonly name: string;
  /** Before the flood; the requests that it needs. */
  readonly before?: readonly Buffer[];
  /** Again and again. */
  readonly one: Buffer;
  readonly reasons: readonly string[];
  readonly unread?: boolean;
}

async function flood(peer: FramePeer, { one, unread }: Attack): Promise<number> {
  let bytes = 0;
  if (unread === true) peer.socket.pause();
  const record = repeat(one, Math.floor(RECORD_BYTES / one.length));
  while (!peer.socket.destroyed && bytes < FLOOD_BYTES_MAX) {
    bytes += record.length;
    const left = peer.sent(record);
    /* Who does not read is not read from for ever either. */
    await (unread === true ? Promise.race([left, new Promise((resolve) => setTimeout(resolve, 20))]) : left);
    peer.frames.length = 0;
    if (unread === true && bytes > 4 * MIB) peer.socket.resume();
  }
  return bytes;
}

const FLOODS: readonly Attack[] = [
  { name: 'pings', one: ping, reasons: ['overhead'] },
  {
    name: 'pings whose answers are not read',
    one: ping,
    reasons: ['overhead', 'unread'],
    unread: true,
  },
  { name: 'settings', one: settingsOf(), reasons: ['overhead', 'unread'] },
  { name: 'window updates of the connection', one: window(0, 1), reasons: ['overhead'] },
  {
    name: 'window updates of a stream',
    before: [post(1)],
    one: window(1, 1),
    reasons: ['overhead'],
  },
  {
    name: 'window updates of a stream that is over',
    before: [get(1)],
    one: window(1, 1),
    reasons: ['overhead'],
  },
  {
    name: 'frames of DATA that hold nothing',
    before: [post(1)],
    one: frame(FRAME.data, 0, 1),
    reasons: ['invalid_frames'],
  },
  {
    name: 'frames of DATA that hold padding alone',
    before: [post(1)],
    one: frame(FRAME.data, FLAG.padded, 1, Buffer.of(0)),
    reasons: ['overhead', 'invalid_frames', 'flow_control', 'protocol'],
  },
  {
    name: 'frames of DATA that hold one byte',
    before: [post(1)],
    one: frame(FRAME.data, 0, 1, Buffer.of(65)),
    reasons: ['overhead'],
  },
  {
    name: 'priorities',
    one: frame(FRAME.priority, 0, 1, Buffer.from('0000000310', 'hex')),
    reasons: ['protocol', 'overhead'],
  },
  {
    name: 'frames of an unknown type',
    one: frame(0x7f, 0, 0, Buffer.of(1)),
    reasons: ['protocol', 'overhead'],
  },
];

describe('floods of frames', () => {
  it.each(FLOODS)('$name: ended, told, and nobody else is concerned', async (attack) => {
    await inSeen(async (world) => {
      const neighbour = await Neighbour.of(world);
      expect(await neighbour.ask()).toBe(200);
      const peer = await openFrames(world);
      peer.send(...(attack.before ?? []));
      await settled(peer);
      const before = held();
      const flooding = flood(peer, attack);
      while (!peer.socket.destroyed) expect(await neighbour.ask()).toBe(200);
      await flooding;
      await peer.closed;
      await world.eventsOf('egress.refused');
      expect(attack.reasons).toContain(abuses(world)[0]);
      expect(world.events.find(({ type }) => type === 'egress.refused')?.data).toMatchObject({
        host: API,
        port: 443,
      });
      expect(held() - before).toBeLessThan(GROWTH_BYTES_MAX);
      expect(await neighbour.ask()).toBe(200);
      neighbour.close();
    });
  });

  it.each(FLOODS)('control, $name: as many as a busy client sends', async ({ before, one }) => {
    await inSeen(async (world) => {
      const peer = await openFrames(world);
      peer.send(...(before ?? []));
      await settled(peer);
      peer.send(repeat(one, USUAL));
      await settled(peer);
      peer.send(get(101));
      expect(await peer.bodyOf(101)).toBe('ok');
      expect(abuses(world)).toEqual([]);
      peer.close();
    });
  });
});

/** Stream ids that follow one another, so many a round. */
const PER_ROUND = 20;
const idsOf = (round: number): number[] =>
  Array.from({ length: PER_ROUND }, (_, index) => 2 * (round * PER_ROUND + index) + 1);
const reset = (stream: number): Buffer => frame(FRAME.reset, 0, stream, number32(8));

interface StreamAttack {
  readonly name: string;
  readonly one: (stream: number) => Buffer;
  /** Streams that it took, at most. */
  readonly streamsMax: number;
  readonly reasons: readonly string[];
}

/** What the gateway answers with a reset of its own (CVE-2025-8671), or what resets itself (CVE-2023-44487). */
const STREAM_FLOODS: readonly StreamAttack[] = [
  {
    name: 'requests that are reset at once',
    one: (stream) => Buffer.concat([get(stream), reset(stream)]),
    streamsMax: 1_000,
    reasons: ['protocol', 'streams_rejected'],
  },
  {
    name: 'window updates by nothing',
    one: (stream) => Buffer.concat([get(stream), window(stream, 0)]),
    streamsMax: 200,
    reasons: ['protocol'],
  },
  {
    name: 'window updates by too much',
    one: (stream) => Buffer.concat([get(stream), window(stream, 0x7f_ff_ff_ff)]),
    streamsMax: 200,
    reasons: ['flow_control'],
  },
  {
    name: 'DATA behind the end',
    one: (stream) => Buffer.concat([get(stream), frame(FRAME.data, 0, stream, Buffer.of(1))]),
    streamsMax: 200,
    reasons: ['protocol', 'stream_closed'],
  },
  {
    name: 'bodies that are longer than they say',
    one: (stream) =>
      Buffer.concat([
        headersOf(stream, [...requestLines({ method: 'POST' }), ['content-length', '1']], FLAG.endHeaders),
        frame(FRAME.data, 0, stream, Buffer.of(1, 2)),
      ]),
    streamsMax: 1_000,
    reasons: ['protocol', 'invalid_frames'],
  },
  {
    name: 'header lists that are malformed',
    one: (stream) => headersOf(stream, [...requestLines(), ['UPPER', 'x']]),
    streamsMax: 1_000,
    reasons: ['invalid_frames'],
  },
  {
    name: 'trailers that do not end the stream',
    one: (stream) => Buffer.concat([post(stream), headersOf(stream, [['x-a', 'b']], FLAG.endHeaders)]),
    streamsMax: 1_000,
    reasons: ['invalid_frames', 'protocol'],
  },
  {
    name: 'header lists that are large when they are unpacked',
    one: (stream) => frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, BOMB),
    streamsMax: 4_000,
    reasons: ['overhead', 'protocol', 'streams_rejected'],
  },
  {
    name: 'header lists with very many fields',
    one: (stream) => headersOf(stream, [...requestLines(), ...MANY]),
    streamsMax: 4_000,
    reasons: ['overhead', 'protocol', 'streams_rejected'],
  },
];

describe('floods of requests', () => {
  it.each(STREAM_FLOODS)('$name: ended, told, and nobody else is concerned', async (attack) => {
    await inSeen(async (world, seen) => {
      const neighbour = await Neighbour.of(world);
      expect(await neighbour.ask()).toBe(200);
      const peer = await openFrames(world);
      await settled(peer);
      const before = held();
      let streams = 0;
      for (let round = 0; !peer.socket.destroyed && streams < attack.streamsMax; round += 1) {
        const ids = idsOf(round);
        streams += ids.length;
        await peer.sent(...ids.map(attack.one));
        await settled(peer);
        peer.frames.length = 0;
        expect(await neighbour.ask()).toBe(200);
      }
      expect(peer.socket.destroyed).toBe(true);
      await world.eventsOf('egress.refused');
      expect(attack.reasons).toContain(abuses(world)[0]);
      expect(held() - before).toBeLessThan(GROWTH_BYTES_MAX);
      expect(seen.filter((path) => path !== '/neighbour').length).toBeLessThan(limits.http2ResetBurst * 3);
      /* Whatever was intended has its outcome. */
      const intents = world.events.filter(({ type }) => type === 'egress.request').length;
      await world.eventsOf('egress.finished', intents);
      expect(await neighbour.ask()).toBe(200);
      neighbour.close();
    });
  });

  it('control: as many requests, and some that are reset', async () => {
    await inSeen(async (world) => {
      const peer = await openFrames(world);
      for (let round = 0; round < 50; round += 1) {
        const ids = idsOf(round);
        const [first = 0, ...others] = ids;
        peer.send(...ids.map(get), reset(first));
        for (const id of others) expect(await peer.bodyOf(id)).toBe('ok');
        peer.frames.length = 0;
      }
      expect(abuses(world)).toEqual([]);
      peer.close();
    });
  });
});

/** `nghttp2` itself ends a connection on which answers of its own pile up, or that holds more than its window. */
const BY_NGHTTP2 = { code: 'egress_upstream_closed' };
const BY_US = { code: 'egress_response_malformed', reason: 'http2_overhead' };

/** What an upstream sends beside its answer, or as one. */
const UPSTREAM_FLOODS: readonly (readonly [name: string, one: Buffer, refusals: readonly object[]])[] = [
  ['pings', ping, [BY_US, BY_NGHTTP2]],
  ['settings', settingsOf(), [BY_NGHTTP2, BY_US]],
  ['window updates of the connection', window(0, 1), [BY_US]],
  ['window updates of the stream', window(1, 1), [BY_US]],
  [
    'frames of DATA that hold padding alone',
    frame(FRAME.data, FLAG.padded, 1, Buffer.of(0)),
    [BY_NGHTTP2, BY_US],
  ],
  ['frames of DATA that hold one byte', frame(FRAME.data, 0, 1, Buffer.of(65)), [BY_US]],
];

describe('an upstream that floods', () => {
  it.each(UPSTREAM_FLOODS)(
    'with %s: cut, told, and nobody else is concerned',
    async (_name, one, refusals) => {
      const record = repeat(one, Math.floor(RECORD_BYTES / one.length));
      const hostile = await frameUpstream(async (peer) => {
        begin(peer);
        await requestOn(peer, 1);
        peer.send(answerHead(1));
        for (let bytes = 0; !peer.socket.destroyed && bytes < FLOOD_BYTES_MAX; bytes += record.length) {
          await peer.sent(record);
          peer.frames.length = 0;
        }
      });
      const other = await httpsUpstream((_request, response) => response.end('ok'), 'other.test');
      const upstreams = { [`${API}:443`]: hostile, 'other.test:443': other };
      const rules = [apiRule(), apiRule({ host: 'other.test' })];
      await inWorld({ upstreams, rules, credentials: [] }, async (world) => {
        const before = held();
        const flooded = world.exchange(`GET / HTTP/1.1\r\nHost: ${API}\r\nConnection: close\r\n\r\n`);
        let isOver = false;
        void flooded.then(() => (isOver = true));
        while (!isOver) expect((await world.request({ host: 'other.test' })).status).toBe(200);
        const [refused] = await world.eventsOf('egress.refused');
        expect(refused?.data).toMatchObject({ host: API, port: 443 });
        expect(refusals).toContainEqual(
          Object.fromEntries(
            Object.entries(refused?.data ?? {}).filter(([name]) => name === 'code' || name === 'reason'),
          ),
        );
        expect(held() - before).toBeLessThan(GROWTH_BYTES_MAX);
      });
    },
  );

  it.each(UPSTREAM_FLOODS)('control, with %s: as many as a busy upstream sends', async (_name, one) => {
    const upstream = await frameUpstream(async (peer) => {
      begin(peer);
      await requestOn(peer, 1);
      peer.send(answerHead(1), repeat(one, USUAL), answerData(1, 'rest'));
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream }, credentials: [] }, async (world) => {
      const { status, body } = await world.request();
      expect([status, body.toString().endsWith('rest')]).toEqual([200, true]);
    });
  });
});
