/**
 * The upstream connections of one cell: idle ones are kept per scheme, host and port, and never shared with
 * another cell, let alone another workspace. Everything that is open is known here and can be cut at once.
 */
import type { Socket } from 'node:net';
import { type Clock, limits } from '../kernel/index.ts';
import type { Destination, Dialer } from './dial.ts';
import { Http1Upstream } from './http1/upstream.ts';
import type { UpstreamConnection } from './message.ts';

interface Idle {
  readonly place: string;
  readonly connection: UpstreamConnection;
}

const placeOf = (to: Destination): string => `${to.scheme}://${to.host}:${to.port}`;

export class UpstreamPool {
  readonly #dialer: Dialer;
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  /** Most recently used last. */
  #idle: Idle[] = [];
  #closed = false;

  constructor(dialer: Dialer, clock: Clock) {
    this.#dialer = dialer;
    this.#clock = clock;
  }

  /** An idle connection; null when there is none. */
  take(to: Destination): UpstreamConnection | null {
    const place = placeOf(to);
    for (;;) {
      const at = this.#idle.findLastIndex((idle) => idle.place === place);
      const [idle] = at < 0 ? [] : this.#idle.splice(at, 1);
      if (idle === undefined) return null;
      if (idle.connection.usable) return idle.connection;
      idle.connection.destroy();
    }
  }

  /** A new connection. @param signal nobody wants it any more @throws Refusal `egress_upstream_*` */
  async open(to: Destination, signal: AbortSignal): Promise<UpstreamConnection> {
    const socket = await this.#dialer.dial(to, (opened) => this.#watch(opened), signal);
    return new Http1Upstream(socket, this.#clock, (connection) => this.#forget(connection));
  }

  /** Keeps a connection for the next request, if it can take one; too many, and the longest unused ones go. */
  give(to: Destination, connection: UpstreamConnection): void {
    const place = placeOf(to);
    if (this.#closed || !connection.usable) {
      connection.destroy();
      return;
    }
    this.#idle.push({ place, connection });
    const ofPlace = this.#idle.filter((idle) => idle.place === place);
    if (ofPlace.length > limits.upstreamIdleConnectionsMax) this.#drop(ofPlace[0]);
    else if (this.#idle.length > limits.upstreamIdleTotalMax) this.#drop(this.#idle[0]);
  }

  /** Ends connections that have been idle for too long. @param now monotonic milliseconds */
  sweep(now: number): void {
    const stale = this.#idle.filter(
      ({ connection }) => now - connection.lastActive >= limits.upstreamIdleTimeoutMs,
    );
    for (const idle of stale) this.#drop(idle);
  }

  /** Cuts everything, connections that are being made included. */
  close(): void {
    this.#closed = true;
    this.#idle = [];
    for (const socket of this.#sockets) socket.destroy();
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#closed) socket.destroy();
  }

  #drop(idle: Idle | undefined): void {
    if (idle === undefined) return;
    this.#forget(idle.connection);
    idle.connection.destroy();
  }

  #forget(connection: UpstreamConnection): void {
    const at = this.#idle.findIndex((idle) => idle.connection === connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}
