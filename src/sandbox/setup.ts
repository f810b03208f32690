/**
 * The program that runs inside a cell's new network namespace, before the server does: binds the listeners, hands
 * them to the gateway over the IPC channel, and goes away.
 *
 * Only the text of its one function gets there, because the cell's own user may not be able to read the folder that this file
 * is installed in: what it uses it finds by itself. It is half of what a cold start takes, so it is no module (whose loader
 * takes longer to start than all of this runs), and asks for no name to be looked up, its own addresses included.
 * It trusts its arguments (the gateway's) and runs nothing of the cell's.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server } from 'node:net';

/** What it tells the gateway, with the listener itself beside the first two. */
export type SetupNote =
  | { readonly tcp: number }
  | { readonly udp: number }
  | { readonly ready: true; readonly dualStack: boolean };

/** For Node's `--eval`; ports that get a listener besides 53 as arguments. */
export const setupText = `(${setUp.toString()})();`;

async function setUp(): Promise<void> {
  const { createSocket } = process.getBuiltinModule('node:dgram');
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const { createServer } = process.getBuiltinModule('node:net');

  /** On both protocols; on IPv4 where the kernel has no other. */
  const bindTcp = (port: number): Promise<Server> =>
    new Promise((resolve, reject) => {
      const server = createServer();
      // Without an address, since one would be looked up.
      server.once('error', reject).listen({ port, backlog: 511, exclusive: true }, () => resolve(server));
    });
  const isDual = (server: Server): boolean => {
    const address = server.address();
    return typeof address === 'object' && address?.family === 'IPv6';
  };
  const bindUdp = (port: number, dual: boolean): Promise<UdpSocket> =>
    new Promise((resolve, reject) => {
      const [type, address, family] = dual ? (['udp6', '::', 6] as const) : (['udp4', '0.0.0.0', 4] as const);
      const socket = createSocket({ type, lookup: (_name, _options, done) => done(null, address, family) });
      socket.once('error', reject).bind({ port, address, exclusive: true }, () => resolve(socket));
    });
  const give = (note: SetupNote, handle?: Server | UdpSocket): Promise<void> =>
    new Promise((resolve, reject) => {
      // Without a channel the gateway is gone, and there is nobody to work for.
      if (process.send === undefined) process.exit(1);
      process.send(note, handle, { keepOpen: false }, (error) =>
        error === null ? resolve() : reject(error),
      );
    });

  // Looking is needed: Node does not emit `disconnect` when the channel breaks while a handle is on its way.
  const lookMs = 20;
  setInterval(() => {
    if (!process.connected) process.exit(1);
  }, lookMs);

  const ports = [53, ...process.argv.slice(1).map(Number)];
  const servers = await Promise.all(ports.map(bindTcp));
  const dualStack = servers.every(isDual);
  const socket = await bindUdp(53, dualStack);
  await Promise.all([
    ...servers.map((server, index) => give({ tcp: ports[index] ?? 0 }, server)),
    give({ udp: 53 }, socket),
  ]);
  // From who makes the routes beside this: nothing but that they are there. Waits for it.
  if (readFileSync(0, 'latin1') !== 'routed\n') process.exit(1);
  await give({ ready: true, dualStack });
  process.exit(0);
}
