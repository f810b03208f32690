/**
 * Listings of a whole profile: every server asked at the same time, each with a deadline of its own. What is slow
 * or broken is left out, logged, and noted as missing: the client is told, and hears of it once it answers after all.
 */
import { AppError, limits } from '../../kernel/index.ts';
import type { ClientRequest } from '../client/client-request.ts';
import type { ClientSession } from '../client/client-session.ts';
import { type ListMethod } from '../protocol/lists.ts';
import { fetchAll } from '../upstream/listing.ts';
import type { Asking, Gap } from '../client/outages.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import type { ProfileResources } from './profile-resources.ts';
import { find, splice, stringAt } from '../protocol/raw-json.ts';
import { exposedName } from '../protocol/tool-names.ts';
import type { UpstreamConnection } from '../upstream/upstream-connection.ts';
import { isMethodUnknown } from '../upstream/upstream-failure.ts';

const CHANGED: Readonly<Record<ListMethod, string>> = {
  'tools/list': 'notifications/tools/list_changed',
  'prompts/list': 'notifications/prompts/list_changed',
  'resources/list': 'notifications/resources/list_changed',
  'resources/templates/list': 'notifications/resources/list_changed',
};

/** A server that is missing from a list, and why: an error's code, or `deadline`. */
export interface LeftOut {
  readonly server: string;
  readonly code: string;
}

interface Listed {
  /** The items of all servers, as the client sees them, as raw JSON. */
  readonly items: readonly string[];
  readonly leftOut: readonly LeftOut[];
}

/** What a list says of itself, as a member of its result: empty where nothing is missing. */
export const leftOutMeta = ({ leftOut }: Pick<Listed, 'leftOut'>): string =>
  leftOut.length === 0 ? '' : `,"_meta":{"${LEFT_OUT}":${JSON.stringify(leftOut)}}`;

const LEFT_OUT = 'app.sallyport/leftOut';

/** Which list, and for whom. */
export interface Listing {
  readonly method: ListMethod;
  /** Null where no request waits for the list itself. */
  readonly request: ClientRequest | null;
  /** Where to note who has what. */
  readonly resources: ProfileResources;
}

/** Asks all servers at the same time. */
export async function listAll(
  session: ClientSession,
  servers: readonly ProfileServer[],
  list: Listing,
): Promise<Listed> {
  const { method, request, resources } = list;
  const asking =
    request === null ? null : { idText: request.message.idText, logLevel: request.client.logLevel };
  const leftOut: LeftOut[] = [];
  const missing = (server: string, code: string): void => {
    session.log.warn('mcp.list.left_out', { server, method, code });
    leftOut.push({ server, code });
  };
  const perServer = await Promise.all(
    servers.map((server) => listOne(session, question(session, server, list, asking), missing)),
  );
  const items: string[] = [];
  const names = new Set<string>();
  for (const [index, texts] of perServer.entries()) {
    const server = servers[index];
    if (server === undefined) continue;
    for (const text of texts) {
      const item = exposedItem(server, method, text, resources);
      if (item === null || (item.name !== null && names.has(item.name))) continue;
      if (item.name !== null) names.add(item.name);
      items.push(item.text);
    }
  }
  return { items, leftOut };
}

/** What one server is asked, and what is missing while it does not say. */
interface Question extends Gap {
  readonly method: ListMethod;
  readonly fetch: () => Promise<readonly string[]>;
}

function question(
  session: ClientSession,
  server: ProfileServer,
  { method, resources }: Listing,
  asking: Asking | null,
): Question {
  const fetch = (): Promise<readonly string[]> => fetchOne(session, server, method, resources);
  const again = async (): Promise<readonly string[]> => changesFor(method, await fetch());
  return { slug: server.slug, what: method, asking, method, fetch, again };
}

/** Nobody need look again for a list that is empty. */
const changesFor = (method: ListMethod, items: readonly string[]): readonly string[] =>
  items.length === 0 ? [] : [CHANGED[method]];

async function listOne(
  { outages }: ClientSession,
  asked: Question,
  missing: (slug: string, code: string) => void,
): Promise<readonly string[]> {
  const { slug, method } = asked;
  let late = false;
  const listing = asked.fetch().then(
    (items) => {
      if (late) outages.cameLate(slug, method, changesFor(method, items));
      else outages.hasAnswered(slug, method);
      return items;
    },
    (error: unknown) => {
      if (!late) missing(slug, error instanceof AppError ? error.code : 'internal_error');
      outages.hasFailed(asked, error);
      return [];
    },
  );
  const { promise: deadline, resolve } = Promise.withResolvers<readonly string[]>();
  const timer = setTimeout(() => {
    late = true;
    missing(slug, 'deadline');
    outages.isLate(asked);
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
  resources: ProfileResources,
): Promise<readonly string[]> {
  const upstream = await session.use(server);
  const target = session.target(server);
  const { gate } = session;
  if (method === 'tools/list') {
    return (await gate.shown.tools(target, await upstream.tools.list())).map(({ text }) => text);
  }
  if (method === 'prompts/list') {
    if (!upstream.hello.has('prompts')) return [];
    return (await gate.shown.prompts(target, await upstream.prompts.list())).map(({ text }) => text);
  }
  if (!upstream.hello.has('resources')) {
    resources.hasNone(server.slug, upstream.hello.era);
    return [];
  }
  const taken = upstream.resourceLists.asking(method, resources);
  const items = await fetchKnown(upstream.connection, method);
  taken();
  upstream.resources.look(URI_OF[method], items);
  const uris = items.map((text) => stringAt(text, find(text, 0, [URI_OF[method]])) ?? '');
  const { era } = upstream.hello;
  if (method === 'resources/list') resources.listedUris(server.slug, era, uris);
  else resources.listedTemplates(server.slug, era, uris);
  return (await gate.shown.resources(target, URI_OF[method], items)).map(({ text }) => text);
}

/** Not every server that has resources knows both lists of them. */
async function fetchKnown(connection: UpstreamConnection, method: ListMethod): Promise<readonly string[]> {
  try {
    return await fetchAll(connection, method);
  } catch (error) {
    if (error instanceof AppError && isMethodUnknown(error)) return [];
    throw error;
  }
}

const URI_OF = { 'resources/list': 'uri', 'resources/templates/list': 'uriTemplate' } as const;

function exposedItem(
  { slug }: ProfileServer,
  method: ListMethod,
  text: string,
  resources: ProfileResources,
): { readonly name: string | null; readonly text: string } | null {
  const isNamed = method === 'tools/list' || method === 'prompts/list';
  const span = find(text, 0, [isNamed ? 'name' : URI_OF[method]]);
  const own = stringAt(text, span);
  if (span === null || own === null) return null;
  const replaced = (name: string): string =>
    name === own ? text : splice(text, [{ ...span, text: JSON.stringify(name) }]);
  if (method === 'resources/templates/list')
    return { name: null, text: replaced(resources.exposedTemplate(slug, own)) };
  const name = isNamed ? exposedName(slug, own) : resources.exposedUri(slug, own);
  return { name, text: replaced(name) };
}
