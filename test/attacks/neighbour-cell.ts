/** Another cell of the same gateway: for whoever has to be left alone while somebody else does harm. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { CellEgress } from '../../src/egress/index.ts';
import { newId, systemRandom } from '../../src/kernel/index.ts';
import { API, bearer, type World } from '../egress/world.ts';

/** Where its listener for `API` is; closed by whoever asked for it. */
export interface NeighbourCell {
  readonly cell: CellEgress;
  readonly server: Server;
  readonly place: { readonly host: string; readonly port: number };
}

export async function neighbourCell(
  world: World,
  credentials: World['spec']['credentials'] = [
    bearer({ placeholder: 'ghp_NEIGHBOURxJ7kQ2mV9pR4sT6wY8zB1cD3fG5' }),
  ],
): Promise<NeighbourCell> {
  const identity = { ...world.spec.identity, cell: newId<'cell'>('cel', systemRandom) };
  const cell = await world.egress.openCell({ ...world.spec, identity, credentials });
  const [host = ''] = await world.resolver.resolve4(API); // the first name has the same address in every cell
  const server = createServer({ pauseOnConnect: true });
  cell.acceptTcp(443, server);
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { cell, server, place: { host, port } };
}

/** A client in it. */
export async function connectIn({ cell, place }: NeighbourCell): Promise<TLSSocket> {
  const socket = connectTls({ ...place, servername: API, ca: cell.caPem });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

/** One that keeps a connection, and asks on it. */
export class Neighbour {
  readonly #server: Server;
  readonly #socket: TLSSocket;

  private constructor(server: Server, socket: TLSSocket) {
    this.#server = server;
    this.#socket = socket;
  }

  static async of(world: World): Promise<Neighbour> {
    const neighbour = await neighbourCell(world);
    return new Neighbour(neighbour.server, await connectIn(neighbour));
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
