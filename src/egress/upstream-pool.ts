/**
 * The upstream connections of one cell: idle ones are kept per scheme, host and port, and never shared with
 * another cell, let alone another workspace. Everything that is open is known here and can be cut at once.
 */
import type { Socket } from 'node:net';
import { type Clock, limits } from '../kernel/index.ts';
import type { Destination, Dialer } from './dial.ts';
import { UpstreamConnection } from './upstream.ts';

const keyOf = (to: Destination): string => `${to.scheme}://${to.host}:${to.port}`;

export class UpstreamPool {
  readonly #dialer: Dialer;
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  /** Most recently used last. */
  readonly #idle = new Map<string, UpstreamConnection[]>();
  #closed = false;

  constructor(dialer: Dialer, clock: Clock) {
    this.#dialer = dialer;
    this.#clock = clock;
  }

  /** An idle connection; null when there is none. */
  take(to: Destination): UpstreamConnection | null {
    const idle = this.#idle.get(keyOf(to));
    for (let connection = idle?.pop(); connection !== undefined; connection = idle?.pop()) {
      if (connection.usable) return connection;
      connection.destroy();
    }
    return null;
  }

  /** A new connection. @throws Refusal `egress_upstream_*` */
  async open(to: Destination): Promise<UpstreamConnection> {
    const socket = await this.#dialer.dial(to, (opened) => this.#watch(opened));
    return new UpstreamConnection(socket, this.#clock, (connection) => this.#forget(to, connection));
  }

  /** Keeps a connection for the next request, if it can take one. */
  give(to: Destination, connection: UpstreamConnection): void {
    const key = keyOf(to);
    const idle = this.#idle.get(key) ?? [];
    if (this.#closed || !connection.usable || idle.length >= limits.upstreamIdleConnectionsMax) {
      connection.destroy();
      return;
    }
    connection.resume();
    idle.push(connection);
    this.#idle.set(key, idle);
  }

  /** Ends connections that have been idle for too long. @param now monotonic milliseconds */
  sweep(now: number): void {
    for (const [key, idle] of this.#idle) {
      const kept = idle.filter((connection) => {
        if (now - connection.lastActive < limits.upstreamIdleTimeoutMs) return true;
        connection.destroy();
        return false;
      });
      if (kept.length === 0) this.#idle.delete(key);
      else this.#idle.set(key, kept);
    }
  }

  /** Cuts everything, connections that are being made included. */
  close(): void {
    this.#closed = true;
    this.#idle.clear();
    for (const socket of this.#sockets) socket.destroy();
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#closed) socket.destroy();
  }

  #forget(to: Destination, connection: UpstreamConnection): void {
    const idle = this.#idle.get(keyOf(to));
    const at = idle?.indexOf(connection) ?? -1;
    if (at >= 0) idle?.splice(at, 1);
  }
}
