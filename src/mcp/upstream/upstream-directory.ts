/**
 * The connections of this process, one per cell; of a server elsewhere more, where it serves clients of both eras. A connection
 * is made when the first client needs its server, and forgotten when its cell ends.
 */
import { AppError, type CellId } from '../../kernel/index.ts';
import { type ClientFacts, UNKNOWN_CLIENT } from '../client/client-facts.ts';
import { DiedOfQuestion, negotiate, type Opened } from './negotiate.ts';
import { LineLink } from './line-link.ts';
import { connectTo, type ConnectDeps, type OpenUpstream } from './open-upstream.ts';
import { OtherEra } from './other-era.ts';
import type { Principal } from '../ports/callers.ts';
import type { Upstreams, UpstreamTransport } from '../ports/upstreams.ts';
import { HttpLink } from '../remote/http-link.ts';
import { ServiceLink } from './service-link.ts';
import { isLater, type Soon } from '../soon.ts';
import { Turns } from './turns.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamLink } from './upstream-link.ts';

/** What a connection is begun with. */
interface Start {
  readonly client: ClientFacts;
  /** Whether the server ended when it was asked which revision it speaks, so that it must not be asked again. */
  readonly asked: boolean;
}

interface Entry {
  readonly transport: UpstreamTransport;
  readonly connection: UpstreamConnection;
  readonly ready: Promise<OpenUpstream>;
  /** What `ready` resolved with; null before. */
  open: OpenUpstream | null;
  /** Connections for clients of the other era; null: there is one for all, or none yet. */
  other: OtherEra | null;
  /** Who it was opened for, by `callerKey`. */
  readonly callers: Set<string>;
}

/** Callers with the same key are served by the same cell. */
const callerKey = ({ workspace, actor }: Principal, profile: string | null, slug: string): string =>
  `${slug} ${workspace} ${profile ?? '/'} ${actor.kind === 'user' ? actor.id : '/'}`;

export interface DirectoryDeps extends ConnectDeps {
  readonly upstreams: Upstreams;
}

/** How messages travel to a server of this kind. */
function linkTo(
  transport: UpstreamTransport,
  { clock, log, version }: DirectoryDeps,
  slug: string,
  turns: Turns,
): UpstreamLink {
  if (transport.kind === 'service') return new ServiceLink(transport);
  if (transport.kind === 'lines') return new LineLink(transport, { slug, turns, clock, log });
  return new HttpLink({ transport, slug, clock, log, version });
}

export class UpstreamDirectory {
  readonly #deps: DirectoryDeps;
  readonly #turns: Turns;
  readonly #entries = new Map<CellId, Entry>();
  readonly #listeners = new Set<(slug: string) => void>();

  constructor(deps: DirectoryDeps) {
    this.#deps = deps;
    this.#turns = new Turns(deps.clock);
  }

  /** None: nobody has used this cell. */
  connectionsOf(cell: CellId): readonly UpstreamConnection[] {
    const entry = this.#entries.get(cell);
    return entry === undefined ? [] : connectionsIn(entry);
  }

