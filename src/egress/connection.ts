/** A connection that was accepted: where it wanted to go, as the kernel or the proxy knows it, and whoever handles it. */
import type { SecureContext } from 'node:tls';
import type { Dialer } from './upstream/dial.ts';
import type { ExchangeHost } from './exchange.ts';
import type { HandshakeGate } from './handshake-gate.ts';

/** Where a connection wanted to go. Decided before its first byte was read, and never by the protocol spoken on it. */
export interface Place {
  /** Port that was connected to. */
  readonly port: number;
  /** Address that was connected to; `proxy` where the name was given to the explicit proxy. */
  readonly address: string;
  /** Names that stand behind the address; undefined when it was never given out for any. */
  readonly names: ReadonlySet<string> | undefined;
  /** Whether it came through a tunnel of the explicit proxy, in which nothing but TLS is spoken. */
  readonly tunnelled: boolean;
}

/** Whoever handles a connection. It goes on by itself; this is how it ends. */
export interface Conversation {
  /** Ends what takes too long. @param now monotonic milliseconds */
  sweep(now: number): void;
  /** Ends everything now: the cell is closed. */
  close(): void;
}

/** What a cell lends to each of its connections. */
export interface ConnectionHost extends ExchangeHost {
  readonly dialer: Dialer;
  readonly handshakes: HandshakeGate;
  /** Those that are passed on unread; each takes itself out when it has ended. */
  readonly tunnels: Set<Conversation>;
  contextFor(name: string): SecureContext;
}
