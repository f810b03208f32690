/**
 * Clients that do not follow RFC 9113 and RFC 7541, frame by frame and in the order of their sections. Each ends in an error of
 * the connection or of the stream, and none of it gets to an upstream as a request.
 */
import { describe, expect, it } from 'vitest';
import { inConformanceWorld } from './http2-conformance-world.ts';
import {
  connectFrames,
  errorCodeOf,
  FLAG,
  FRAME,
  frame,
  headerBlock,
  headersOf,
  indexedLiteral,
  number32,
  openFrames,
  PREFACE,
  requestLines,
  settingsOf,
} from './http2-frames.ts';
import { API, httpsUpstream, inWorld } from './world.ts';

/* RFC 9113 section 7. */
const PROTOCOL_ERROR = 1;
const INTERNAL_ERROR = 2;
const FLOW_CONTROL_ERROR = 3;
const STREAM_CLOSED = 5;
const FRAME_SIZE_ERROR = 6;
const COMPRESSION_ERROR = 9;

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const lines = requestLines();
const block = headerBlock(lines);
const whole = FLAG.endHeaders | FLAG.endStream;

/** A request whose body follows, and whose target tells it from others. */
const post = headersOf(1, requestLines({ method: 'POST' }), FLAG.endHeaders);
const get = headersOf(1, lines);
const data = (flags: number, payload: Buffer | string, stream = 1): Buffer =>
  frame(FRAME.data, flags, stream, typeof payload === 'string' ? bytes(payload) : payload);
const headers = (flags: number, payload: Buffer, stream = 1): Buffer =>
  frame(FRAME.headers, flags, stream, payload);
const withBlock = (...more: readonly Buffer[]): Buffer => headers(whole, Buffer.concat([block, ...more]));

type Case = readonly [what: string, code: number, frames: readonly Buffer[]];

