/**
 * Frames in any order and with anything in them, from a cell and from an upstream: each connection goes on or ends, and
 * nothing of it reaches anybody else. An error that nobody caught would fail the run.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { begin, frameUpstream, requestOn } from './http2-frame-upstream.ts';
import {
  FLAG,
  FRAME,
  frame,
  headerBlock,
  type HeaderLine,
  headersOf,
  number32,
  openFrames,
  requestLines,
} from './http2-frames.ts';
import { ask, connectHttp2, http2Upstream } from './http2-world.ts';
import { API, inWorld, PLACEHOLDER, TOKEN } from './world.ts';

const SEED = 20_260_601;
const PLACE = `${API}:443`;

const REQUESTS: readonly (readonly HeaderLine[])[] = [
  requestLines(),
  requestLines({ method: 'POST' }),
  [...requestLines(), ['authorization', `Bearer ${PLACEHOLDER}`]],
  [...requestLines({ method: 'POST' }), ['content-length', '5']],
];
const ANSWERS: readonly (readonly HeaderLine[])[] = [
  [[':status', '200']],
  [[':status', '103']],
  [
    [':status', '200'],
    ['content-length', '5'],
  ],
  [[':status', '304']],
  [
    [':status', '200'],
    ['content-type', 'application/grpc'],
  ],
];

const lines: fc.Arbitrary<readonly HeaderLine[]> = fc.oneof(
  fc.constantFrom<readonly HeaderLine[]>(
    ...REQUESTS,
    ...ANSWERS,
    [['x-trailer', 'y']],
    [['grpc-status', '0']],
  ),
  fc.array(
    fc.tuple(
      fc.constantFrom(
        ':status',
        ':path',
        ':method',
        'x',
        'te',
        'host',
        'cookie',
        'content-length',
        'content-encoding',
      ),
      fc.constantFrom('200', '/', 'GET', 'trailers', 'gzip', API, '5', '', 'a\nb'),
    ),
    { maxLength: 6 },
  ),
);

const payload: fc.Arbitrary<Buffer> = fc.oneof(
  lines.map((chosen) => headerBlock(chosen)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(number32),
  fc.constantFrom(
    Buffer.alloc(0),
    Buffer.alloc(5),
    Buffer.alloc(8),
    Buffer.from('hello'),
    Buffer.alloc(12_000, 'x'),
  ),
);

const anyFrame: fc.Arbitrary<Buffer> = fc
  .record({
    type: fc.integer({ min: 0, max: 11 }),
    flags: fc.oneof(fc.constantFrom(0, 1, 4, 5), fc.integer({ min: 0, max: 255 })),
    stream: fc.constantFrom(0, 1, 1, 1, 3, 5, 2, 7),
    payload,
  })
  .map((made) => frame(made.type, made.flags, made.stream, made.payload));

/** What is a message, more often than not. */
const message = (heads: readonly (readonly HeaderLine[])[], streams: readonly number[]) =>
  fc
    .tuple(
      fc.constantFrom(...streams),
      fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...heads) }, { weight: 1, arbitrary: lines }),
      fc.array(fc.constantFrom('', 'hello', TOKEN, PLACEHOLDER), { maxLength: 3 }),
    )
    .map(([stream, head, data]) => [
      frame(
        FRAME.headers,
        FLAG.endHeaders | (data.length === 0 ? FLAG.endStream : 0),
        stream,
        headerBlock(head),
      ),
      ...data.map((text, at) =>
        frame(FRAME.data, at === data.length - 1 ? FLAG.endStream : 0, stream, Buffer.from(text)),
      ),
    ]);

const noise = (heads: readonly (readonly HeaderLine[])[], streams: readonly number[]) =>
  fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: message(heads, streams) },
        { weight: 1, arbitrary: anyFrame.map((one) => [one]) },
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((all) => all.flat());

const PING = frame(FRAME.ping, 0, 0, Buffer.from('are you?'));

describe('noise', () => {
  it('from a cell', async () => {
    const seen: string[] = [];
    const upstream = await http2Upstream((stream, headers) => {
      seen.push(JSON.stringify(headers));
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      await fc.assert(
        fc.asyncProperty(noise(REQUESTS, [1, 3, 5]), async (sent) => {
          const peer = await openFrames(world);
          peer.send(...sent, headersOf(1_001, requestLines()));
          await peer.first(
            ({ type, stream, flags }) =>
              type === FRAME.goaway ||
              (stream === 1_001 && (type === FRAME.reset || (flags & FLAG.endStream) !== 0)),
          );
          peer.close();
        }),
        { seed: SEED, numRuns: 300 },
      );
      const session = await connectHttp2(world);
      expect((await ask(session, { ':method': 'POST' }, 'fine')).body.toString()).toBe('fine');
      session.destroy();
    });
    expect(seen.length).toBeGreaterThan(30); // control: not all of it is refused at once
    expect(seen.join()).not.toContain(PLACEHOLDER);
  });

  it('from an upstream', async () => {
    let next: readonly Buffer[] = [];
    let served = 0;
    const upstream = await frameUpstream(async (peer) => {
      begin(peer);
      await requestOn(peer, 1);
      peer.send(...next, PING);
      await peer.first(
        ({ type, flags }) => type === FRAME.goaway || (type === FRAME.ping && flags === FLAG.ack),
      );
      peer.close();
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      await fc.assert(
        fc.asyncProperty(noise(ANSWERS, [1]), fc.boolean(), async (sent, overHttp2) => {
          next = sent;
          if (!overHttp2) {
            await world
              .request({ headers: { Authorization: `Bearer ${PLACEHOLDER}` } })
              .then(({ status, body }) => {
                if (status === 200) served += 1;
                expect(body.toString()).not.toContain(TOKEN);
              })
              .catch((error: unknown) => expect(error).toMatchObject({ code: 'ECONNRESET' }));
            return;
          }
          const session = await connectHttp2(world);
          const reply = await ask(session, { authorization: `Bearer ${PLACEHOLDER}` });
          if (reply.status === 200) served += 1;
          expect(reply.body.toString()).not.toContain(TOKEN);
          session.destroy();
        }),
        { seed: SEED, numRuns: 300 },
      );
    });
    expect(served).toBeGreaterThan(10); // control
  });
});
