/** Upstreams over HTTP/2 that decline requests, go away in between, or answer what is no answer. */
import { describe, expect, it } from 'vitest';
import {
  answer,
  answerData,
  answerHead,
  begin,
  frameUpstream,
  goaway,
  requestOn,
} from './http2-frame-upstream.ts';
import { FLAG, FRAME, type FramePeer, frame, headerBlock, number32, settingsOf } from './http2-frames.ts';
import { ask, connectHttp2 } from './http2-world.ts';
import { API, bearer, errorOf, inWorld, PLACEHOLDER, type World } from './world.ts';

const PLACE = `${API}:443`;
const AUTH = { Authorization: `Bearer ${PLACEHOLDER}` };
const REFUSED_STREAM = 7;
const INTERNAL_ERROR = 2;
const CANCEL = 8;

const reset = (stream: number, code: number): Buffer => frame(FRAME.reset, 0, stream, number32(code));

/** Answers requests, one after another. */
async function serve(peer: FramePeer, from: number): Promise<void> {
  for (let stream = from; (await requestOn(peer, stream)) !== undefined; stream += 2)
    peer.send(...answer(stream, 'served'));
}

/** What the first connection does with its first request; everything else is served. */
async function withUpstream(
  first: (peer: FramePeer) => void,
  body: (world: World, peers: readonly FramePeer[]) => Promise<void>,
): Promise<void> {
  const upstream = await frameUpstream(async (peer, index) => {
    begin(peer);
    await requestOn(peer, 1);
    if (index === 0) first(peer);
    else peer.send(...answer(1, 'served'));
    await serve(peer, 3);
  });
  await inWorld({ upstreams: { [PLACE]: upstream } }, (world) => body(world, upstream.peers));
}

describe('what an upstream says it has not dealt with is sent again, whatever it is', () => {
  it.each([
    ['a reset that says so', (peer: FramePeer) => peer.send(reset(1, REFUSED_STREAM))],
    ['the end of the connection before it', (peer: FramePeer) => peer.send(goaway(0))],
    ['the same with an error', (peer: FramePeer) => peer.send(goaway(0, INTERNAL_ERROR))],
  ])('%s', async (_name, decline) => {
    await withUpstream(decline, async (world, peers) => {
      const reply = await world.request({
        method: 'POST',
        body: 'x',
        headers: { ...AUTH, 'Content-Length': '1' },
      });
      expect([reply.status, reply.body.toString()]).toEqual([200, 'served']);
      expect(await peers[1]?.bodyOf(1)).toBe('x');
      expect(peers.length).toBe(2);
      expect(world.uses).toHaveLength(1);
      expect(await world.eventsOf('egress.finished')).toHaveLength(1);
    });
  });

  it('once, and not where it was only cut', async () => {
    for (const [code, connections] of [
      [REFUSED_STREAM, 2],
      [INTERNAL_ERROR, 1],
    ] as const) {
      const upstream = await frameUpstream(async (peer) => {
        begin(peer);
        await requestOn(peer, 1);
        peer.send(reset(1, code));
      });
      await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
        const reply = await world.request({
          method: 'POST',
          body: 'x',
          headers: { ...AUTH, 'Content-Length': '1' },
        });
        expect([reply.status, errorOf(reply).code]).toEqual([502, 'egress_upstream_closed']);
        expect(upstream.peers.length).toBe(connections);
      });
    }
  });

  it('never where a part of its body was passed on', async () => {
    await withUpstream(
      (peer) => peer.send(reset(1, REFUSED_STREAM)),
      async (world, peers) => {
        const session = await connectHttp2(world);
        const reply = await ask(session, { ':method': 'POST' }, 'streams');
        expect([reply.status, errorOf(reply as never).code]).toEqual([502, 'egress_upstream_closed']);
        expect(peers.length).toBe(1);
        session.destroy();
      },
    );
  });

  it('a request that is dealt with is answered, and the next one takes another connection', async () => {
    await withUpstream(
      (peer) => peer.send(goaway(1), answerHead(1), answerData(1, 'first')),
      async (world, peers) => {
        expect((await world.request()).body.toString()).toBe('first');
        expect((await world.request()).body.toString()).toBe('served');
        expect(peers.length).toBe(2);
      },
    );
  });

  it('no more than the upstream takes at a time are put on a connection', async () => {
    const upstream = await frameUpstream(async (peer) => {
      begin(peer, settingsOf([3, 1]));
      await serve(peer, 1);
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const session = await connectHttp2(world);
      expect((await ask(session, {})).status).toBe(200);
      const replies = await Promise.all(Array.from({ length: 5 }, () => ask(session, {})));
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      expect(upstream.peers.length).toBeGreaterThan(1);
      session.destroy();
    });
  });
});

it('a body that an upstream does not want to read holds no stream after the answer', async () => {
  const upstream = await frameUpstream(async (peer) => {
    begin(peer);
    await requestOn(peer, 1);
    await peer.first(({ type }) => type === FRAME.data);
    peer.send(...answer(1, 'enough'));
  });
  const inject = [{ json: '/key' }];
  const options = { upstreams: { [PLACE]: upstream }, credentials: [bearer({ inject })] };
  await inWorld(options, async (world) => {
    const body = JSON.stringify({ key: PLACEHOLDER, text: 'x'.repeat(1_000_000) });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) };
    const reply = await world.request({ method: 'POST', headers, body });
    expect(reply.body.toString()).toBe('enough');
    const reset = await upstream.peers[0]?.first(({ type }) => type === FRAME.reset);
    expect(reset?.payload.readUInt32BE(0)).toBe(CANCEL);
  });
});

