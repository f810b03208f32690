/**
 * The way of one request to its upstream: on a connection that is there or is made for it, once more where that one was
 * stale, and the connection's way back to the pool. It holds the request, with the credentials in it, as long as that
 * may have to be sent again, and no longer.
 */
import type { Destination } from './dial.ts';
import type {
  AnswerListener,
  OutgoingRequest,
  Reach,
  RequestStream,
  UpstreamConnection,
} from '../message.ts';
import type { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';
import { logsInConnection, type UpstreamPool, type UpstreamUse } from './pool.ts';

/** Whose request it is. */
export interface LegCarrier extends AnswerListener {
  /** Making a connection takes its time, and what the request was allowed for can be over by then. */
  judgeLate(): Refusal | null;
  /** The request is on its way; its body, where it has one that streams, may follow. */
  onSent(upstream: RequestStream): void;
}

const REPLAYABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

export class UpstreamLeg {
  /** The request on its connection, until it is answered. */
  stream: RequestStream | null = null;
  readonly #pool: UpstreamPool;
  readonly #request: EgressRequest;
  readonly #carrier: LegCarrier;
  #connection: UpstreamConnection | null = null;
  /** What is sent, while it may have to be sent again. */
  #message: OutgoingRequest | null = null;
  #hasRetried = false;
  /** The connection had carried others before. */
  #mayBeStale = false;
  /** While a connection is being made for this. */
  #dialing: AbortController | null = null;

  constructor(pool: UpstreamPool, request: EgressRequest, carrier: LegCarrier) {
    this.#pool = pool;
    this.#request = request;
    this.#carrier = carrier;
  }

  get destination(): Destination {
    return { scheme: this.#request.arrival.scheme, host: this.#request.host, port: this.#request.port };
  }

  /** @throws Refusal `egress_upstream_*`, or why it came too late */
  async send(message: OutgoingRequest): Promise<void> {
    this.#message = message;
    await this.#sendOn(this.#pool.take(this.destination, this.#use()));
  }

  /**
   * Once, where nothing was done with it, or where doing it twice is the same and the connection may have been stale
   * (RFC 9110 section 9.2.2).
   */
  mayRetry(reach: Reach): boolean {
    if (this.#message === null || this.#hasRetried || reach === 'answering') return false;
    if (this.#request.bodyMode === 'stream') return false; // what was passed on is gone
    return reach === 'unread' || (this.#mayBeStale && this.#isReplayable);
  }

  get #isReplayable(): boolean {
    return this.#request.methods.every((method) => REPLAYABLE.has(method));
  }

  /** Sends it again, on a new connection. @throws as `send` */
  async retry(): Promise<void> {
    this.#hasRetried = true;
    await this.#sendOn(null);
  }

  /** An answer has begun: it is not sent again. */
  begun(): void {
    this.#message = null;
  }

  /** The answer has ended: the connection may carry another request. */
  answered(): void {
    const connection = this.#connection;
    this.stream = this.#connection = null;
    if (connection !== null) this.#pool.give(connection, this.#use());
  }

  /** Nobody waits for an answer any more: nothing is sent from now on, and what was is left to whoever reads it. */
  stop(): void {
    this.#message = null;
    this.#dialing?.abort();
  }

  async #sendOn(pooled: UpstreamConnection | null): Promise<void> {
    const connection = pooled ?? (await this.#dial());
    const message = this.#message;
    const refused = pooled === null && message !== null ? this.#carrier.judgeLate() : null;
    if (message === null || refused !== null) {
      this.#pool.give(connection, this.#use());
      if (refused !== null) throw refused;
      return;
    }
    this.#connection = connection;
    this.#mayBeStale = connection.reused;
    if (!this.mayRetry(connection.declines ? 'unread' : 'silent')) this.#message = null;
    this.stream = connection.send(message, this.#carrier);
    this.#carrier.onSent(this.stream);
  }

  async #dial(): Promise<UpstreamConnection> {
    this.#dialing = new AbortController();
    try {
      return await this.#pool.open(this.destination, this.#use(), this.#dialing.signal);
    } finally {
      this.#dialing = null;
    }
  }

  /** What the connection is for. */
  #use(): UpstreamUse {
    const message = this.#message;
    const login = message !== null && logsInConnection(message.fields);
    return { client: this.#request.arrival, login, upgrade: this.#request.webSocket !== null };
  }
}
