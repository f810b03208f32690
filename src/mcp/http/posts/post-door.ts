/**
 * In front of Node's own server: takes each connection first, and leaves to the server what it does not read itself.
 * What the server is set to (time limits, what it answers to bad requests) holds for everything that is left to it.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../../kernel/index.ts';
import type { HttpVisit } from '../http-message.ts';
import { PostConnection } from './post-connection.ts';

export interface PostDoorDeps {
  serve(visit: HttpVisit): void;
  readonly clock: Clock;
}

export class PostDoor {
  readonly #deps: PostDoorDeps;
  /** Connections that were not handed over. */
  readonly #sockets = new Set<Socket>();
  #dateOf = Number.NaN;
  #date = '';

  constructor(deps: PostDoorDeps) {
    this.#deps = deps;
  }

  /** Before the server listens; nobody else may have taken its connections. */
  take(server: Server): void {
    const adopters = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      const forget = (): void => void this.#sockets.delete(socket);
      socket.once('close', forget);
      const connection = new PostConnection(socket, {
        serve: (visit) => this.#deps.serve(visit),
        date: () => this.#dateLine(),
        handOver: () => {
          socket.off('close', forget);
          forget();
          for (const adopt of adopters) Reflect.apply(adopt, server, [socket]);
        },
      });
      connection.listen();
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #dateLine(): string {
    const second = Math.floor(this.#deps.clock.now() / 1_000);
    if (second !== this.#dateOf) {
      this.#dateOf = second;
      this.#date = `Date: ${new Date(second * 1_000).toUTCString()}\r\n`;
    }
    return this.#date;
  }
}
