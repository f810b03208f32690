/** A database, as far as an opaque connection can tell: an upstream that gets the bare connection. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Upstream } from './world.ts';

export const DATABASE = 'db.test';
export const databaseRule = { host: DATABASE, port: 5432, protocol: 'tcp' } as const;

/** An upstream that gets the bare connection. */
export async function tcpUpstream(onSocket: (socket: Socket) => void): Promise<Upstream> {
  const connections: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.push(socket);
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    async close() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