it('bodies that an upstream does not read take nothing away from the answers beside them', async () => {
  const first = Promise.withResolvers<FramePeer>();
  const upstream = await frameUpstream(async (peer) => {
    begin(peer, settingsOf([4, 0]));
    first.resolve(peer);
    await serve(peer, 13);
  });
  const options = { upstreams: { [PLACE]: upstream }, credentials: [bearer({ inject: [{ json: '/key' }] })] };
  await inWorld(options, async (world) => {
    const body = JSON.stringify({ key: PLACEHOLDER, text: 'x'.repeat(7_000_000) });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) };
    const unread: Promise<unknown>[] = [];
    for (let stream = 1; stream < 13; stream += 2) {
      unread.push(world.request({ method: 'POST', headers, body }).catch(() => undefined));
      await requestOn(await first.promise, stream);
    }
    const reply = await world.request();
    expect([reply.status, reply.body.toString()]).toEqual([200, 'served']);
    expect(upstream.peers.length).toBe(1);
    world.cell.close();
    await Promise.all(unread);
  });
});

describe('what is no answer', () => {
  const status = (...lines: readonly (readonly [string, string])[]): Buffer =>
    frame(FRAME.headers, FLAG.endHeaders, 1, headerBlock(lines));
  const trailers = (...lines: readonly (readonly [string, string])[]): Buffer =>
    frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, headerBlock(lines));
  const push = frame(
    FRAME.push,
    FLAG.endHeaders,
    1,
    Buffer.concat([
      number32(2),
      headerBlock([
        [':method', 'GET'],
        [':scheme', 'https'],
        [':authority', API],
        [':path', '/'],
      ]),
    ]),
  );

  it.each<[string, readonly Buffer[]]>([
    ['no status', [status(['x', 'y'])]],
    ['an empty status', [status([':status', ''])]],
    ['two statuses', [status([':status', '200'], [':status', '200'])]],
    ['a status that is none', [status([':status', '99'])]],
    ['a status beyond all', [status([':status', '600'])]],
    ['another protocol', [status([':status', '101'])]],
    ['pseudo fields of a request', [status([':status', '200'], [':path', '/'])]],
    ['a pseudo field after others', [status(['x', 'y'], [':status', '200'])]],
    ['a name in upper case', [status([':status', '200'], ['X-Upper', 'y'])]],
    ['fields of the connection', [status([':status', '200'], ['connection', 'close'])]],
    ['transfer-encoding', [status([':status', '200'], ['transfer-encoding', 'chunked'])]],
    ['two lengths', [status([':status', '200'], ['content-length', '1'], ['content-length', '2'])]],
    ['a length that is none', [status([':status', '200'], ['content-length', '-1'])]],
    ['a body before the head', [answerData(1, 'x')]],
    ['interim answers without end', Array.from({ length: 100 }, () => status([':status', '103']))],
    ['an interim answer that is all', [trailers([':status', '103'])]],
    ['a push', [push]],
    [
      'more fields than one can want',
      [
        status(
          [':status', '200'],
          ...Array.from({ length: 300 }, (_, index) => [`x-${index}`, 'y'] as const),
        ),
      ],
    ],
  ])('%s: refused', async (_what, frames) => {
    await withUpstream(
      (peer) => peer.send(...frames),
      async (world) => {
        const reply = await world.request({ headers: AUTH });
        expect(reply.status).toBe(502);
        expect(errorOf(reply).code).toMatch(/^egress_(?:response_malformed|upstream_closed)$/);
        expect((await world.request()).status).toBe(200); // control: the next one
      },
    );
  });

  it.each<[string, readonly Buffer[]]>([
    ['a body shorter than declared', [answerHead(1, [['content-length', '3']]), answerData(1, 'x')]],
    ['a body longer than declared', [answerHead(1, [['content-length', '1']]), answerData(1, 'xyz')]],
    ['a second head', [answerHead(1), answerData(1, 'x\n\n', 0), status([':status', '200'])]],
    [
      'trailers with a pseudo field',
      [answerHead(1), answerData(1, 'x\n\n', 0), trailers([':status', '200'])],
    ],
    ['trailers with a length', [answerHead(1), answerData(1, 'x\n\n', 0), trailers(['content-length', '1'])]],
  ])('%s: not told to be whole', async (_what, frames) => {
    await withUpstream(
      (peer) => peer.send(...frames),
      async (world) => {
        const session = await connectHttp2(world);
        const reply = await ask(session, {});
        expect([200, 502]).toContain(reply.status);
        if (reply.status === 200) expect(reply.reset).not.toBe(0);
        session.destroy();
        const [finished] = await world.eventsOf('egress.finished');
        expect(finished?.data['code']).toMatch(/^egress_(?:response_malformed|upstream_closed)$/);
        expect((await world.request()).status).toBe(200);
      },
    );
  });

  it.each<[string, readonly Buffer[], string]>([
    ['nothing', [trailers([':status', '200'])], ''],
    ['an empty body', [answerHead(1), answerData(1, '')], ''],
    ['trailers and no body', [answerHead(1), trailers(['x-sum', '1'])], ''],
    [
      'a declared length',
      [answerHead(1, [['content-length', '3']]), answerData(1, 'a', 0), answerData(1, 'bc')],
      'abc',
    ],
    [
      'padding',
      [answerHead(1), frame(FRAME.data, FLAG.endStream | FLAG.padded, 1, Buffer.from('\x02abc\0\0'))],
      'abc',
    ],
    [
      'interim answers before it',
      [status([':status', '103']), status([':status', '100']), answerHead(1), answerData(1, 'x')],
      'x',
    ],
  ])('control: %s is an answer', async (_what, frames, body) => {
    await withUpstream(
      (peer) => peer.send(...frames),
      async (world) => {
        const reply = await world.request({ headers: AUTH });
        expect([reply.status, reply.body.toString()]).toEqual([200, body]);
      },
    );
  });
});
