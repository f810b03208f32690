/**
 * The upstream connections of one workspace, by the place that they lead to: scheme, host and port. (All have the same
 * TLS settings; ones that come to differ, such as a client certificate, belong into `keyOf`.) A connection that
 * carries one request at a time is lent to a cell and comes back; one that carries several is used by all cells at
 * once. Never is one used for another host, whatever names its certificate has (ATTACKS 10), nor by another workspace.
 */
import type { Socket } from 'node:net';
import { type Clock, limits } from '../../kernel/index.ts';
import type { Destination, Dialer } from './dial.ts';
import { DialLine } from './dial-line.ts';
import type { Protocol } from './dial-tls.ts';
import type { UpstreamConnection } from '../message.ts';
import { Refusal } from '../refusals.ts';
import type { UpstreamShare } from './share.ts';

/** A connection that carries several requests at a time. `usable` says whether there is room for one more. */
export interface MultiplexedUpstream extends UpstreamConnection {
  /** Requests that are on it now. */
  readonly inUse: number;
}

/** What speaks on a connected socket, by protocol. What is missing is not offered to upstreams. */
export interface UpstreamCodecs {
  readonly h1: (socket: Socket, clock: Clock) => UpstreamConnection;
  readonly h2?: (socket: Socket, clock: Clock) => MultiplexedUpstream;
}

/** Whom a connection is lent to. */
export interface Borrower {
  /** What it may have in use: connections for one request at a time, which nobody else can use meanwhile. */
  readonly share: Pick<UpstreamShare, 'isFull' | 'add' | 'remove'>;
}

/** What a connection is made for. */
interface Wanted {
  readonly to: Destination;
  readonly place: Place;
  readonly borrower: Borrower;
  /** Nobody wants it any more. */
  readonly signal: AbortSignal;
}

interface Held {
  readonly place: Place;
  readonly connection: UpstreamConnection;
  /** Null while nobody has it. */
  borrower: Borrower | null;
}

interface Place {
  /** Connections for one request at a time, most recently used last. */
  readonly idle: Held[];
  readonly multiplexed: MultiplexedUpstream[];
  /** What was spoken there last; null when that is not known. */
  speaks: Protocol | null;
  /** While somebody finds out, or makes a connection that others can use too. */
  opening: Promise<void> | null;
  /** For connections that nobody else can use. */
  readonly line: DialLine<Borrower, UpstreamConnection>;
  /** No longer among the places: what comes back to it is not kept. */
  forgotten: boolean;
}

const ONE_AT_A_TIME: readonly Protocol[] = ['http/1.1'];
const BOTH: readonly Protocol[] = ['h2', 'http/1.1'];
const noop = (): void => undefined;

export const keyOf = (to: Destination): string => `${to.scheme}://${to.host}:${to.port}`;

export interface PlacesDeps {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly codecs: UpstreamCodecs;
  /** Names the workspace: TLS sessions are resumed within it only. */
  readonly scope: string;
}

export class UpstreamPlaces {
  readonly #deps: PlacesDeps;
  /** Least recently dialled first. */
  readonly #places = new Map<string, Place>();
  /** Every connection for one request at a time, lent or idle. */
  readonly #held = new Map<UpstreamConnection, Held>();
  #idleCount = 0;
  #closed = false;

  constructor(deps: PlacesDeps) {
    this.#deps = deps;
  }

  /**
   * A connection that is there; null when there is none.
   *
   * @param entered it has its part of the borrower's share already
   */
  take(to: Destination, borrower: Borrower, entered = false): UpstreamConnection | null {
    const place = this.#places.get(keyOf(to));
    if (place === undefined) return null;
    for (;;) {
      const held = borrower.share.isFull && !entered ? undefined : place.idle.pop();
      if (held === undefined) return roomIn(place);
      this.#idleCount -= 1;
      if (held.connection.usable) {
        lend(held, borrower);
        return held.connection;
      }
      held.connection.destroy();
    }
  }

  /**
   * A connection for a request that found none. Where several requests can share one, or it is not known whether they
   * can, only one connection is made at a time and the others wait for it; otherwise some are (`dial-line.ts`).
   *
   * @param exclusive it must be for one request at a time, and new
   * @throws Refusal `egress_upstream_*`
   */
  async open(
    to: Destination,
    borrower: Borrower,
    signal: AbortSignal,
    exclusive: boolean,
  ): Promise<UpstreamConnection> {
    const place = this.#placeOf(to);
    const wanted: Wanted = { to, place, borrower, signal };
    if (exclusive) return this.#dial(wanted, ONE_AT_A_TIME);
    if (to.scheme === 'http' || this.#deps.codecs.h2 === undefined) {
      return this.#dialInTurn(wanted, ONE_AT_A_TIME);
    }
    while (place.opening !== null && place.speaks !== 'http/1.1') {
      await untilAborted(place.opening, signal);
      const shared = roomIn(place);
      if (shared !== null) return shared;
    }
    if (place.speaks === 'http/1.1') return this.#dialInTurn(wanted, BOTH);
    const dialled = this.#dial(wanted, BOTH);
    /* When whoever dials gives up, that says nothing to the others; a failure does. */
    const opening = dialled.then(noop, (error: unknown) => {
      if (!signal.aborted) throw error;
    });
    opening.catch(noop);
    place.opening = opening;
    try {
      return await dialled;
    } finally {
      if (place.opening === opening) place.opening = null;
    }
  }

