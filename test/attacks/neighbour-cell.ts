/** Another cell of the same gateway, which keeps one connection and asks on it while somebody else does harm. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { newId, systemRandom } from '../../src/kernel/index.ts';
import { API, bearer, type World } from '../egress/world.ts';

export class Neighbour {
  readonly #server: Server;
  readonly #socket: TLSSocket;

  private constructor(server: Server, socket: TLSSocket) {
    this.#server = server;
    this.#socket = socket;
  }

  static async of(world: World): Promise<Neighbour> {
    const cell = await world.egress.openCell({
      ...world.spec,
      identity: { ...world.spec.identity, cell: newId('cel', systemRandom) },
      credentials: [bearer({ placeholder: 'ghp_NEIGHBOURxJ7kQ2mV9pR4sT6wY8zB1cD3fG5' })],
    });
    const [host = ''] = await world.resolver.resolve4(API);
    const server = createServer({ pauseOnConnect: true });
    cell.acceptTcp(443, server);
    server.listen(0, host);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const socket = connectTls({ host, port, servername: API, ca: cell.caPem });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    return new Neighbour(server, socket);
  }

  /** A request on its connection. @returns the status */
  async ask(): Promise<number> {
    this.#socket.write(`GET /neighbour HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
    const [bytes] = (await once(this.#socket, 'data')) as [Buffer];
    return Number(bytes.toString('latin1').slice(9, 12));
  }

  close(): void {
    this.#socket.destroy();
    this.#server.close();
  }
}