const ENDS_CONNECTION: readonly Case[] = [
  ['4.2 DATA longer than allowed', FRAME_SIZE_ERROR, [post, data(0, Buffer.alloc(16_385))]],
  [
    '4.2 HEADERS longer than allowed',
    FRAME_SIZE_ERROR,
    [withBlock(headerBlock([['x', 'a'.repeat(16_384)]]))],
  ],
  [
    '4.3 HEADERS of another stream within a header block',
    PROTOCOL_ERROR,
    [headers(1, block), headersOf(3, lines)],
  ],
  [
    '4.3 PRIORITY within a header block',
    PROTOCOL_ERROR,
    [headers(1, block), frame(FRAME.priority, 0, 1, Buffer.alloc(5))],
  ],
  ['4.3 DATA within a header block', PROTOCOL_ERROR, [headers(0, block), data(1, 'x')]],
  ['5.1 DATA on a stream that was never opened', PROTOCOL_ERROR, [data(1, 'x')]],
  [
    '5.1 RST_STREAM on a stream that was never opened',
    PROTOCOL_ERROR,
    [frame(FRAME.reset, 0, 1, number32(8))],
  ],
  [
    '5.1 WINDOW_UPDATE on a stream that was never opened',
    PROTOCOL_ERROR,
    [frame(FRAME.windowUpdate, 0, 1, number32(8))],
  ],
  [
    '5.1 CONTINUATION on a stream that was never opened',
    PROTOCOL_ERROR,
    [frame(FRAME.continuation, FLAG.endHeaders, 1, block)],
  ],
  ['5.1 DATA after the end', STREAM_CLOSED, [post, data(1, 'x'), data(1, 'x')]],
  ['5.1 HEADERS after the end', STREAM_CLOSED, [post, data(1, 'x'), get]],
  ['5.1.1 a stream with an even number', PROTOCOL_ERROR, [headersOf(2, lines)]],
  [
    '5.3.1 a stream that depends on itself',
    PROTOCOL_ERROR,
    [headers(whole | FLAG.priority, Buffer.concat([number32(1), Buffer.of(255), block]))],
  ],
  [
    '5.5 an unknown frame within a header block',
    PROTOCOL_ERROR,
    [headers(1, block), frame(0x16, 0, 1, Buffer.alloc(5))],
  ],
  ['6.1 DATA on stream 0', PROTOCOL_ERROR, [data(1, 'x', 0)]],
  [
    '6.1 DATA with more padding than there is',
    PROTOCOL_ERROR,
    [post, data(FLAG.endStream | FLAG.padded, Buffer.of(9, 1))],
  ],
  ['6.2 HEADERS on stream 0', PROTOCOL_ERROR, [headersOf(0, lines)]],
  [
    '6.2 HEADERS with more padding than there is',
    PROTOCOL_ERROR,
    [headers(whole | FLAG.padded, Buffer.concat([Buffer.of(255), block]))],
  ],
  ['6.3 PRIORITY of another length', FRAME_SIZE_ERROR, [frame(FRAME.priority, 0, 1, Buffer.alloc(4))]],
  ['6.4 RST_STREAM on stream 0', PROTOCOL_ERROR, [frame(FRAME.reset, 0, 0, number32(8))]],
  ['6.4 RST_STREAM of another length', FRAME_SIZE_ERROR, [post, frame(FRAME.reset, 0, 1, Buffer.alloc(3))]],
  [
    '6.5 SETTINGS that acknowledge and set',
    FRAME_SIZE_ERROR,
    [frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(6))],
  ],
  ['6.5 SETTINGS on a stream', PROTOCOL_ERROR, [frame(FRAME.settings, 0, 1)]],
  ['6.5 SETTINGS of another length', FRAME_SIZE_ERROR, [frame(FRAME.settings, 0, 0, Buffer.alloc(3))]],
  ['6.5.2 ENABLE_PUSH that is neither', PROTOCOL_ERROR, [settingsOf([2, 2])]],
  ['6.5.2 INITIAL_WINDOW_SIZE out of range', FLOW_CONTROL_ERROR, [settingsOf([4, 2 ** 31])]],
  ['6.5.2 MAX_FRAME_SIZE below its range', PROTOCOL_ERROR, [settingsOf([5, 16_383])]],
  ['6.5.2 MAX_FRAME_SIZE above its range', PROTOCOL_ERROR, [settingsOf([5, 2 ** 24])]],
  [
    '6.6 PUSH_PROMISE from a client',
    PROTOCOL_ERROR,
    [post, frame(FRAME.push, FLAG.endHeaders, 1, Buffer.concat([number32(2), block]))],
  ],
  ['6.7 PING on a stream', PROTOCOL_ERROR, [frame(FRAME.ping, 0, 1, Buffer.alloc(8))]],
  ['6.7 PING of another length', FRAME_SIZE_ERROR, [frame(FRAME.ping, 0, 0, Buffer.alloc(6))]],
  ['6.7 an acknowledgement of no PING', INTERNAL_ERROR, [frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8))]],
  ['6.8 GOAWAY on a stream', PROTOCOL_ERROR, [frame(FRAME.goaway, 0, 1, Buffer.alloc(8))]],
  [
    '6.9 WINDOW_UPDATE by nothing, of the connection',
    PROTOCOL_ERROR,
    [frame(FRAME.windowUpdate, 0, 0, number32(0))],
  ],
  [
    '6.9 WINDOW_UPDATE by nothing, of a stream',
    PROTOCOL_ERROR,
    [post, frame(FRAME.windowUpdate, 0, 1, number32(0))],
  ],
  [
    '6.9 WINDOW_UPDATE of another length',
    FRAME_SIZE_ERROR,
    [frame(FRAME.windowUpdate, 0, 0, Buffer.alloc(3))],
  ],
  [
    '6.9.1 the window of the connection beyond its range',
    FLOW_CONTROL_ERROR,
    [frame(FRAME.windowUpdate, 0, 0, number32(2 ** 31 - 1))],
  ],
  [
    '6.9.1 the window of a stream beyond its range',
    FLOW_CONTROL_ERROR,
    [post, frame(FRAME.windowUpdate, 0, 1, number32(2 ** 31 - 1))],
  ],
  [
    '6.9.2 the same through SETTINGS',
    FLOW_CONTROL_ERROR,
    [post, frame(FRAME.windowUpdate, 0, 1, number32(2 ** 30)), settingsOf([4, 2 ** 31 - 1])],
  ],
  [
    '6.10 CONTINUATION after the end of the block',
    PROTOCOL_ERROR,
    [post, frame(FRAME.continuation, FLAG.endHeaders, 1, block)],
  ],
  [
    '6.10 CONTINUATION on stream 0',
    PROTOCOL_ERROR,
    [headers(0, block), frame(FRAME.continuation, FLAG.endHeaders, 0)],
  ],
  [
    '6.10 CONTINUATION of another stream',
    PROTOCOL_ERROR,
    [headers(0, block), frame(FRAME.continuation, FLAG.endHeaders, 3)],
  ],
  ['7541 2.3.3 index 0', COMPRESSION_ERROR, [withBlock(Buffer.of(0x80))]],
  ['7541 2.3.3 an index that is in no table', COMPRESSION_ERROR, [withBlock(Buffer.of(0xff, 0x7f))]],
  [
    '7541 4.2 a table larger than allowed',
    COMPRESSION_ERROR,
    [headers(whole, Buffer.concat([Buffer.of(0x3f, 0xff, 0xff, 0x07), block]))],
  ],
  ['7541 4.2 another size of the table after the fields', COMPRESSION_ERROR, [withBlock(Buffer.of(0x20))]],
  [
    '7541 5.1 an integer without end',
    COMPRESSION_ERROR,
    [withBlock(Buffer.concat([Buffer.of(0x7f), Buffer.alloc(12, 0xff)]))],
  ],
  [
    '7541 5.2 padding of a whole byte',
    COMPRESSION_ERROR,
    [withBlock(Buffer.of(0, 1, 120, 0x82, 0x1f, 0xff))],
  ],
  ['7541 5.2 padding of zeros', COMPRESSION_ERROR, [withBlock(Buffer.of(0, 1, 120, 0x81, 0x00))]],
  [
    '7541 5.2 the end of the string within it',
    COMPRESSION_ERROR,
    [withBlock(Buffer.of(0, 1, 120, 0x84, 0xff, 0xff, 0xff, 0xff))],
  ],
  ['7541 a block that ends too early', COMPRESSION_ERROR, [headers(whole, block.subarray(0, -1))]],
];

