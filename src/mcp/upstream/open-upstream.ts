/** A server that is ready for requests: one connection to it, and what is known by that. */
import type { Clock, Log } from '../../kernel/index.ts';
import { ResourceReport } from '../pinning/resource-report.ts';
import type { UpstreamBase } from '../ports/upstreams.ts';
import { ResourceLists } from './resource-lists.ts';
import { ResourceWatchers } from './resource-watchers.ts';
import type { ServerHello } from './server-hello.ts';
import { PromptCatalog, ToolCatalog } from './tool-catalog.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamLink } from './upstream-link.ts';
import { UpstreamListen } from './upstream-listen.ts';

export interface OpenUpstream {
  readonly connection: UpstreamConnection;
  readonly hello: ServerHello;
  readonly tools: ToolCatalog;
  readonly prompts: PromptCatalog;
  readonly watchers: ResourceWatchers;
  /** Looks at the resources that it lists. */
  readonly resources: ResourceReport;
  /** Whether those are still what they were. */
  readonly resourceLists: ResourceLists;
}

export interface ConnectDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** The gateway's own. */
  readonly version: string;
}

/** How a server is reached. */
interface Reached {
  readonly transport: UpstreamBase;
  readonly link: UpstreamLink;
  readonly slug: string;
}

export interface Connecting {
  readonly connection: UpstreamConnection;
  /** Rejected as `agree` is; nothing is closed then. */
  readonly ready: Promise<OpenUpstream>;
}

/** @param agree finds out, or settles, what is spoken */
export function connectTo(
  { clock, log, version }: ConnectDeps,
  { transport, link, slug }: Reached,
  agree: (connection: UpstreamConnection) => Promise<ServerHello>,
): Connecting {
  let tools: ToolCatalog | null = null;
  let prompts: PromptCatalog | null = null;
  let resourceLists: ResourceLists | null = null;
  const connection = new UpstreamConnection({
    transport,
    link,
    slug,
    clock,
    log,
    version,
    notified: (method) => {
      if (method === 'notifications/tools/list_changed') tools?.invalidate();
      if (method === 'notifications/prompts/list_changed') prompts?.invalidate();
      if (method === 'notifications/resources/list_changed') resourceLists?.changed();
    },
  });
  tools = new ToolCatalog(connection);
  prompts = new PromptCatalog(connection);
  const catalogs = { tools, prompts };
  const ready = agree(connection).then((hello) => {
    const listen = hello.era === 'stateless' ? new UpstreamListen({ connection, hello, clock, log }) : null;
    listen?.start();
    const watchers = new ResourceWatchers(connection, listen);
    const resources = new ResourceReport(slug, log);
    resourceLists = new ResourceLists(clock, hello.has('resources', 'listChanged'));
    return { connection, hello, ...catalogs, watchers, resources, resourceLists };
  });
  return { connection, ready };
}
