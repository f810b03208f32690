/**
 * Bodies in many small DATA frames, as streams of small messages have them (gRPC from Go, tokens of a model): what is
 * around them is less than what is in them, so they are no flood, however long they go on and however fast.
 */
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { answerHead, begin, frameUpstream, requestOn } from './http2-frame-upstream.ts';
import { FLAG, FRAME, type FramePeer, frame, headersOf, openFrames, requestLines } from './http2-frames.ts';
import { ask, connectHttp2 } from './http2-world.ts';
import { API, httpsUpstream, inWorld } from './world.ts';

const FRAME_HEAD_BYTES = 9;
const PAYLOAD = Buffer.alloc(20, 'a');
/** More of them than all that may be around bodies. */
const FRAMES = Math.ceil((1.2 * (limits.cellOverheadBytes + limits.http2OverheadBytes)) / FRAME_HEAD_BYTES);
const AT_ONCE = 500;
const CONNECTION_WINDOW = 65_535;

/** Sends them on stream 1 as fast as its windows let it. */
async function sendSmall(peer: FramePeer): Promise<void> {
  const pieces = Buffer.alloc(
    AT_ONCE * (FRAME_HEAD_BYTES + PAYLOAD.length),
    frame(FRAME.data, 0, 1, PAYLOAD),
  );
  const windows = new Map([
    [0, CONNECTION_WINDOW],
    [1, limits.http2WindowBytes],
  ]);
  for (let sent = 0; sent < FRAMES && !peer.socket.destroyed; sent += AT_ONCE) {
    for (;;) {
      for (const { type, stream, payload } of peer.frames.splice(0))
        if (type === FRAME.windowUpdate)
          windows.set(stream, (windows.get(stream) ?? 0) + payload.readUInt32BE());
      if ([...windows.values()].every((window) => window >= AT_ONCE * PAYLOAD.length)) break;
      await peer.first(({ type }) => type === FRAME.windowUpdate);
      if (peer.socket.destroyed) return;
    }
    for (const [stream, window] of windows) windows.set(stream, window - AT_ONCE * PAYLOAD.length);
    await peer.sent(pieces);
  }
  peer.send(frame(FRAME.data, FLAG.endStream, 1));
}

const bytes = Math.ceil(FRAMES / AT_ONCE) * AT_ONCE * PAYLOAD.length;

describe('a body in small frames of HTTP/2', () => {
  it('is taken from a client', async () => {
    let taken = 0;
    const upstream = await httpsUpstream((request, response) => {
      request
        .on('error', () => undefined)
        .on('data', (data: Buffer) => {
          taken += data.length;
        });
      request.on('end', () => response.end('all'));
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const peer = await openFrames(world);
      peer.send(headersOf(1, requestLines({ method: 'POST' }), FLAG.endHeaders));
      await sendSmall(peer);
      expect([await peer.bodyOf(1), taken]).toEqual(['all', bytes]);
      peer.close();
    });
  });

  it('is taken from an upstream', async () => {
    const upstream = await frameUpstream(async (peer) => {
      begin(peer);
      await requestOn(peer, 1);
      peer.send(answerHead(1));
      await sendSmall(peer);
    });
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const session = await connectHttp2(world);
      const reply = await ask(session, {});
      expect([reply.status, reply.body.length]).toEqual([200, bytes]);
      session.destroy();
    });
  });
});
