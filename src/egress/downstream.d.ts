/**
 * One connection from a cell, after TLS: reads requests one after another and answers them in order. Bytes of a
 * request that nobody is ready for stay unread, and pause the socket; so do pipelined requests. After anything
 * that makes the place of the next request uncertain, the connection is closed.
 */
import type { Socket } from 'node:net';
import { type ExchangeClient, type ExchangeHost } from './exchange.ts';
import { type WireRefusal } from './refusals.ts';
import type { Arrival } from './request.ts';
export declare class Downstream implements ExchangeClient {
  #private;
  constructor(socket: Socket, host: ExchangeHost, arrival: Arrival);
  /** Ends what takes too long. @param now monotonic milliseconds */
  sweep(now: number): void;
  /** Bytes that were read before this object was there. */
  feed(bytes: Buffer): void;
  write(data: Buffer | string): boolean;
  cork(): void;
  uncork(): void;
  cut(): void;
  resumeInput(): void;
  answered(persist: boolean): void;
  refuse(refusal: WireRefusal, method: string): void;
}
