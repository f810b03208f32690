/** HTTP/2 streams that stop before they are complete: neither side may take what it has for all of it. */
import { describe, expect, it } from 'vitest';
import { answer, answerData, answerHead, begin, frameUpstream, requestOn } from './http2-frame-upstream.ts';
import {
  errorCodeOf,
  FLAG,
  FRAME,
  type Frame,
  type FramePeer,
  frame,
  headersOf,
  number32,
  openFrames,
  requestLines,
} from './http2-frames.ts';
import { API, inWorld, PLACEHOLDER, type World } from './world.ts';

const PLACE = `${API}:443`;
const NO_ERROR = 0;
const CANCEL = 8;

const post = headersOf(1, requestLines({ method: 'POST' }), FLAG.endHeaders);
const data = (text: string, flags = 0): Buffer => frame(FRAME.data, flags, 1, Buffer.from(text, 'latin1'));
const reset = (code: number): Buffer => frame(FRAME.reset, 0, 1, number32(code));

const isReset = ({ type }: Frame): boolean => type === FRAME.reset;
const ends = (peer: FramePeer): readonly Frame[] =>
  peer.frames.filter(
    ({ type, flags }) => (type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0,
  );

/** A request whose body has begun to arrive at the upstream. */
async function withHalfABody(
  body: (client: FramePeer, upstream: FramePeer, world: World) => Promise<void>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<FramePeer>();
  const upstream = await frameUpstream((peer) => {
    begin(peer);
    resolve(peer);
  });
  await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
    const client = await openFrames(world);
    client.send(post, data('half'));
    const peer = await promise;
    await peer.first(({ type }) => type === FRAME.data);
    await body(client, peer, world);
    client.close();
  });
}

describe('half of a request is not taken for all of it', () => {
  it.each([
    ['an error', CANCEL],
    ['none', NO_ERROR],
  ])('where the client resets it with %s', async (_name, code) => {
    await withHalfABody(async (client, upstream) => {
      client.send(reset(code));
      expect(await upstream.first(isReset)).toBeDefined();
      expect(ends(upstream)).toEqual([]);
    });
  });

  it('where the client goes away', async () => {
    await withHalfABody(async (client, upstream) => {
      client.close();
      expect(await upstream.first(isReset)).toBeDefined();
      expect(ends(upstream)).toEqual([]);
    });
  });

  it('where it is refused for what comes in it', async () => {
    await withHalfABody(async (client, upstream) => {
      client.send(data(PLACEHOLDER, FLAG.endStream));
      expect(await upstream.first(isReset)).toBeDefined();
      expect(ends(upstream)).toEqual([]);
      expect(await client.bodyOf(1)).toContain('egress_placeholder_misplaced');
    });
  });

  it('where the cell is closed', async () => {
    await withHalfABody(async (_client, upstream, world) => {
      world.cell.close();
      await upstream.closed;
      expect(ends(upstream)).toEqual([]);
    });
  });

  it('where the upstream has answered', async () => {
    await withHalfABody(async (client, upstream) => {
      upstream.send(...answer(1, 'enough'));
      expect(await client.bodyOf(1)).toBe('enough');
      expect(errorCodeOf(await upstream.first(isReset))).toBe(CANCEL);
      expect(ends(upstream)).toEqual([]);
    });
  });

  it('control: a whole one is', async () => {
    await withHalfABody(async (client, upstream) => {
      client.send(data('rest', FLAG.endStream));
      expect(await upstream.bodyOf(1)).toBe('halfrest');
      upstream.send(...answer(1, 'thanks'));
      expect(await client.bodyOf(1)).toBe('thanks');
    });
  });
});

/** An answer whose body has begun to arrive at the client. */
async function withHalfAnAnswer(
  body: (client: FramePeer, upstream: FramePeer, world: World) => Promise<void>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<FramePeer>();
  const upstream = await frameUpstream(async (peer) => {
    begin(peer);
    await requestOn(peer, 1);
    peer.send(answerHead(1), answerData(1, 'half\n\n', 0));
    resolve(peer);
  });
  await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
    const client = await openFrames(world);
    client.send(headersOf(1, requestLines()));
    await client.first(({ type }) => type === FRAME.data);
    await body(client, await promise, world);
    client.close();
  });
}

describe('half of an answer is not taken for all of it', () => {
  it.each([
    ['an error', CANCEL],
    ['none', NO_ERROR],
  ])('where the upstream resets it with %s', async (_name, code) => {
    await withHalfAnAnswer(async (client, upstream, world) => {
      upstream.send(reset(code));
      expect(await client.first(isReset)).toBeDefined();
      expect(ends(client)).toEqual([]);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({ code: 'egress_upstream_closed' });
    });
  });

  it('where the upstream goes away', async () => {
    await withHalfAnAnswer(async (client, upstream) => {
      upstream.close();
      expect(await client.first(isReset)).toBeDefined();
      expect(ends(client)).toEqual([]);
    });
  });

  it('where the upstream ends the connection with an error', async () => {
    await withHalfAnAnswer(async (client, upstream) => {
      upstream.send(frame(FRAME.goaway, 0, 0, Buffer.concat([number32(1), number32(2)])));
      expect(await client.first(isReset)).toBeDefined();
      expect(ends(client)).toEqual([]);
    });
  });

  it('where the cell is closed', async () => {
    await withHalfAnAnswer(async (client, _upstream, world) => {
      world.cell.close();
      await client.closed;
      expect(ends(client)).toEqual([]);
    });
  });

  it('control: a whole one is, and a reset behind it changes nothing', async () => {
    await withHalfAnAnswer(async (client, upstream) => {
      upstream.send(answerData(1, 'rest'), reset(NO_ERROR));
      expect(await client.bodyOf(1)).toBe('half\n\nrest');
      expect(ends(client)).toHaveLength(1);
    });
  });
});
