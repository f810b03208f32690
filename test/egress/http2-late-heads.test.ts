/**
 * Node tells of a stream, and of an answer's head, in a next tick. Where it reads in the middle of a write, the body is there
 * before that: neither may be lost, nor be taken for a body without a head.
 */
import { expect, it } from 'vitest';
import { ask, connectHttp2, http2Upstream } from './http2-world.ts';
import { API, inWorld } from './world.ts';

const CONNECTIONS = 24;
const STREAMS = 12;
const BODY = Buffer.alloc(300_000, 'x');

it('bodies that come with their heads while much is being written, both ways', async () => {
  const upstream = await http2Upstream((stream) => {
    let bytes = 0;
    stream.on('data', (data: Buffer) => {
      bytes += data.length;
    });
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'x-bytes': String(bytes) });
      stream.end(BODY);
    });
  });
  await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
    const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectHttp2(world)));
    const replies = await Promise.all(
      sessions.flatMap((session) =>
        Array.from({ length: STREAMS }, () => ask(session, { ':method': 'POST' }, BODY)),
      ),
    );
    for (const { status, headers, body } of replies)
      expect([status, headers['x-bytes'], body.length]).toEqual([200, String(BODY.length), BODY.length]);
    for (const session of sessions) session.close();
  });
});
