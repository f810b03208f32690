/**
 * `/mcp/<profile>`: every server of a profile as one. Names say which server is meant; nothing is started before
 * something of it is asked for.
 */
import { limits } from '../../kernel/index.ts';
import type { ClientSession, Router } from '../client/client-session.ts';
import { NOTHING_CARRIED } from '../client/client-facts.ts';
import type { ClientRequest } from '../client/client-request.ts';
import type { Target } from '../gate/forwarded.ts';
import { leftOutMeta, listAll } from './aggregate-lists.ts';
import { nameUnknown, resourceUnknown, serverOfName } from './aggregate-routes.ts';
import { joinedInstructions } from './joined-instructions.ts';
import { isListMethod, listings } from '../protocol/lists.ts';
import { askForLevel } from '../protocol/log-levels.ts';
import { paramSpan, paramString, type RpcRequest, resultText, rewritten } from '../protocol/message.ts';
import type { Named } from '../gate/named.ts';
import { requiredParam } from '../protocol/params.ts';
import type { ProfileServer, ProfileView } from '../ports/upstreams.ts';
import { profileChanges } from './profile-changes.ts';
import { metaKey, sessionVersionFor, STATELESS_VERSION } from '../protocol/protocol.ts';
import { type ProfileResources, qualifiedUri, type ResourceRoute } from './profile-resources.ts';
import type { ResourceSearch } from './resource-search.ts';
import { type Edit, elementsOf, find, splice, stringAt } from '../protocol/raw-json.ts';
import { methodUnknown } from '../protocol/rpc-error.ts';
import { askedOf, CALL, calledThrough, FIND } from '../search/meta-tools.ts';
import { failedText, type ToolSearch } from '../search/tool-search.ts';
import { watch } from './single-endpoint.ts';
import { watchedTooMany } from '../upstream/resource-watchers.ts';
import { isLater, type Soon } from '../soon.ts';
import { standIn } from './stand-in.ts';
import { exposedName, plainName } from '../protocol/tool-names.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

const SEARCH_HINT = `Find the name of a tool with ${FIND}, and call it with ${CALL}.`;

/** What a profile offers; which server has which of it is seen when it is listed. */
const CAPABILITIES =
  '{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"logging":{},"completions":{}}';

/** @param found what is known of the profile's resources, which all its clients share */
export function aggregateEndpoint(found: ResourceSearch, search: ToolSearch): Router {
  return new AggregateRouter(found, search);
}

class AggregateRouter implements Router {
  readonly #resources: ProfileResources;
  readonly #found: ResourceSearch;
  readonly #search: ToolSearch;
  /** What this client watches: by `watchKey`, the URI that it asked for. */
  readonly #watched = new Map<string, string>();
  /** Whether the profile showed two tools in place of all when it was looked at last. */
  #searched = false;

  constructor(found: ResourceSearch, search: ToolSearch) {
    this.#found = found;
    this.#resources = found.resources;
    this.#search = search;
  }

  /** Two tools stay the same whatever becomes of those behind them. */
  tells(method: string): boolean {
    return !(this.#searched && method === 'notifications/tools/list_changed');
  }

  startsToListen(): boolean {
    return !this.#searched;
  }

  changes(before: ProfileView | null, now: ProfileView | null): readonly string[] {
    return profileChanges(before, now);
  }

  async initialize(session: ClientSession, request: RpcRequest): Promise<string> {
    const instructions = await this.#instructions(session);
    const info = JSON.stringify({ name: 'sallyport', version: session.version });
    return `{"protocolVersion":"${sessionVersionFor(request)}","capabilities":${CAPABILITIES},"serverInfo":${info}${instructions}}`;
  }

  async discover(session: ClientSession): Promise<string> {
    const instructions = await this.#instructions(session);
    const info = JSON.stringify({ name: 'sallyport', version: session.version });
    return `"supportedVersions":["${STATELESS_VERSION}"],"capabilities":${CAPABILITIES},"_meta":{"${metaKey.serverInfo}":${info}}${instructions}`;
  }

  /** A member of the answer; empty where there are none. */
  async #instructions(session: ClientSession): Promise<string> {
    const servers = await this.servers(session);
    const joined = joinedInstructions(
      await session.gate.shown.agreedInstructions(session.principal, servers),
    );
    return joined === null ? '' : `,"instructions":${JSON.stringify(joined)}`;
  }

  async servers(session: ClientSession): Promise<readonly ProfileServer[]> {
    return this.#seen(await session.gate.profile(session.principal, session.profile));
  }

