/**
 * ATTACKS 12: frames that cost their sender nothing. The connection is ended, the audit log says why, what the gateway
 * holds is bounded, and the cell next door is answered meanwhile. Each control is the same thing in the amount that a
 * client needs: it goes through.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import { answerData, answerHead, begin, frameUpstream, requestOn } from '../egress/http2-frame-upstream.ts';
import {
  connectFrames,
  errorCodeOf,
  FLAG,
  FRAME,
  type FramePeer,
  frame,
  type HeaderLine,
  headerBlock,
  headersOf,
  indexedLiteral,
  number32,
  openFrames,
  PREFACE,
  requestLines,
  settingsOf,
} from '../egress/http2-frames.ts';
import {
  API,
  apiRule,
  httpsUpstream,
  inWorld,
  rawUpstream,
  silentUpstream,
  type Upstream,
  type World,
} from '../egress/world.ts';
import { Neighbour } from './neighbour-cell.ts';

const MIB = 1024 * 1024;
/** What a flood may have sent when it is ended, at the very most. */
const FLOOD_BYTES_MAX = 256 * MIB;
/** What the gateway may hold more after a flood than before, and the test with it. */
const GROWTH_BYTES_MAX = 24 * MIB;
/** A record of TLS. */
const RECORD_BYTES = 16_384;
/** Of the frames of a flood, what is nothing unusual. */
const USUAL = 50;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function held(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const repeat = (bytes: Buffer, times: number): Buffer => Buffer.alloc(bytes.length * times, bytes);
const ping = frame(FRAME.ping, 0, 0, Buffer.alloc(8));
const post = (stream: number): Buffer => headersOf(stream, requestLines({ method: 'POST' }), FLAG.endHeaders);
const get = (stream: number): Buffer => headersOf(stream, requestLines());
const window = (stream: number, increment: number): Buffer =>
  frame(FRAME.windowUpdate, 0, stream, number32(increment));

/** 12,000 times a field of 4,000 bytes, each time in one byte. */
const BOMB = Buffer.concat([
  headerBlock(requestLines()),
  indexedLiteral('x', 'y'.repeat(4_000)),
  Buffer.alloc(12_000, 0xbe),
]);
const MANY: readonly HeaderLine[] = Array.from({ length: 500 }, (_, index) => [`x${index}`, 'y']);

interface Attack {
  readonly name: string;
  /** Before the flood; the requests that it needs. */
  readonly before?: readonly Buffer[];
  /** Again and again. */
  readonly one: Buffer;
  readonly reasons: readonly string[];
  readonly unread?: boolean;
}

async function inSeen(body: (world: World, seen: string[]) => Promise<void>): Promise<void> {
  const seen: string[] = [];
  const upstream: Upstream = await httpsUpstream((request, response) => {
    seen.push(request.url ?? '');
    request.on('error', () => undefined);
    request.resume();
    request.on('end', () => response.end('ok'));
  });
  await inWorld({ upstreams: { [`${API}:443`]: upstream } }, (world) => body(world, seen));
}

const abuses = (world: World): unknown[] =>
  world.events
    .filter(({ type, data }) => type === 'egress.refused' && data['code'] === 'egress_http2_abuse')
    .map(({ data }) => data['reason']);

let marks = 0;
/** Until the gateway has read all that was sent. */
async function settled(peer: FramePeer): Promise<void> {
  const mark = Buffer.from(String((marks += 1)).padStart(8, '0'));
  peer.send(frame(FRAME.ping, 0, 0, mark));
  await peer.first(({ type, payload }) => type === FRAME.ping && payload.equals(mark));
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
