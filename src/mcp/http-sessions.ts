/**
 * Sessions of Streamable HTTP (revisions before 2026-07-28): made by `initialize`, named by `Mcp-Session-Id`,
 * bound to the caller and the endpoint that they were made with, and ended by DELETE or by not being used.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, type Clock, limits, type Random } from '../kernel/index.ts';
import type { ClientChannel, ClientSession } from './client-session.ts';
import { EventStream } from './event-stream.ts';
import type { Endpoint } from './front-contract.ts';
import type { HttpExchange } from './http-exchange.ts';
import type { Principal } from './ports.ts';

export interface HttpSessionsDeps {
  readonly clock: Clock;
  readonly random: Random;
  start(principal: Principal, endpoint: Endpoint, channel: ClientChannel): ClientSession;
}

const ID_BYTES = 24;
const SWEEP_MS = 60_000;

const sameCaller = (a: Principal, b: Principal): boolean =>
  a.workspace === b.workspace &&
  a.actor.kind === b.actor.kind &&
  a.actor.id === b.actor.id &&
  a.profile === b.profile;

export class HttpSession {
  readonly id: string;
  readonly principal: Principal;
  readonly endpoint: Endpoint;
  readonly client: ClientSession;
  readonly #exchanges = new Map<string, HttpExchange>();
  #stream: EventStream | null = null;
  #ended = false;
  lastUsedMs: number;

  constructor(id: string, principal: Principal, endpoint: Endpoint, deps: HttpSessionsDeps) {
    this.id = id;
    this.principal = principal;
    this.endpoint = endpoint;
    this.lastUsedMs = deps.clock.monotonic();
    this.client = deps.start(principal, endpoint, {
      answer: (idText, text) => {
        this.lastUsedMs = deps.clock.monotonic();
        const exchange = this.#exchanges.get(idText);
        this.#exchanges.delete(idText);
        exchange?.answer(idText, text);
      },
      send: (text, related) => this.#send(text, related),
      reachable: () => this.#stream !== null || this.#anyExchange() !== null,
    });
  }

  get unused(): boolean {
    return this.#stream === null && this.#exchanges.size === 0;
  }

  belongsTo(principal: Principal, endpoint: Endpoint): boolean {
    const sameEndpoint =
      this.endpoint.profile === endpoint.profile && this.endpoint.server === endpoint.server;
    return sameEndpoint && sameCaller(this.principal, principal);
  }

  /** Whether one of these requests is waiting for its answer already, or two of them have one id. */
  awaits(idTexts: readonly string[]): boolean {
    return new Set(idTexts).size < idTexts.length || idTexts.some((idText) => this.#exchanges.has(idText));
  }

  get ended(): boolean {
    return this.#ended;
  }

  expect(idTexts: readonly string[], exchange: HttpExchange): void {
    for (const idText of idTexts) this.#exchanges.set(idText, exchange);
  }

  /** The response of these requests is gone; their answers have nowhere to go. */
  forget(idTexts: readonly string[], exchange: HttpExchange): void {
    for (const idText of idTexts)
      if (this.#exchanges.get(idText) === exchange) this.#exchanges.delete(idText);
  }

  /** The GET stream. A second one takes over from the first, whose client may not have noticed that it broke. */
  openStream(res: ServerResponse): void {
    this.#stream?.end();
    const stream = new EventStream(res, { 'mcp-session-id': this.id });
    this.#stream = stream;
    res.once('close', () => {
      if (this.#stream === stream) this.#stream = null;
    });
  }

  close(): void {
    this.#ended = true;
    this.client.close();
    for (const exchange of new Set(this.#exchanges.values())) exchange.end();
    this.#exchanges.clear();
    this.#stream?.end();
    this.#stream = null;
  }

  #send(text: string, related: string | null): void {
    const exchange = related === null ? undefined : this.#exchanges.get(related);
    if (exchange?.canStream === true) exchange.send(text);
    else if (this.#stream !== null) this.#stream.send(text);
    else this.#anyExchange()?.send(text);
  }

  #anyExchange(): HttpExchange | null {
    for (const exchange of this.#exchanges.values()) if (exchange.canStream) return exchange;
    return null;
  }
}

export class HttpSessions {
  readonly #deps: HttpSessionsDeps;
  readonly #sessions = new Map<string, HttpSession>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(deps: HttpSessionsDeps) {
    this.#deps = deps;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
  }

  [Symbol.iterator](): IterableIterator<HttpSession> {
    return this.#sessions.values();
  }

  create(principal: Principal, endpoint: Endpoint): HttpSession {
    this.#makeRoom(principal);
    const id = this.#deps.random.bytes(ID_BYTES).toString('base64url');
    const session = new HttpSession(id, principal, endpoint, this.#deps);
    this.#sessions.set(id, session);
    return session;
  }

  /** @throws AppError `mcp_session_missing`, `mcp_session_unknown`: also for a session of somebody else */
  find(req: IncomingMessage, principal: Principal, endpoint: Endpoint): HttpSession {
    const id = req.headers['mcp-session-id'];
    if (typeof id !== 'string') {
      throw new AppError('mcp_session_missing', 'The Mcp-Session-Id header is required.', {
        kind: 'invalid',
        hint: 'Send initialize first; its answer carries the session id.',
      });
    }
    const session = this.#sessions.get(id);
    if (session === undefined || !session.belongsTo(principal, endpoint)) {
      throw new AppError('mcp_session_unknown', 'Session not found.', {
        kind: 'not_found',
        hint: 'It ended; send initialize again.',
      });
    }
    session.lastUsedMs = this.#deps.clock.monotonic();
    return session;
  }

  end(session: HttpSession): void {
    this.#sessions.delete(session.id);
    session.close();
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const session of this.#sessions.values()) this.end(session);
  }

  #sweep(): void {
    const oldest = this.#deps.clock.monotonic() - limits.mcpSessionIdleMs;
    for (const session of this.#sessions.values()) {
      if (session.unused && session.lastUsedMs < oldest) this.end(session);
    }
  }

  /** One caller can only ever push out sessions of its own. */
  #makeRoom(principal: Principal): void {
    const own = [...this.#sessions.values()].filter((session) => sameCaller(session.principal, principal));
    if (own.length < limits.mcpSessionsPerCallerMax) return;
    const [oldest] = own.sort((a, b) => Number(b.unused) - Number(a.unused) || a.lastUsedMs - b.lastUsedMs);
    if (oldest !== undefined) this.end(oldest);
  }
}