  #seen({ servers, search }: ProfileView): readonly ProfileServer[] {
    this.#resources.ordered(servers);
    this.#searched = search;
    return servers;
  }

  async watchResource(session: ClientSession, uri: string, request: ClientRequest): Promise<void> {
    const { server, uri: own } = await this.#resourceServer(session, uri, request, null);
    this.#watched.set(watchKey(server.slug, own), uri);
    const upstream = await session.use(server, request, { subject: 'resource', name: own });
    await watch(session, { server, upstream, uri: own }, request);
  }

  exposedResource(slug: string, uri: string): string {
    return this.#watched.get(watchKey(slug, uri)) ?? this.#resources.known(slug, uri);
  }

  async handle(session: ClientSession, request: ClientRequest): Promise<string> {
    const { message } = request;
    const { method } = message;
    if (method === 'tools/call') return this.#called(session, request);
    if (isListMethod(method)) {
      const servers = await this.servers(session);
      if (method === 'tools/list' && this.#searched)
        return resultText(message.idText, await this.#search.list(session, servers));
      const listed = await listAll(session, servers, { method, request, resources: this.#resources });
      const items = `"${listings[method]}":[${listed.items.join(',')}]`;
      return resultText(message.idText, `{${items}${leftOutMeta(listed)}}`);
    }
    switch (method) {
      case 'prompts/get':
        return this.#byPrompt(session, request, ['name']);
      case 'resources/read':
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return this.#byResource(session, request, ['uri']);
      case 'completion/complete':
        return paramString(message, 'ref', 'type') === 'ref/prompt'
          ? this.#byPrompt(session, request, ['ref', 'name'])
          : this.#byResource(session, request, ['ref', 'uri']);
      case 'logging/setLevel':
        await this.servers(session);
        return this.#setLevel(session, message);
      default:
        await this.servers(session);
        throw methodUnknown(method);
    }
  }

  /** Without a look at the kill switch, which is asked when the server of what is named is opened: a refusal is recorded as that of it. */
  #known(session: ClientSession): Soon<readonly ProfileServer[]> {
    const view = session.gate.known(session.principal, session.profile);
    return isLater(view) ? view.then((found) => this.#seen(found)) : this.#seen(view);
  }

  /** The same look, and record, for what is named and no server is known to have. */
  async #unplaced(session: ClientSession, request: ClientRequest, about: Named): Promise<void> {
    await session.gate.profile(session.whoAsks(request), session.profile, about);
  }

  async #called(session: ClientSession, request: ClientRequest): Promise<string> {
    const known = this.#known(session);
    const servers = isLater(known) ? await known : known;
    return this.#searched
      ? this.#searchedCall(session, servers, request)
      : this.#callTool(session, servers, request);
  }

  /** One of the two tools, or one behind them by its own name. */
  async #searchedCall(
    session: ClientSession,
    servers: readonly ProfileServer[],
    request: ClientRequest,
  ): Promise<string> {
    const { message } = request;
    const name = requiredParam(message, 'name');
    if (name === FIND) {
      const asked = askedOf(message);
      const found = asked.ok
        ? await this.#search.find(session, await this.servers(session), asked.value)
        : failedText(asked.error);
      return resultText(message.idText, found);
    }
    if (name !== CALL) return this.#callTool(session, servers, request);
    const called = calledThrough(message);
    if (!called.ok) return resultText(message.idText, failedText(called.error));
    // Headers beside this call repeat what it is, and nothing of the call in it.
    const carried = { ...request.carried, paramHeaders: NOTHING_CARRIED.paramHeaders };
    const inner = { ...request, message: called.value, carried };
    return this.#callTool(session, servers, inner, { mirrored: false });
  }

  async #callTool(
    session: ClientSession,
    servers: readonly ProfileServer[],
    request: ClientRequest,
    how: Pick<Target, 'mirrored'> = {},
  ): Promise<string> {
    const { message } = request;
    const exposed = requiredParam(message, 'name');
    const server = serverOfName(servers, exposed);
    if (server === null) throw nameUnknown('tool', exposed, this.#searched ? SEARCH_HINT : undefined);
    const plain = plainName(server.slug, exposed);
    const about = { subject: 'tool', name: plain ?? exposed } as const;
    const opened = session.use(server, request, about);
    const upstream = isLater(opened) ? await opened : opened;
    session.sentTo(message.idText, server, about);
    const target = { ...session.target(server, request), ...how };
    const tool = plain ?? (await session.gate.telling(target, () => listedTool(upstream, exposed)));
    if (tool === null) throw nameUnknown('tool', exposed, this.#searched ? SEARCH_HINT : undefined);
    const owner = session.attachment(upstream);
    const edits = replaceParam(message, ['name'], tool);
    const forwarded = { ...request, edits, owner };
    const response = await session.gate.call(target, upstream, tool, forwarded);
    return rewritten(response, message.idText);
  }

  async #byPrompt(session: ClientSession, request: ClientRequest, path: readonly string[]): Promise<string> {
    const { message } = request;
    const exposed = requiredParam(message, ...path);
    const server = serverOfName(await this.#known(session), exposed);
    if (server === null) {
      await this.#unplaced(session, request, { subject: 'prompt', name: exposed });
      throw nameUnknown('prompt', exposed);
    }
    const plain = plainName(server.slug, exposed);
    const about = { subject: 'prompt', name: plain ?? exposed } as const;
    const upstream = await session.use(server, request, about);
    session.sentTo(message.idText, server, about);
    const target = session.target(server, request);
    const own = plain ?? (await session.gate.telling(target, () => listedPrompt(upstream, exposed)));
    if (own === null) throw nameUnknown('prompt', exposed);
    const edits = replaceParam(message, path, own);
    const forwarded = { ...request, edits, owner: session.attachment(upstream) };
    const response =
      message.method === 'prompts/get'
        ? await session.gate.prompt(target, upstream, own, forwarded)
        : await session.gate.forward(target, upstream, forwarded);
    return rewritten(response, message.idText);
  }

  async #byResource(
    session: ClientSession,
    request: ClientRequest,
    path: readonly string[],
  ): Promise<string> {
    const { message } = request;
    const asked = requiredParam(message, ...path);
    const { server, uri, servers } = await this.#resourceServer(session, asked, request);
    const about = { subject: 'resource', name: uri } as const;
    const upstream = await session.use(server, request, about);
    session.sentTo(message.idText, server, about);
    const subscribes = message.method === 'resources/subscribe';
    if (subscribes) {
      if (this.#watched.size >= limits.mcpWatchedResourcesMax * servers) throw watchedTooMany();
      // Before the answer, which the first update may overtake.
      this.#watched.set(watchKey(server.slug, uri), asked);
    }
    if (message.method === 'resources/unsubscribe') this.#watched.delete(watchKey(server.slug, uri));
    const here = await standIn(session, { server, upstream }, request, uri).catch((error: unknown) => {
      if (subscribes) this.#watched.delete(watchKey(server.slug, uri));
      throw error;
    });
    if (here !== null) return resultText(message.idText, here);
    const owner = session.attachment(upstream);
    if (
      message.method === 'resources/unsubscribe' &&
      owner !== null &&
      upstream.watchers.remove(uri, owner)
    ) {
      return resultText(message.idText, '{}');
    }
    const watches = subscribes && owner !== null;
    if (watches) upstream.watchers.add(uri, owner);
    const forwarded = { ...request, edits: replaceParam(message, path, uri), owner };
    const response = await session.gate.forward(session.target(server, request), upstream, forwarded);
    const answer = rewritten(response, message.idText);
    if (watches && find(answer, 0, ['result']) === null) {
      upstream.watchers.remove(uri, owner);
      this.#watched.delete(watchKey(server.slug, uri));
    }
    return asked === uri ? answer : exposedContents(answer, server.slug, { own: uri, asked });
  }

  /** @param waiting the request that waits for lists of servers; null: none does. @throws AppError `mcp_resource_unknown` */
  async #resourceServer(
    session: ClientSession,
    uri: string,
    request: ClientRequest,
    waiting: ClientRequest | null = request,
  ): Promise<Placed> {
    const servers = await this.#known(session);
    const serverOf = (route: ResourceRoute | null): ProfileServer | undefined =>
      servers.find(({ slug }) => slug === route?.slug);
    if (serverOf(this.#resources.find(uri)) === undefined)
      await this.#unplaced(session, request, { subject: 'resource', name: uri });
    const route = await this.#found.find(session, servers, uri, waiting);
    const server = serverOf(route);
    if (route === null || server === undefined) throw resourceUnknown(uri);
    return { server, uri: route.uri, servers: servers.length };
  }

  #setLevel(session: ClientSession, request: RpcRequest): string {
    session.levels.set(requiredParam(request, 'level'));
    const level = requiredParam(request, 'level');
    for (const upstream of session.attached) {
      if (!upstream.hello.has('logging')) continue;
      askForLevel(upstream.connection, session.attachment(upstream), level);
    }
    return resultText(request.idText, '{}');
  }
}

/** Where a resource is. */
interface Placed {
  readonly server: ProfileServer;
  /** The server's own. */
  readonly uri: string;
  /** How many the profile has. */
  readonly servers: number;
}

const watchKey = (slug: string, uri: string): string => `${slug} ${uri}`;

/** What a server answers of a resource that clients know by another URI: contents under that, and their like. */
function exposedContents(
  answer: string,
  slug: string,
  { own, asked }: { readonly own: string; readonly asked: string },
): string {
  const contents = find(answer, 0, ['result', 'contents']);
  const edits = (contents === null ? null : (elementsOf(answer, contents) ?? []))?.flatMap(
    (element): Edit[] => {
      const span = find(answer, element.start, ['uri']);
      const uri = stringAt(answer, span);
      if (span === null || uri === null) return [];
      return [{ ...span, text: JSON.stringify(uri === own ? asked : qualifiedUri(slug, uri)) }];
    },
  );
  return splice(answer, edits ?? []);
}

async function listedTool(upstream: OpenUpstream, exposed: string): Promise<string | null> {
  const tools = await upstream.tools.list();
  return tools.find(({ name }) => exposedName(upstream.connection.slug, name) === exposed)?.name ?? null;
}

async function listedPrompt(upstream: OpenUpstream, exposed: string): Promise<string | null> {
  const prompts = await upstream.prompts.list();
  return prompts.find(({ name }) => exposedName(upstream.connection.slug, name) === exposed)?.name ?? null;
}

function replaceParam(request: RpcRequest, path: readonly string[], value: string): readonly Edit[] {
  const span = paramSpan(request, ...path);
  return span === null ? [] : [{ ...span, text: JSON.stringify(value) }];
}
