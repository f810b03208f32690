/** HTTP/2 connections and streams that nothing moves on: each ends when its time is over, and is on record. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { fixedClock, limits } from '../../src/kernel/index.ts';
import {
  answer,
  answerData,
  answerHead,
  begin,
  type FrameUpstream,
  frameUpstream,
  requestOn,
} from './http2-frame-upstream.ts';
import {
  errorCodeOf,
  FLAG,
  FRAME,
  frame,
  type FramePeer,
  number32,
  settingsOf,
  headersOf,
  openFrames,
  requestLines,
} from './http2-frames.ts';
import { API, inWorld, turns, type World } from './world.ts';

const NO_ERROR = 0;
const CANCEL = 8;
const get = headersOf(1, requestLines());
const post = headersOf(1, requestLines({ method: 'POST' }), FLAG.endHeaders);

/** An upstream that answers a request, or does not, and a client in a time that the test makes go by. */
async function inTime(
  serve: (peer: FramePeer) => void,
  body: (given: {
    client: FramePeer;
    upstream: FrameUpstream;
    world: World;
    pass: (ms: number) => void;
  }) => Promise<void>,
): Promise<void> {
  const upstream = await frameUpstream(async (peer) => {
    begin(peer);
    await requestOn(peer, 1);
    serve(peer);
  });
  const clock = fixedClock(Date.now());
  await inWorld({ clock, upstreams: { [`${API}:443`]: upstream } }, async (world) => {
    const client = await openFrames(world);
    await body({ client, upstream, world, pass: (ms) => clock.advance(ms) });
    client.close();
  });
}

describe('what takes too long', () => {
  it('a connection without a request: it is told, and ended', async () => {
    await inTime(
      (peer) => peer.send(...answer(1, 'served')),
      async ({ client, pass }) => {
        client.send(get);
        expect(await client.bodyOf(1)).toBe('served');
        pass(limits.egressIdleTimeoutMs);
        expect(errorCodeOf(await client.first(({ type }) => type === FRAME.goaway))).toBe(NO_ERROR);
        await client.closed;
      },
    );
  });

  it('a connection on which nothing was ever asked', async () => {
    await inTime(
      () => undefined,
      async ({ client, pass }) => {
        pass(limits.egressIdleTimeoutMs);
        await client.closed;
        expect(client.frames.some(({ type }) => type === FRAME.goaway)).toBe(true);
      },
    );
  });

  it('a connection to an upstream that nothing is on', async () => {
    await inTime(
      (peer) => peer.send(...answer(1, 'served')),
      async ({ client, upstream, pass }) => {
        client.send(get);
        await client.bodyOf(1);
        pass(limits.upstreamIdleTimeoutMs);
        await upstream.peers[0]?.closed;
        expect(upstream.peers).toHaveLength(1);
      },
    );
  });

  it('a body that does not come, whether it is waited for or streams: refused, and never complete upstream', async () => {
    for (const length of ['content-length', 'x-other']) {
      await inTime(
        () => undefined,
        async ({ client, upstream, world, pass }) => {
          client.send(
            headersOf(1, [...requestLines({ method: 'POST' }), [length, '9']], FLAG.endHeaders),
            frame(FRAME.data, 0, 1, Buffer.from('half')),
          );
          if (length === 'x-other') while (upstream.peers.length === 0) await turns(1);
          else await turns();
          pass(limits.egressBodyIdleTimeoutMs);
          expect(await client.bodyOf(1)).toContain('egress_request_timeout');
          for (const peer of upstream.peers) {
            await peer.first(({ type }) => type === FRAME.reset);
            expect(
              peer.frames.some(({ type, flags }) => type === FRAME.data && flags === FLAG.endStream),
            ).toBe(false);
          }
          await world.eventsOf('egress.refused');
        },
      );
    }
  });

  it('an answer that does not begin', async () => {
    await inTime(
      () => undefined,
      async ({ client, upstream, world, pass }) => {
        client.send(get);
        while (upstream.peers.length === 0) await turns(1);
        await requestOn(upstream.peers[0] ?? client, 1);
        pass(limits.upstreamHeadTimeoutMs);
        expect(await client.bodyOf(1)).toContain('egress_timeout');
        expect(await upstream.peers[0]?.first(({ type }) => type === FRAME.reset)).toBeDefined();
        expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({ code: 'egress_timeout' });
      },
    );
  });

  it('an answer that does not go on: cut, not ended', async () => {
    await inTime(
      (peer) => peer.send(answerHead(1), answerData(1, 'half\n\n', 0)),
      async ({ client, world, pass }) => {
        client.send(get);
        await client.first(({ type }) => type === FRAME.data);
        pass(limits.egressBodyIdleTimeoutMs);
        expect(await client.first(({ type }) => type === FRAME.reset)).toBeDefined();
        expect(client.frames.some(({ type, flags }) => type === FRAME.data && flags === FLAG.endStream)).toBe(
          false,
        );
        expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({ code: 'egress_timeout' });
      },
    );
  });

  it('the end of an answer: not as long as it is read, however slowly', async () => {
    const upstream = await frameUpstream(async (peer) => {
      begin(peer);
      await requestOn(peer, 1);
      peer.send(...answer(1, 'served'));
    });
    const clock = fixedClock(Date.now());
    await inWorld({ clock, upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const client = await openFrames(world, API, settingsOf([4, 1])); // SETTINGS_INITIAL_WINDOW_SIZE
      client.send(get);
      for (let read = 1; read < 'served'.length; read += 1) {
        await client.first(() => client.frames.filter(({ type }) => type === FRAME.data).length === read);
        const other = connect(await world.placeOf(API, 443));
        await once(other, 'connect');
        await turns();
        clock.advance(limits.egressHeadTimeoutMs);
        await once(other, 'close'); // looked at behind the client's
        expect(client.frames.some(({ type }) => type === FRAME.reset)).toBe(false);
        if (read < 3) client.send(frame(FRAME.windowUpdate, 0, 1, number32(1)));
        else break;
      }
      clock.advance(limits.egressBodyIdleTimeoutMs);
      expect(errorCodeOf(await client.first(({ type }) => type === FRAME.reset))).toBe(CANCEL);
      client.close();
    });
  });

  it('a request whose rest nobody needs', async () => {
    await inTime(
      (peer) => peer.send(...answer(1, 'enough')),
      async ({ client, pass }) => {
        client.send(post, frame(FRAME.data, 0, 1, Buffer.from('half')));
        expect(await client.bodyOf(1)).toBe('enough');
        pass(limits.egressHeadTimeoutMs);
        expect(errorCodeOf(await client.first(({ type }) => type === FRAME.reset))).toBe(CANCEL);
      },
    );
  });
});
