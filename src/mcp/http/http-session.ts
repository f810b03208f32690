/**
 * One session of Streamable HTTP (revisions before 2026-07-28): which response each message of it goes to. What was
 * sent on an event stream is kept for a client that comes back, also the answers that came while it was away.
 */
import { AppError, type Clock } from '../../kernel/index.ts';
import type { ClientChannel } from '../client/client-channel.ts';
import type { ClientSession } from '../client/client-session.ts';
import { type EventBudget, EventStore } from './event-store.ts';
import type { Endpoint } from '../front-contract.ts';
import type { HttpExchange, Outlet } from './http-exchange.ts';
import type { Principal } from '../ports/callers.ts';
import { failureText } from '../protocol/rpc-error.ts';
import { SessionStream } from './session-stream.ts';
import type { FrontResponse } from './http-message.ts';

export interface HttpSessionDeps {
  readonly clock: Clock;
  start(principal: Principal, endpoint: Endpoint, channel: ClientChannel): ClientSession;
}

/** The first revision whose clients take an event without data for what it is. */
const PRIMED_SINCE = '2025-11-25';

export const sameCaller = (a: Principal, b: Principal): boolean =>
  a.workspace === b.workspace &&
  a.actor.kind === b.actor.kind &&
  a.actor.id === b.actor.id &&
  a.profile === b.profile;

export class HttpSession {
  readonly id: string;
  readonly principal: Principal;
  readonly endpoint: Endpoint;
  readonly client: ClientSession;
  readonly budget: EventBudget;
  readonly #store: EventStore;
  readonly #exchanges = new Map<string, HttpExchange>();
  /** The streams of POSTs that are not answered yet, by their key. */
  readonly #streams = new Map<number, SessionStream>();
  /** What belongs to no request; null until the client opened it. */
  #own: SessionStream | null = null;
  #version = '';
  #ended = false;
  readonly #onClose: (() => void)[] = [];
  /** Whether a token in an address was shown for it, at its beginning or later. */
  tokenInUrl = false;
  lastUsedMs: number;

  constructor(
    id: string,
    principal: Principal,
    endpoint: Endpoint,
    budget: EventBudget,
    deps: HttpSessionDeps,
  ) {
    this.id = id;
    this.principal = principal;
    this.endpoint = endpoint;
    this.budget = budget;
    this.#store = new EventStore(budget);
    this.lastUsedMs = deps.clock.monotonic();
    this.client = deps.start(principal, endpoint, {
      answer: (idText, text) => {
        this.lastUsedMs = deps.clock.monotonic();
        const exchange = this.#exchanges.get(idText);
        this.#exchanges.delete(idText);
        exchange?.answer(idText, text);
      },
      send: (text, related) => this.#send(text, related),
      // Clients of older revisions would take the stream for lost.
      pause: (idText, retryMs, again) => {
        if (this.#primed) this.#exchanges.get(idText)?.pause(retryMs, again);
      },
      reachable: () => this.#own?.connected === true || this.#anyExchange() !== null,
    });
  }

  get unused(): boolean {
    return this.#own?.connected !== true && this.#exchanges.size === 0;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#ended ? {} : { 'mcp-session-id': this.id };
  }

  belongsTo(principal: Principal, endpoint: Endpoint): boolean {
    const sameEndpoint =
      this.endpoint.profile === endpoint.profile && this.endpoint.server === endpoint.server;
    return sameEndpoint && sameCaller(this.principal, principal);
  }

  onClose(listener: () => void): void {
    this.#onClose.push(listener);
  }

  /** The revision that the handshake ended with. */
  speaks(version: string): void {
    this.#version = version;
  }

  /**
   * Whether one of these requests is waiting for its answer already, or two of them have one id. One whose response is gone waits
   * too: its answer is not that to another.
   */
  awaits(idTexts: readonly string[]): boolean {
    const isAwaited = (idText: string): boolean => this.#exchanges.has(idText) || this.client.isAsked(idText);
    return new Set(idTexts).size < idTexts.length || idTexts.some(isAwaited);
  }

  expect(idTexts: readonly string[], exchange: HttpExchange): void {
    for (const idText of idTexts) this.#exchanges.set(idText, exchange);
  }

  /** The response of these requests is gone. Where it was a stream, their answers wait for the client to come back. */
  left(idTexts: readonly string[], exchange: HttpExchange): void {
    if (exchange.streaming && !this.#ended) return;
    for (const idText of idTexts)
      if (this.#exchanges.get(idText) === exchange) this.#exchanges.delete(idText);
  }

  /** A POST's response becomes a stream. */
  openStream(res: FrontResponse): Outlet {
    const stream = new SessionStream(this.#store);
    this.#streams.set(stream.key, stream);
    stream.connect(res, this.headers, this.#primed);
    return {
      get connected() {
        return stream.connected;
      },
      send: (text) => stream.send(text),
      pause: (retryMs, again) => stream.pause(retryMs, again),
      end: () => {
        this.#streams.delete(stream.key);
        stream.end();
      },
    };
  }

  /** The GET stream. A second one takes over from the first. */
  openOwnStream(res: FrontResponse): void {
    this.#own ??= new SessionStream(this.#store);
    this.#own.connect(res, this.headers, this.#primed);
    this.client.isBack();
  }

  /**
   * Goes on with a stream after the last event that the client has seen, whatever it was begun by.
   *
   * @throws AppError `mcp_event_unknown`
   */
  resume(lastEventId: string, res: FrontResponse): void {
    const found = this.#store.after(lastEventId);
    if (found === null) {
      throw new AppError('mcp_event_unknown', 'What came after this event is not kept, or never was.', {
        kind: 'invalid',
        hint: 'Open the stream without Last-Event-ID, and ask again for what is missing.',
      });
    }
    const { key } = found.stream;
    const open = this.#own?.key === key ? this.#own : this.#streams.get(key);
    const stream = open ?? new SessionStream(this.#store, found.stream);
    stream.connect(res, this.headers, this.#primed, found.events);
    this.client.isBack();
  }

  /** @param error why, where the client should know: its requests in flight are answered with it */
  close(error?: AppError): void {
    this.#ended = true;
    for (const listener of this.#onClose) listener();
    this.client.close(error);
    if (error !== undefined)
      for (const [idText, exchange] of this.#exchanges) exchange.answer(idText, failureText(idText, error));
    for (const exchange of new Set(this.#exchanges.values())) exchange.end();
    this.#exchanges.clear();
    this.#own?.end();
    this.#own = null;
    this.#store.clear();
  }

  get #primed(): boolean {
    return this.#version >= PRIMED_SINCE;
  }

  #send(text: string, related: string | null): void {
    const exchange = related === null ? undefined : this.#exchanges.get(related);
    if (exchange?.canStream === true) exchange.send(text);
    else if (this.#own?.connected === true) this.#own.send(text);
    else {
      const other = this.#anyExchange();
      // Nobody is there: kept for whoever comes back, if anybody knows where it left.
      if (other === null) this.#own?.send(text);
      else other.send(text);
    }
  }

  /** One that reaches the client now. */
  #anyExchange(): HttpExchange | null {
    for (const exchange of this.#exchanges.values()) if (exchange.connected) return exchange;
    return null;
  }
}