  /** Takes back what was lent, for the next request by anybody, if it can take one. */
  give(connection: UpstreamConnection): void {
    const held = this.#held.get(connection);
    if (held === undefined) return; // several use it, or it has ended
    takeBack(held);
    if (this.#closed || held.place.forgotten || !connection.usable) {
      connection.destroy();
      return;
    }
    const { idle, line } = held.place;
    const next = line.offer(connection);
    if (next !== null) {
      lend(held, next);
      return;
    }
    idle.push(held);
    this.#idleCount += 1;
    if (idle.length > limits.upstreamIdleConnectionsMax) this.#dropOldest(held.place);
    else if (this.#idleCount > limits.upstreamIdleTotalMax) this.#dropOldest(this.#longestUnused());
  }

  /** Cuts what is lent to one borrower. */
  cut(borrower: Borrower): void {
    for (const held of this.#held.values()) if (held.borrower === borrower) held.connection.destroy();
  }

  /** Ends connections that nothing has been on for too long. @param now monotonic milliseconds @param idleMs what is too long */
  sweep(now: number, idleMs: number): void {
    const isStale = ({ lastActive }: UpstreamConnection): boolean => now - lastActive >= idleMs;
    for (const place of this.#places.values()) {
      while (place.idle[0] !== undefined && isStale(place.idle[0].connection)) this.#dropOldest(place);
      for (const connection of place.multiplexed) {
        if (connection.inUse === 0 && (!connection.usable || isStale(connection))) connection.destroy();
      }
    }
  }

  /** Cuts everything. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#held.keys()) connection.destroy();
    for (const place of this.#places.values())
      for (const connection of place.multiplexed) connection.destroy();
  }

  /** When it is its turn, unless a connection comes back before. */
  async #dialInTurn(wanted: Wanted, protocols: readonly Protocol[]): Promise<UpstreamConnection> {
    const { to, place, borrower, signal } = wanted;
    const { host, port } = to;
    const late = (): Refusal => Refusal.of('egress_upstream_unreachable', { host, port, reason: 'busy' });
    const { line } = place;
    const returned =
      (line.isFull ? this.take(to, borrower, true) : null) ?? (await line.enter(borrower, signal, late));
    if (returned !== null) return returned;
    try {
      return await this.#dial(wanted, protocols);
    } finally {
      line.leave();
    }
  }

  async #dial(
    { to, place, borrower, signal }: Wanted,
    protocols: readonly Protocol[],
  ): Promise<UpstreamConnection> {
    const { dialer, clock, codecs, scope } = this.#deps;
    const { socket, protocol } = await dialer.dial(to, { scope, protocols, signal });
    if (protocols === BOTH) place.speaks = protocol;
    const connection =
      protocol === 'h2' && codecs.h2 !== undefined
        ? this.#holdMultiplexed(place, socket, codecs.h2(socket, clock))
        : this.#hold(place, socket, codecs.h1(socket, clock), borrower);
    if (this.#closed) connection.destroy();
    if (socket.isPaused()) socket.resume();
    return connection;
  }

  #hold(
    place: Place,
    socket: Socket,
    connection: UpstreamConnection,
    borrower: Borrower,
  ): UpstreamConnection {
    const held: Held = { place, connection, borrower: null };
    lend(held, borrower);
    this.#held.set(connection, held);
    socket.once('close', () => {
      this.#held.delete(connection);
      takeBack(held);
      const at = place.idle.indexOf(held);
      if (at < 0) return;
      place.idle.splice(at, 1);
      this.#idleCount -= 1;
    });
    return connection;
  }

  #holdMultiplexed(place: Place, socket: Socket, connection: MultiplexedUpstream): UpstreamConnection {
    place.multiplexed.push(connection);
    socket.once('close', () => void place.multiplexed.splice(place.multiplexed.indexOf(connection), 1));
    return connection;
  }

  #placeOf(to: Destination): Place {
    const key = keyOf(to);
    const place = this.#places.get(key) ?? {
      idle: [],
      multiplexed: [],
      speaks: null,
      opening: null,
      line: new DialLine(),
      forgotten: false,
    };
    this.#places.delete(key);
    this.#places.set(key, place);
    if (this.#places.size > limits.upstreamPlacesMax) this.#forgetPlace(place);
    return place;
  }

  /** Forgets a place that nothing is open to: all that is lost is what was spoken there. */
  #forgetPlace(except: Place): void {
    for (const [key, place] of this.#places) {
      const isEmpty =
        place.idle.length === 0 &&
        place.multiplexed.length === 0 &&
        place.opening === null &&
        place.line.dialling === 0;
      if (place !== except && isEmpty) {
        this.#places.delete(key);
        place.forgotten = true;
        return;
      }
    }
  }

  #longestUnused(): Place | undefined {
    let oldest: Place | undefined;
    let since = Infinity;
    for (const place of this.#places.values()) {
      const lastActive = place.idle[0]?.connection.lastActive ?? Infinity;
      if (lastActive < since) [oldest, since] = [place, lastActive];
    }
    return oldest;
  }

  #dropOldest(place: Place | undefined): void {
    const held = place?.idle.shift();
    if (held === undefined) return;
    this.#idleCount -= 1;
    held.connection.destroy();
  }
}

function lend(held: Held, borrower: Borrower): void {
  held.borrower = borrower;
  borrower.share.add();
}

function takeBack(held: Held): void {
  held.borrower?.share.remove();
  held.borrower = null;
}

const roomIn = (place: Place): UpstreamConnection | null =>
  place.multiplexed.findLast((connection) => connection.usable) ?? null;

/** Waits for something, unless nobody wants it any more. */
async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
