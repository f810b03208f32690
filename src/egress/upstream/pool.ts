/**
 * What one cell has of its workspace's upstream connections. Cutting the cell cuts what is lent to it and what is
 * being made for it, and nothing of the others'.
 *
 * Some logins hold for a connection (NTLM, Negotiate): whoever sends on it is taken for who logged in. A request
 * that begins one gets a connection of its own, which from then on carries requests of the same client
 * connection only, and ends when that has not used it for a while. Nobody else ever gets it.
 */
import { type Clock, limits, type WorkspaceId } from '../../kernel/index.ts';
import type { Fields } from '../../wire/index.ts';
import type { Destination, Dialer } from './dial.ts';
import { Http1Upstream } from '../http1/upstream.ts';
import { Http2Upstream } from '../http2/upstream.ts';
import type { UpstreamConnection } from '../message.ts';
import { keyOf, type UpstreamCodecs, UpstreamPlaces } from './places.ts';
import { UpstreamShare } from './share.ts';

/** What a connection is wanted for. */
export interface UpstreamUse {
  /** The client connection that the request came on: an object that stands for it. */
  readonly client: object;
  /** Whether the request logs in for the connection: see `logsInConnection`. */
  readonly login: boolean;
  /** Whether HTTP may end on it: it is made for this request, over HTTP/1.1, and nobody gets it afterwards. */
  readonly upgrade?: boolean;
}

const CONNECTION_LOGIN = /^(?:ntlm|negotiate|kerberos|nego2)(?:\s|$)/i;

/** Whether a request, as it is sent, logs in for all that follows on its connection (RFC 4559, MS-NTHT). */
export function logsInConnection(fields: Fields): boolean {
  for (
    let at = fields.keys.indexOf('authorization');
    at >= 0;
    at = fields.keys.indexOf('authorization', at + 1)
  ) {
    if (CONNECTION_LOGIN.test(fields.values[at] ?? '')) return true;
  }
  return false;
}

interface Login {
  readonly client: object;
  readonly key: string;
  readonly connection: UpstreamConnection;
}

export class UpstreamPool {
  readonly share = new UpstreamShare();
  readonly #places: UpstreamPlaces;
  readonly #onClose: () => void;
  readonly #closing = new AbortController();
  /** Idle connections that a client has logged in on, the longest unused first. */
  #logins: Login[] = [];
  /** Those that are in use, with the place that they lead to. */
  readonly #loggedIn = new Map<UpstreamConnection, string>();

  /** @param onClose nobody uses `places` through this any more */
  constructor(places: UpstreamPlaces, onClose: () => void) {
    this.#places = places;
    this.#onClose = onClose;
  }

  /** A connection that is there; null when there is none. */
  take(to: Destination, use: UpstreamUse): UpstreamConnection | null {
    if (use.upgrade === true) return null;
    const own = this.#logins.length === 0 ? null : this.#takeLogin(keyOf(to), use.client);
    if (own !== null || use.login) return own;
    return this.#places.take(to, this);
  }