  /** Whether this server runs for this caller, so that nothing has to be started to open it. */
  isOpen(principal: Principal, profile: string | null, slug: string): boolean {
    const key = callerKey(principal, profile, slug);
    return [...this.#entries.values()].some(({ callers }) => callers.has(key));
  }

  /** It, where it is ready for this client's requests now. */
  running(
    principal: Principal,
    profile: string | null,
    slug: string,
    client: ClientFacts,
  ): OpenUpstream | null {
    const key = callerKey(principal, profile, slug);
    for (const entry of this.#entries.values()) {
      if (entry.open === null || !entry.callers.has(key)) continue;
      const other = otherFor(client, entry, entry.open);
      return other === null ? entry.open : other.now(client);
    }
    return null;
  }

  /** Told the slug of a server that runs for somebody for whom it did not. Returns the way to stop listening. */
  onOpen(listener: (slug: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * @param client whose capabilities the server is told, if this is what starts the connection; of a server of both eras it
   *   gets one of its own
   * @throws AppError of `Upstreams.open`, or `upstream_…`
   */
  open(principal: Principal, profile: string | null, slug: string, client: ClientFacts): Soon<OpenUpstream> {
    const found = this.#deps.upstreams.open(principal, profile, slug);
    const open = isLater(found) ? null : (this.#entries.get(found.cell) ?? null);
    if (open?.transport === found && open.open !== null) {
      this.#opensFor(callerKey(principal, profile, slug), slug, open);
      return connectionFor(client, open, open.open);
    }
    return this.#begun(principal, profile, slug, { client, found });
  }

  async #begun(
    principal: Principal,
    profile: string | null,
    slug: string,
    { client, found }: { readonly client: ClientFacts; readonly found: Soon<UpstreamTransport> },
  ): Promise<OpenUpstream> {
    const caller = callerKey(principal, profile, slug);
    try {
      return await this.#opened(await found, caller, slug, { client, asked: false });
    } catch (error) {
      if (!(error instanceof DiedOfQuestion)) throw error;
      // It does not bear being asked which revision it speaks. That end is the gateway's doing.
      const again = await this.#deps.upstreams.open(principal, profile, slug);
      return this.#opened(again, caller, slug, { client, asked: true });
    }
  }

  #opened(transport: UpstreamTransport, caller: string, slug: string, start: Start): Promise<OpenUpstream> {
    const known = this.#entries.get(transport.cell);
    if (known !== undefined && known.transport === transport) {
      this.#opensFor(caller, slug, known);
      return readyFor(start.client, known);
    }
    const entry = this.#connect(transport, slug, start);
    this.#entries.set(transport.cell, entry);
    this.#opensFor(caller, slug, entry);
    const forget = () => {
      if (this.#entries.get(transport.cell) === entry) this.#entries.delete(transport.cell);
    };
    void transport.exited.then(forget);
    return readyFor(start.client, entry);
  }

  #opensFor(caller: string, slug: string, { callers, ready }: Entry): void {
    if (callers.has(caller)) return;
    callers.add(caller);
    const tell = (): void => {
      for (const listener of this.#listeners) listener(slug);
    };
    ready.then(tell, () => undefined);
  }

  /**
   * Connections that nobody else gets to use, to a server that was started to be looked at: one of each era that it has, the one
   * that counts first. Whoever started it ends it.
   *
   * @throws AppError `upstream_…`; `upstream_asked_again` where it does not bear to be asked which revision it speaks, as will
   *   be known of the next one
   */
  async connectAlone(transport: UpstreamTransport, slug: string): Promise<readonly OpenUpstream[]> {
    try {
      const entry = this.#connect(transport, slug, { client: UNKNOWN_CLIENT, asked: false });
      const first = await entry.ready;
      const era = first.hello.era === 'session' ? 'stateless' : 'session';
      const other = await entry.other?.for({ ...UNKNOWN_CLIENT, era });
      return other === undefined || other === first ? [first] : [first, other];
    } catch (error) {
      if (!(error instanceof DiedOfQuestion)) throw error;
      throw new AppError('upstream_asked_again', `The server "${slug}" has to be started once more.`, {
        kind: 'unavailable',
        cause: error,
      });
    }
  }

  async close(why: AppError): Promise<void> {
    const connections = [...this.#entries.values()].flatMap(connectionsIn);
    await Promise.all(connections.map((connection) => connection.close(why)));
    this.#entries.clear();
  }

  #connect(transport: UpstreamTransport, slug: string, start: Start): Entry {
    const { log, version } = this.#deps;
    const known = start.asked ? 'session' : (transport.era?.known ?? null);
    let spoken: Opened['spoken'] = Promise.resolve(null);
    const link = linkTo(transport, this.#deps, slug, this.#turns);
    const { connection, ready: agreed } = connectTo(this.#deps, { transport, link, slug }, async (made) => {
      const opened = await negotiate(made, { client: start.client, version, known });
      ({ spoken } = opened);
      return opened.hello;
    });
    const ready = agreed.then(
      (open) => {
        entry.other = this.#otherEra(transport, slug, open);
        entry.open = open;
        void spoken.then((era) => {
          if (era === null) return;
          transport.era?.learn(era, false);
          // It was asked for the other before, and refused.
          if ((era === 'session') !== (known === 'session')) entry.other?.refuse();
        });
        return open;
      },
      (error: unknown) => {
        if (!(error instanceof DiedOfQuestion)) return this.#startFailed(connection, error);
        transport.era?.learn('session', true);
        log.info('mcp.upstream.asked_again', { server: slug });
        throw error;
      },
    );
    // Every caller awaits `ready` too; this keeps a failure that nobody waits for any more from being unhandled.
    ready.catch(() => undefined);
    const entry: Entry = { transport, connection, ready, open: null, other: null, callers: new Set() };
    return entry;
  }

  /** To a server elsewhere there may be several connections. */
  #otherEra(transport: UpstreamTransport, slug: string, first: OpenUpstream): OtherEra | null {
    return transport.kind === 'http' ? new OtherEra({ ...this.#deps, transport, slug, first }) : null;
  }

  async #startFailed(connection: UpstreamConnection, error: unknown): Promise<never> {
    const cause = error instanceof AppError ? error : null;
    const hint = cause?.hint ?? connection.lastWords();
    const failure = new AppError(
      cause?.code ?? 'upstream_start_failed',
      cause?.message ?? `The server "${connection.slug}" did not start.`,
      { kind: 'unavailable', cause: error, ...(hint === undefined ? {} : { hint }) },
    );
    this.#deps.log.warn('mcp.upstream.start_failed', { server: connection.slug, code: failure.code });
    await connection.close(failure);
    throw failure;
  }
}

/** Those for clients of the other era first: a connection's end may be that of all. */
const connectionsIn = ({ connection, other }: Entry): readonly UpstreamConnection[] => [
  ...(other?.connections ?? []),
  connection,
];

/** Null: the first connection is for this client. One that says nothing of itself has no era either. */
const otherFor = (client: ClientFacts, { other }: Entry, open: OpenUpstream): OtherEra | null =>
  client === UNKNOWN_CLIENT || client.era === open.hello.era ? null : other;

const connectionFor = (client: ClientFacts, entry: Entry, open: OpenUpstream): Soon<OpenUpstream> =>
  otherFor(client, entry, open)?.for(client) ?? open;

async function readyFor(client: ClientFacts, entry: Entry): Promise<OpenUpstream> {
  return connectionFor(client, entry, await entry.ready);
}
