/**
 * The connections of this process, one per cell. A connection is made when the first client needs its server,
 * and forgotten when its cell ends.
 */
import { AppError, type CellId, type Clock, type Log } from '../kernel/index.ts';
import { type ClientFacts, UNKNOWN_CLIENT } from './client-facts.ts';
import { DiedOfQuestion, negotiate } from './negotiate.ts';
import { LineLink } from './line-link.ts';
import type { Principal, Upstreams, UpstreamTransport } from './ports.ts';
import { HttpLink } from './remote/http-link.ts';
import { ResourceWatchers } from './resource-watchers.ts';
import type { ServerHello } from './server-hello.ts';
import { ServiceLink } from './service-link.ts';
import { PromptCatalog, ToolCatalog } from './tool-catalog.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamLink } from './upstream-link.ts';
import { UpstreamListen } from './upstream-listen.ts';

/** A server that is ready for requests. */
export interface OpenUpstream {
  readonly connection: UpstreamConnection;
  readonly hello: ServerHello;
  readonly tools: ToolCatalog;
  readonly prompts: PromptCatalog;
  readonly watchers: ResourceWatchers;
}

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
}

export interface DirectoryDeps {
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
}

/** How messages travel to a server of this kind. */
function linkTo(
  transport: UpstreamTransport,
  { clock, log, version }: DirectoryDeps,
  slug: string,
): UpstreamLink {
  if (transport.kind === 'service') return new ServiceLink(transport);
  if (transport.kind === 'lines') return new LineLink(transport, { slug, log });
  return new HttpLink({ transport, slug, clock, log, version });
}

export class UpstreamDirectory {
  readonly #deps: DirectoryDeps;
  readonly #entries = new Map<CellId, Entry>();

  constructor(deps: DirectoryDeps) {
    this.#deps = deps;
  }

  connectionOf(cell: CellId): UpstreamConnection | null {
    return this.#entries.get(cell)?.connection ?? null;
  }

  /**
   * @param client whose capabilities the server is told, if this is what starts the connection
   * @throws AppError of `Upstreams.open`, or `upstream_…`
   */
  async open(
    principal: Principal,
    profile: string | null,
    slug: string,
    client: ClientFacts,
  ): Promise<OpenUpstream> {
    try {
      return await this.#opened(principal, profile, slug, { client, asked: false });
    } catch (error) {
      if (!(error instanceof DiedOfQuestion)) throw error;
      // It does not bear being asked which revision it speaks. That end is the gateway's doing.
      return this.#opened(principal, profile, slug, { client, asked: true });
    }
  }

  async #opened(
    principal: Principal,
    profile: string | null,
    slug: string,
    start: Start,
  ): Promise<OpenUpstream> {
    const transport = await this.#deps.upstreams.open(principal, profile, slug);
    const known = this.#entries.get(transport.cell);
    if (known !== undefined && known.transport === transport) return known.ready;
    const entry = this.#connect(transport, slug, start);
    this.#entries.set(transport.cell, entry);
    const forget = () => {
      if (this.#entries.get(transport.cell) === entry) this.#entries.delete(transport.cell);
    };
    void transport.exited.then(forget);
    return entry.ready;
  }

  /**
   * A connection that nobody else gets to use, to a server that was started to be looked at. Whoever started it ends it.
   *
   * @throws AppError `upstream_…`; `upstream_asked_again` where it does not bear to be asked which revision it speaks, as will
   *   be known of the next one
   */
  async connectAlone(transport: UpstreamTransport, slug: string): Promise<OpenUpstream> {
    try {
      return await this.#connect(transport, slug, { client: UNKNOWN_CLIENT, asked: false }).ready;
    } catch (error) {
      if (!(error instanceof DiedOfQuestion)) throw error;
      throw new AppError('upstream_asked_again', `The server "${slug}" has to be started once more.`, {
        kind: 'unavailable',
        cause: error,
      });
    }
  }

  async close(why: AppError): Promise<void> {
    const connections = [...this.#entries.values()].map(({ connection }) => connection);
    await Promise.all(connections.map((connection) => connection.close(why)));
    this.#entries.clear();
  }

  #connect(transport: UpstreamTransport, slug: string, start: Start): Entry {
    const { clock, log, version } = this.#deps;
    let tools: ToolCatalog | null = null;
    let prompts: PromptCatalog | null = null;
    const connection = new UpstreamConnection({
      transport,
      link: linkTo(transport, this.#deps, slug),
      slug,
      clock,
      log,
      version,
      notified: (method) => {
        if (method === 'notifications/tools/list_changed') tools?.invalidate();
        if (method === 'notifications/prompts/list_changed') prompts?.invalidate();
      },
    });
    tools = new ToolCatalog(connection);
    prompts = new PromptCatalog(connection);
    const catalogs = { tools, prompts };
    const known = start.asked ? 'session' : (transport.era?.known ?? null);
    const ready = negotiate(connection, { client: start.client, version, known }).then(
      (hello) => {
        transport.era?.learn(hello.era, false);
        const listen = hello.era === 'stateless' ? new UpstreamListen({ connection, hello, log }) : null;
        listen?.start();
        const watchers = new ResourceWatchers(connection, listen);
        return { connection, hello, ...catalogs, watchers };
      },
      (error: unknown) => {
        if (!(error instanceof DiedOfQuestion)) return this.#startFailed(connection, error);
        transport.era?.learn('session', true);
        log.info('mcp.upstream.asked_again', { server: slug });
        throw error;
      },
    );
    // Every caller awaits `ready` too; this keeps a failure that nobody waits for any more from being unhandled.
    ready.catch(() => {});
    return { transport, connection, ready };
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