describe('ends the connection', () => {
  const { outcomeOf, arrived } = inConformanceWorld();

  it.each(ENDS_CONNECTION)('%s', async (_what, code, frames) => {
    expect(await outcomeOf(frames)).toBe(`goaway ${code}`);
    expect(arrived.filter(({ body }) => body !== null)).toEqual([]);
    expect(await outcomeOf([get])).toBe('served'); // control: the next connection
  });
});

describe('has no effect', () => {
  const { outcomeOf, arrived } = inConformanceWorld();

  it.each([
    ['5.1 DATA after a reset', [post, frame(FRAME.reset, 0, 1, number32(8)), data(1, 'x')]],
    ['5.1 HEADERS after a reset', [post, frame(FRAME.reset, 0, 1, number32(8)), get]],
    ['5.1.1 a smaller number than before', [headersOf(5, requestLines({ method: 'get' })), get]],
    [
      '5.3 PRIORITY, which nobody goes by',
      [frame(FRAME.priority, 0, 1, Buffer.concat([number32(1), Buffer.of(255)]))],
    ],
    [
      '5.5 frames of unknown types',
      [frame(0x16, 255, 0, Buffer.alloc(100)), frame(0x17, 255, 1, Buffer.alloc(100))],
    ],
    ['6.3 PRIORITY on stream 0', [frame(FRAME.priority, 0, 0, Buffer.alloc(5))]],
    ['6.5.2 unknown settings', [settingsOf([0xff, 1], [3, 10], [3, 20])]],
    ['9218 PRIORITY_UPDATE', [frame(0x10, 0, 0, Buffer.concat([number32(1), bytes('u=1')]))]],
  ])('%s', async (_what, frames) => {
    expect(await outcomeOf([...frames, headersOf(9, lines)], 9)).toBe('served');
    expect(arrived.filter(({ body }) => body !== null)).toHaveLength(1);
  });
});

describe('is served', () => {
  const { outcomeOf, arrived } = inConformanceWorld();

  it.each([
    [
      'a header block in many frames',
      [
        headers(1, block.subarray(0, 3)),
        ...[3, 4, 5, 6, 7, 8].map((at) => frame(FRAME.continuation, 0, 1, block.subarray(at, at + 1))),
        frame(FRAME.continuation, FLAG.endHeaders, 1, block.subarray(9)),
      ],
      '',
    ],
    ['an empty CONTINUATION', [headers(1, block), frame(FRAME.continuation, FLAG.endHeaders, 1)], ''],
    [
      'padding, of HEADERS and DATA',
      [
        headers(
          FLAG.endHeaders | FLAG.padded,
          Buffer.concat([Buffer.of(200), headerBlock(requestLines({ method: 'POST' })), Buffer.alloc(200)]),
        ),
        data(FLAG.padded, Buffer.concat([Buffer.of(5), bytes('abc'), Buffer.alloc(5)])),
        data(FLAG.endStream | FLAG.padded, Buffer.of(3, 0, 0, 0)),
      ],
      'abc',
    ],
    [
      'a weight and a dependency',
      [headers(whole | FLAG.priority, Buffer.concat([number32(0x80_00_00_03), Buffer.of(16), block]))],
      '',
    ],
    ['unknown flags', [headers(whole | (0xd2 & ~FLAG.padded & ~FLAG.priority), block)], ''],
    ['empty DATA between others', [post, data(0, ''), data(0, 'a'), data(0, ''), data(1, 'b')], 'ab'],
    ['DATA as long as allowed', [post, data(1, Buffer.alloc(16_384, 97))], 'a'.repeat(16_384)],
    ['trailers', [post, data(0, 'a'), headersOf(1, [['x-sum', '1']])], 'a'],
    [
      'a field from the table',
      [headers(whole, Buffer.concat([block, indexedLiteral('x-a', 'b'), Buffer.of(0xbe)]))],
      '',
    ],
    ['a table of another size', [headers(whole, Buffer.concat([Buffer.of(0x20), block]))], ''],
    ['a cookie in crumbs', [headersOf(1, [...lines, ['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2']])], ''],
    ['settings in the middle', [post, settingsOf([4, 1_000_000], [3, 5]), data(1, 'x')], 'x'],
  ])('%s', async (_what, frames, body) => {
    expect(await outcomeOf(frames)).toBe('served');
    expect(arrived.map((request) => request.body)).toEqual([body]);
  });
});

