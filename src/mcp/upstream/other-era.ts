/**
 * A server elsewhere may serve both eras at one address, and each client in its own way: what one era has, a server's questions
 * in the midst of a call, streams that are come back to, the other has in another form or not at all. So that no client can
 * tell that there is a gateway, one of the other era than the server's first connection gets a connection of its own era, where
 * the server has that. It is asked once, and only when such a client comes; no list of revisions says it.
 *
 * A server with sessions is told once what its client can do, so clients that can do different things share no session.
 *
 * Must never fail a client: whatever becomes of it, there is the first connection. Nor may a server show the two eras different
 * definitions under one name: what somebody agreed to is one of them.
 */
import { AppError, limits } from '../../kernel/index.ts';
import { type ClientFacts, UNKNOWN_CLIENT } from '../client/client-facts.ts';
import { greet, greeted } from '../protocol/handshake.ts';
import { discover } from './negotiate.ts';
import { connectTo, type ConnectDeps, type OpenUpstream } from './open-upstream.ts';
import { lookAt, NOTHING } from '../pinning/look.ts';
import { definitionKey } from '../pinning/verdict.ts';
import type { HttpTransport } from '../ports/upstreams.ts';
import { Branches } from '../remote/branch.ts';
import { HttpLink } from '../remote/http-link.ts';
import type { ServerHello } from './server-hello.ts';
import type { Soon } from '../soon.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export interface OtherEraDeps extends ConnectDeps {
  readonly transport: HttpTransport;
  readonly slug: string;
  /** The connection that there is. */
  readonly first: OpenUpstream;
}

/** The server has nothing for clients of this era, or nothing that may be used. */
class NotOffered extends Error {}

/** The server has something for clients of this era, and would have none of this one. */
class ClientRefused extends Error {}

/** A connection of the other era, or on its way to be one. */
interface Own {
  readonly connection: UpstreamConnection;
  /** What it was when it was waited for; null: it took too long, or failed. */
  readonly soon: Promise<OpenUpstream | null>;
  /** Nobody waits for it any more. */
  isLate: boolean;
  open: OpenUpstream | null;
  /** `Clock.monotonic()` when it was given last to somebody while nobody used it. */
  givenMs: number;
}

/** Of all clients without sessions: they say what they can do with each request. */
const WITHOUT_SESSION = '';

export class OtherEra {
  readonly #deps: OtherEraDeps;
  readonly #branches: Branches;
  /** By what their clients said that they can do. */
  readonly #own = new Map<string, Own>();
  /** Clients that use the first connection, and stay with it. */
  readonly #staying = new WeakSet<ClientFacts>();
  #isRefused = false;
  #pausedUntilMs = -Infinity;

  constructor(deps: OtherEraDeps) {
    this.#deps = deps;
    this.#branches = new Branches(deps.transport);
  }

  get connections(): readonly UpstreamConnection[] {
    return Array.from(this.#own.values(), ({ connection }) => connection);
  }

  /** The server has said that it has no other. */
  refuse(): void {
    this.#isRefused = true;
  }

  /**
   * A connection for this client: of its own era, or else the first. Never rejects.
   *
   * @param client of the other era than the first connection
   */
  for(client: ClientFacts): Soon<OpenUpstream> {
    if (this.#hasFirstOnly(client)) return this.#deps.first;
    const key = keyOf(client);
    const own = this.#own.get(key) ?? this.#begin(key, client);
    if (own === null || (own.isLate && own.open === null)) return this.#stay(client);
    if (own.open !== null) return this.#given(own, own.open);
    return own.soon.then((open) =>
      open?.connection.alive === true ? this.#given(own, open) : this.#stay(client),
    );
  }

  /** The same where it is there already; null: it would have to be begun, or waited for. */
  now(client: ClientFacts): OpenUpstream | null {
    return this.#hasFirstOnly(client) ? this.#deps.first : (this.#own.get(keyOf(client))?.open ?? null);
  }

  #hasFirstOnly(client: ClientFacts): boolean {
    return (this.#isRefused && this.#own.size === 0) || this.#staying.has(client);
  }

  #given(own: Own, open: OpenUpstream): OpenUpstream {
    if (open.connection.attachments.size === 0) own.givenMs = this.#deps.clock.monotonic();
    return open;
  }

  /** It began with the one connection: what it did there is known there alone. */
  #stay(client: ClientFacts): OpenUpstream {
    this.#staying.add(client);
    return this.#deps.first;
  }

