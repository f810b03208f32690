/**
 * Sessions of Streamable HTTP (revisions before 2026-07-28): made by `initialize`, named by `Mcp-Session-Id`,
 * bound to the caller and the endpoint that they were made with, and ended by DELETE or by not being used.
 */
import { AppError, limits, type Random } from '../../kernel/index.ts';
import type { Endpoint } from '../front-contract.ts';
import { HttpSession, type HttpSessionDeps, sameCaller } from './http-session.ts';
import type { Principal } from '../ports/callers.ts';
import type { Standings } from '../client/standings.ts';
import type { FrontRequest } from './http-message.ts';

export interface HttpSessionsDeps extends HttpSessionDeps {
  readonly random: Random;
  readonly standings: Standings;
}

const ID_BYTES = 24;
const SWEEP_MS = 60_000;

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
    const budget = this.#of(principal)[0]?.budget ?? { bytes: 0 };
    const session = new HttpSession(id, principal, endpoint, budget, this.#deps);
    this.#sessions.set(id, session);
    this.#watch(session, principal);
    return session;
  }

  #watch(session: HttpSession, principal: Principal): void {
    session.tokenInUrl = principal.tokenInUrl === true;
    session.onClose(this.#deps.standings.watch(principal, (error) => this.end(session, error)));
  }

  /** @throws AppError `mcp_session_missing`, `mcp_session_unknown`: also for a session of somebody else */
  find(req: FrontRequest, principal: Principal, endpoint: Endpoint): HttpSession {
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
    // It depends from now on on its profile's taking such tokens.
    if (principal.tokenInUrl === true && !session.tokenInUrl) this.#watch(session, principal);
    session.lastUsedMs = this.#deps.clock.monotonic();
    return session;
  }

  end(session: HttpSession, error?: AppError): void {
    this.#sessions.delete(session.id);
    session.close(error);
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
    const own = this.#of(principal);
    if (own.length < limits.mcpSessionsPerCallerMax) return;
    const [oldest] = own.sort((a, b) => Number(b.unused) - Number(a.unused) || a.lastUsedMs - b.lastUsedMs);
    if (oldest !== undefined) this.end(oldest);
  }

  #of(principal: Principal): HttpSession[] {
    return [...this.#sessions.values()].filter((session) => sameCaller(session.principal, principal));
  }
}
