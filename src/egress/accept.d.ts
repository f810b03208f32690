/**
 * A connection from a cell, from its first byte to the point where requests can be read from it. Which listener
 * accepted it says who is calling (G4); its local address says what name was looked up. The allowlist is asked
 * before a certificate is made, and who is refused then gets the TLS alert that says so.
 */
import type { Socket } from 'node:net';
import { type SecureContext } from 'node:tls';
import type { ExchangeHost } from './exchange.ts';
export interface AcceptHost extends ExchangeHost {
  namesAt(address: string): ReadonlySet<string> | undefined;
  contextFor(name: string): SecureContext;
}
/** Follows a connection; `sweep` ends it when it takes too long. */
export declare class Accepted {
  #private;
  /** @param port that was connected to, as the listener knows it */
  constructor(socket: Socket, port: number, host: AcceptHost);
  /** @param now monotonic milliseconds */
  sweep(now: number): void;
}
