import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { API, bearer, inWorld, PLACEHOLDER, TOKEN } from './world.ts';
import { wsProgram, wsUpstream } from './websocket-world.ts';

describe('a WebSocket', () => {
  it('opens with the key in its handshake, and carries messages both ways', async () => {
    const upstream = await wsUpstream((socket) =>
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
    );
    await inWorld({ upstreams: { [`${API}:443`]: upstream } }, async (world) => {
      const program = await wsProgram(world, { headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
      program.socket.send('hello');
      program.socket.send(Buffer.from([0, 1, 2]));
      expect(await program.received(2)).toEqual(['hello', '\0\x01\x02']);
      expect(upstream.handshakes[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
      program.socket.close(1000, 'done');
      expect(await program.closed).toEqual({ code: 1000, reason: 'done' });
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({
        status: 101,
        credentials: ['TOKEN'],
        webSocket: { sent: 2, received: 2, closeCode: 1000, closedBy: 'client' },
      });
    });
  });
});
