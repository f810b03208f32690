/**
 * Listings of a whole profile: every server asked at the same time, each with a deadline of its own. What is slow
 * or broken is left out and logged; when a slow one answers after all, the client is told that the list changed.
 */
import { AppError, limits } from '../kernel/index.ts';
import type { ClientSession } from './client-session.ts';
import { fetchAll, type ListMethod } from './listing.ts';
import type { ProfileServer } from './ports.ts';
import type { ResourceRoutes } from './aggregate-routes.ts';
import { find, splice, stringAt } from './raw-json.ts';
import { exposedName } from './tool-names.ts';

const CHANGED: Readonly<Record<ListMethod, string>> = {
  'tools/list': 'notifications/tools/list_changed',
  'prompts/list': 'notifications/prompts/list_changed',
  'resources/list': 'notifications/resources/list_changed',
  'resources/templates/list': 'notifications/resources/list_changed',
};

/** A server that is missing from a list, and why: an error's code, or `deadline`. */
interface LeftOut {
  readonly server: string;
  readonly code: string;
}

interface Listed {
  /** The items of all servers, as the client sees them, as raw JSON. */
  readonly items: readonly string[];
  readonly leftOut: readonly LeftOut[];
}

/** What a list says of itself, as a member of its result: empty where nothing is missing. */
export const leftOutMeta = ({ leftOut }: Listed): string =>
  leftOut.length === 0 ? '' : `,"_meta":{"${LEFT_OUT}":${JSON.stringify(leftOut)}}`;

const LEFT_OUT = 'app.sallyport/leftOut';

/** Asks all servers at the same time. */
export async function listAll(
  session: ClientSession,
  servers: readonly ProfileServer[],
  method: ListMethod,
  routes: ResourceRoutes,
): Promise<Listed> {
  const leftOut: LeftOut[] = [];
  const missing = (server: string, code: string): void => {
    session.log.warn('mcp.list.left_out', { server, method, code });
    leftOut.push({ server, code });
  };
  const perServer = await Promise.all(servers.map((server) => listOne(session, server, method, missing)));
  const items: string[] = [];
  const names = new Set<string>();
  for (const [index, texts] of perServer.entries()) {
    const server = servers[index];
    if (server === undefined) continue;
    for (const text of texts) {
      const item = exposedItem(server, method, text, routes);
      if (item === null || (item.name !== null && names.has(item.name))) continue;
      if (item.name !== null) names.add(item.name);
      items.push(item.text);
    }
  }
  return { items, leftOut };
}

async function listOne(
  session: ClientSession,
  server: ProfileServer,
  method: ListMethod,
  missing: (slug: string, code: string) => void,
): Promise<readonly string[]> {
  let late = false;
  const listing = fetchOne(session, server, method).then(
    (items) => {
      if (late && items.length > 0) session.announce(CHANGED[method]);
      return items;
    },
    (error: unknown) => {
      if (!late) missing(server.slug, error instanceof AppError ? error.code : 'internal_error');
      return [];
    },
  );
  const { promise: deadline, resolve } = Promise.withResolvers<readonly string[]>();
  const timer = setTimeout(() => {
    late = true;
    missing(server.slug, 'deadline');
    resolve([]);
  }, limits.mcpListMs);
  const items = await Promise.race([listing, deadline]);
  clearTimeout(timer);
  return items;
}

async function fetchOne(
  session: ClientSession,
  server: ProfileServer,
  method: ListMethod,
): Promise<readonly string[]> {
  const upstream = await session.use(server);
  const target = session.target(server);
  const { gate } = session;
  if (method === 'tools/list') {
    return (await gate.visible(target, await upstream.tools.list())).map(({ text }) => text);
  }
  if (method === 'prompts/list') {
    if (!upstream.hello.has('prompts')) return [];
    return (await gate.visiblePrompts(target, await upstream.prompts.list())).map(({ text }) => text);
  }
  return upstream.hello.has('resources') ? fetchAll(upstream.connection, method) : [];
}

function exposedItem(
  server: ProfileServer,
  method: ListMethod,
  text: string,
  routes: ResourceRoutes,
): { readonly name: string | null; readonly text: string } | null {
  if (method === 'tools/list' || method === 'prompts/list') {
    const span = find(text, 0, ['name']);
    const own = stringAt(text, span);
    if (span === null || own === null) return null;
    const name = exposedName(server.slug, own);
    return { name, text: splice(text, [{ ...span, text: JSON.stringify(name) }]) };
  }
  const span = find(text, 0, [method === 'resources/list' ? 'uri' : 'uriTemplate']);
  const uri = stringAt(text, span);
  if (span === null || uri === null) return null;
  if (method === 'resources/templates/list') {
    routes.noteTemplate(server.slug, uri);
    return { name: null, text };
  }
  const exposed = routes.exposed(server.slug, uri);
  return {
    name: exposed,
    text: exposed === uri ? text : splice(text, [{ ...span, text: JSON.stringify(exposed) }]),
  };
}