  #begin(key: string, client: ClientFacts): Own | null {
    const isPaused = this.#isRefused || this.#deps.clock.monotonic() < this.#pausedUntilMs;
    if (isPaused || key.length > limits.mcpOtherEraCapabilitiesCharsMax || !this.#hasRoom()) return null;
    const { log, slug } = this.#deps;
    const transport = this.#branches.begin();
    const { connection, ready } = this.#connect(transport, client);
    const opened = ready
      .then(async (open) => {
        await this.#assertSame(open);
        if (client.era === 'stateless') {
          // What was remembered of it is no more the case.
          this.#deps.transport.era?.learn('stateless', false);
          // Such clients come anew with each request: nobody could tell who began before, and has calls that wait in a session.
          if (own.isLate) throw new NotOffered();
        }
        own.open = open;
        log.debug('mcp.upstream.other_era', { server: slug, era: client.era });
        return open;
      })
      .catch((error: unknown) => this.#failed(key, own, error));
    const late = Promise.withResolvers<null>();
    const timer = setTimeout(() => {
      own.isLate = true;
      late.resolve(null);
    }, limits.mcpOtherEraMs);
    timer.unref();
    void opened.then(() => clearTimeout(timer));
    const soon = Promise.race([opened, late.promise]);
    const own: Own = { connection, soon, isLate: false, open: null, givenMs: -Infinity };
    this.#own.set(key, own);
    void transport.exited.then(() => this.#forget(key, own));
    return own;
  }

  #connect(transport: HttpTransport, client: ClientFacts): ReturnType<typeof connectTo> {
    const { slug, clock, log, version } = this.#deps;
    const link = new HttpLink({ transport, slug, clock, log, version });
    const greetedAs = async (connection: UpstreamConnection, whom: ClientFacts): Promise<ServerHello> => {
      const answer = await greet(connection, whom, version).response;
      // Where each request of such a client stands for itself there is nothing that the first connection does not have.
      if (answer.failed || !link.hasSession) throw new NotOffered();
      return greeted(connection, answer);
    };
    const inSession = (connection: UpstreamConnection): Promise<ServerHello> =>
      greetedAs(connection, client).catch(async (error: unknown) => {
        if (client.capabilitiesText === UNKNOWN_CLIENT.capabilitiesText) throw error;
        // What this client says of itself may be all that is wrong, and must not be what the others are served by.
        await greetedAs(connection, UNKNOWN_CLIENT);
        throw new ClientRefused();
      });
    const withoutSession = async (connection: UpstreamConnection): Promise<ServerHello> => {
      const hello = await discover(connection);
      if (hello === null) throw new NotOffered();
      return hello;
    };
    return connectTo(
      this.#deps,
      { transport, link, slug },
      client.era === 'session' ? inSession : withoutSession,
    );
  }

  /** @throws NotOffered where it shows something else under a name that the first connection shows too */
  async #assertSame(open: OpenUpstream): Promise<void> {
    const [here, there] = await Promise.all([lookAt([this.#deps.first]), lookAt([open])]);
    const known = new Map(here.map(({ kind, name, hash }) => [definitionKey(kind, name), hash]));
    const other = there.find(({ kind, name, hash, text }) => {
      const seen = known.get(definitionKey(kind, name)) ?? hash;
      return seen !== hash && text !== NOTHING;
    });
    if (other === undefined) return;
    const { log, slug, transport } = this.#deps;
    log.info('mcp.upstream.eras_differ', { server: slug, kind: other.kind });
    transport.note(
      'it defines something differently for clients with sessions and for those without: all are served in the way that came first',
    );
    throw new NotOffered();
  }

  #failed(key: string, own: Own, error: unknown): null {
    this.#forget(key, own);
    const isFinal = error instanceof NotOffered || this.#deps.first.hello.era === 'session';
    if (isFinal) this.#isRefused = true;
    else if (!(error instanceof ClientRefused))
      this.#pausedUntilMs = this.#deps.clock.monotonic() + limits.mcpOtherEraPauseMs;
    const why =
      error instanceof ClientRefused ? 'client_refused' : isFinal ? 'not_offered' : 'internal_error';
    const code = error instanceof AppError ? error.code : why;
    this.#deps.log.debug('mcp.upstream.one_era', { server: this.#deps.slug, code });
    void own.connection.close(unused());
    return null;
  }

  #forget(key: string, own: Own): void {
    if (this.#own.get(key) === own) this.#own.delete(key);
  }

  /** Of those that nobody uses any more, the one that was used longest ago gives way. */
  #hasRoom(): boolean {
    if (this.#own.size < limits.mcpOtherEraConnectionsMax) return true;
    const [oldest] = [...this.#own]
      .filter(([, own]) => own.open !== null && this.#isUnused(own))
      .toSorted(([, a], [, b]) => a.connection.lastUsedMs - b.connection.lastUsedMs);
    if (oldest === undefined) return false;
    const [key, own] = oldest;
    this.#forget(key, own);
    void own.connection.close(unused());
    return true;
  }

  /** Whoever was given it, and has said nothing there yet, may be about to. */
  #isUnused({ connection, givenMs }: Own): boolean {
    if (connection.attachments.size > 0) return false;
    return connection.lastUsedMs > givenMs || this.#deps.clock.monotonic() - givenMs >= limits.mcpOtherEraMs;
  }
}

const keyOf = ({ era, capabilitiesText }: ClientFacts): string =>
  era === 'stateless' ? WITHOUT_SESSION : capabilitiesText;

const unused = (): AppError =>
  new AppError('upstream_unused', 'Nobody uses this connection.', { kind: 'unavailable' });