describe('the beginning of a connection', () => {
  it.each([
    ['another preface', bytes('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')],
    ['a request of HTTP/1.1', bytes(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`)],
    ['no SETTINGS', Buffer.concat([PREFACE, get])],
    ['TLS once more', Buffer.of(22, 3, 1, 0, 5, 1, 0, 0, 1, 0)],
  ])('with %s is its end', async (_what, sent) => {
    await inWorld({}, async (world) => {
      const peer = await connectFrames(world);
      peer.send(sent);
      await peer.closed;
      expect(peer.frames.filter(({ type }) => type === FRAME.headers)).toEqual([]);
    });
  });

  it('acknowledges settings, in their order, and PING with what it held', async () => {
    await inWorld({}, async (world) => {
      const peer = await openFrames(world);
      peer.send(settingsOf([4, 100]), frame(FRAME.ping, 0, 0, bytes('12345678')));
      const answer = await peer.first(({ type }) => type === FRAME.ping);
      expect([answer?.flags, answer?.payload.toString()]).toEqual([FLAG.ack, '12345678']);
      await peer.first(({ type, flags }) => type === FRAME.settings && flags === FLAG.ack);
      peer.close();
    });
  });
});

describe('flow control', () => {
  it('what comes beyond a window is the end of the connection, and what fitted was kept from nobody', async () => {
    const upstream = await httpsUpstream(() => undefined); // never reads
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const peer = await openFrames(world);
      peer.send(post);
      /* More than the buffers of all connections on the way hold. */
      const frames = Buffer.concat(Array.from({ length: 64 }, () => data(0, Buffer.alloc(16_384))));
      for (let sent = 0; sent < 32; sent += 1) peer.send(frames);
      const end = await peer.first(({ type }) => type === FRAME.goaway || type === FRAME.reset);
      expect(errorCodeOf(end)).toBe(FLOW_CONTROL_ERROR);
      peer.close();
    });
  });

  it('an answer comes byte by byte where the window is one byte', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('hello'));
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const peer = await openFrames(world, API, settingsOf([4, 1]));
      peer.send(get);
      for (let at = 1; at <= 5; at += 1) {
        await peer.first(
          () =>
            peer.frames.filter(({ type, payload }) => type === FRAME.data && payload.length > 0).length ===
            at,
        );
        peer.send(frame(FRAME.windowUpdate, 0, 1, number32(1)));
      }
      expect(await peer.bodyOf(1)).toBe('hello');
      peer.close();
    });
  });

  it('a window that becomes negative holds the answer until it is positive again', async () => {
    const upstream = await httpsUpstream((_request, response) => response.end('hello'));
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const peer = await openFrames(world, API, settingsOf([4, 3]));
      peer.send(get);
      await peer.first(({ type, payload }) => type === FRAME.data && payload.length === 3);
      peer.send(
        settingsOf([4, 0]),
        frame(FRAME.windowUpdate, 0, 1, number32(3)),
        frame(FRAME.ping, 0, 0, Buffer.alloc(8)),
      );
      await peer.first(({ type }) => type === FRAME.ping);
      expect(peer.frames.filter(({ type }) => type === FRAME.data)).toHaveLength(1);
      peer.send(frame(FRAME.windowUpdate, 0, 1, number32(2)));
      expect(await peer.bodyOf(1)).toBe('hello');
      peer.close();
    });
  });
});