  /**
   * A connection for a request that found none.
   *
   * @param signal nobody wants it any more
   * @throws Refusal `egress_upstream_*`, `egress_upstreams_limit`
   */
  async open(to: Destination, use: UpstreamUse, signal: AbortSignal): Promise<UpstreamConnection> {
    const wanted = AbortSignal.any([signal, this.#closing.signal]);
    const isAlone = use.login || use.upgrade === true;
    const hasWaited = await this.share.enter(wanted);
    let connection: UpstreamConnection;
    try {
      const returned = hasWaited && !isAlone ? this.#places.take(to, this, true) : null;
      connection = returned ?? (await this.#places.open(to, this, wanted, isAlone));
    } finally {
      this.share.remove(); // what came of it is counted by itself
    }
    if (use.login && use.upgrade !== true) this.#loggedIn.set(connection, keyOf(to));
    return connection;
  }

  /** Gives back what `take` or `open` gave, when the answer has ended: it is kept for the next request if it can take one. */
  give(connection: UpstreamConnection, use: UpstreamUse): void {
    if (use.upgrade === true) {
      connection.destroy();
      return;
    }
    const key = this.#loggedIn.size === 0 ? undefined : this.#loggedIn.get(connection);
    if (key === undefined) {
      this.#places.give(connection);
      return;
    }
    this.#loggedIn.delete(connection);
    this.#logins.push({ client: use.client, key, connection });
    if (this.#logins.length > limits.cellLoginConnectionsMax) this.#drop(this.#logins.shift());
  }

  /** @param now monotonic milliseconds */
  sweep(now: number): void {
    for (const connection of this.#loggedIn.keys()) if (!connection.usable) this.#loggedIn.delete(connection);
    const isOver = ({ connection }: Login): boolean =>
      !connection.usable || now - connection.lastActive >= limits.egressIdleTimeoutMs;
    for (const login of this.#logins.filter(isOver)) this.#drop(login);
    this.#logins = this.#logins.filter((login) => !isOver(login));
  }

  /** Cuts connections that clients have logged in on and that wait for their next request. */
  dropLogins(): void {
    for (const login of this.#logins.splice(0)) this.#drop(login);
  }

  /** Cuts what the cell uses, and what is being made for it. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#places.cut(this); // what clients have logged in on is still lent to this
    this.#logins = [];
    this.#onClose();
  }

  #takeLogin(key: string, client: object): UpstreamConnection | null {
    for (;;) {
      const at = this.#logins.findLastIndex((login) => login.client === client && login.key === key);
      const [login] = at < 0 ? [] : this.#logins.splice(at, 1);
      if (login === undefined) return null;
      if (login.connection.usable) {
        this.#loggedIn.set(login.connection, key);
        return login.connection;
      }
      this.#drop(login);
    }
  }

  #drop(login: Login | undefined): void {
    login?.connection.destroy();
  }
}

/** What every upstream is spoken to with. */
const CODECS: UpstreamCodecs = {
  h1: (socket, clock) => new Http1Upstream(socket, clock),
  h2: (socket, clock) => new Http2Upstream(socket, clock),
};

interface Shared {
  readonly places: UpstreamPlaces;
  pools: number;
}

/** All upstream connections there are: one set per workspace, for as long as it has cells. */
export class UpstreamPools {
  readonly #dialer: Dialer;
  readonly #clock: Clock;
  readonly #codecs: UpstreamCodecs;
  readonly #shared = new Map<WorkspaceId, Shared>();

  /** @param codecs other ones, for tests */
  constructor(dialer: Dialer, clock: Clock, codecs: UpstreamCodecs = CODECS) {
    this.#dialer = dialer;
    this.#clock = clock;
    this.#codecs = codecs;
  }

  /** For a cell of a workspace. It must be closed. */
  join(workspace: WorkspaceId): UpstreamPool {
    const shared = this.#shared.get(workspace) ?? { places: this.#places(workspace), pools: 0 };
    this.#shared.set(workspace, shared);
    shared.pools += 1;
    return new UpstreamPool(shared.places, () => {
      shared.pools -= 1;
      if (shared.pools > 0) return;
      this.#shared.delete(workspace);
      shared.places.close();
    });
  }

  /** With connections, and TLS sessions, that nothing else has. It must be closed. */
  apart(scope: string): UpstreamPool {
    const places = this.#places(scope);
    return new UpstreamPool(places, () => places.close());
  }

  /** @param now monotonic milliseconds @param idleMs how long what nobody uses is kept */
  sweep(now: number, idleMs: number = limits.upstreamIdleTimeoutMs): void {
    for (const { places } of this.#shared.values()) places.sweep(now, idleMs);
  }

  #places(scope: string): UpstreamPlaces {
    return new UpstreamPlaces({ dialer: this.#dialer, clock: this.#clock, codecs: this.#codecs, scope });
  }
}
