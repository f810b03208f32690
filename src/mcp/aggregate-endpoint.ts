/**
 * `/mcp/<profile>`: every server of a profile as one. Names say which server is meant; nothing is started before
 * something of it is asked for.
 */
import type { ClientSession, Router } from './client-session.ts';
import type { ClientRequest } from './client-request.ts';
import { leftOutMeta, listAll } from './aggregate-lists.ts';
import { nameUnknown, ResourceRoutes, resourceUnknown, serverOfName } from './aggregate-routes.ts';
import { isListMethod, listings } from './listing.ts';
import { askForLevel } from './log-levels.ts';
import { paramSpan, paramString, type RpcRequest, resultText, rewritten } from './message.ts';
import { requiredParam } from './params.ts';
import type { ProfileServer } from './ports.ts';
import { metaKey, sessionVersionFor, STATELESS_VERSION } from './protocol.ts';
import { type Edit, find } from './raw-json.ts';
import { methodUnknown } from './rpc-error.ts';
import { watch } from './single-endpoint.ts';
import { standIn } from './stand-in.ts';
import { exposedName, plainName } from './tool-names.ts';
import type { OpenUpstream } from './upstream-directory.ts';

/** What a profile offers; which server has which of it is seen when it is listed. */
const CAPABILITIES =
  '{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"logging":{},"completions":{}}';

export function aggregateEndpoint(): Router {
  return new AggregateRouter();
}

class AggregateRouter implements Router {
  readonly #routes = new ResourceRoutes();

  async initialize(session: ClientSession, request: RpcRequest): Promise<string> {
    await this.servers(session);
    const info = JSON.stringify({ name: 'sallyport', version: session.version });
    return `{"protocolVersion":"${sessionVersionFor(request)}","capabilities":${CAPABILITIES},"serverInfo":${info}}`;
  }

  async discover(session: ClientSession): Promise<string> {
    await this.servers(session);
    const info = JSON.stringify({ name: 'sallyport', version: session.version });
    return `"supportedVersions":["${STATELESS_VERSION}"],"capabilities":${CAPABILITIES},"_meta":{"${metaKey.serverInfo}":${info}}`;
  }

  async servers(session: ClientSession): Promise<readonly ProfileServer[]> {
    return (await session.gate.profile(session.principal, session.profile)).servers;
  }

  async watchResource(session: ClientSession, uri: string): Promise<void> {
    const { server, uri: own } = await this.#resourceServer(session, await this.servers(session), uri);
    await watch(session, await session.use(server), own);
  }

  async handle(session: ClientSession, request: ClientRequest): Promise<string> {
    const servers = await this.servers(session);
    const { message } = request;
    const { method } = message;
    if (isListMethod(method)) {
      const listed = await listAll(session, servers, method, this.#routes);
      const items = `"${listings[method]}":[${listed.items.join(',')}]`;
      return resultText(message.idText, `{${items}${leftOutMeta(listed)}}`);
    }
    switch (method) {
      case 'tools/call':
        return this.#callTool(session, servers, request);
      case 'prompts/get':
        return this.#byPrompt(session, servers, request, ['name']);
      case 'resources/read':
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return this.#byResource(session, servers, request, ['uri']);
      case 'completion/complete':
        return paramString(message, 'ref', 'type') === 'ref/prompt'
          ? this.#byPrompt(session, servers, request, ['ref', 'name'])
          : this.#byResource(session, servers, request, ['ref', 'uri']);
      case 'logging/setLevel':
        return this.#setLevel(session, message);
      default:
        throw methodUnknown(method);
    }
  }

  async #callTool(
    session: ClientSession,
    servers: readonly ProfileServer[],
    request: ClientRequest,
  ): Promise<string> {
    const { message } = request;
    const exposed = requiredParam(message, 'name');
    const server = serverOfName(servers, exposed);
    if (server === null) throw nameUnknown('tool', exposed);
    const upstream = await session.use(server, plainName(server.slug, exposed) ?? exposed);
    session.sentTo(message.idText, server.slug);
    const tool = plainName(server.slug, exposed) ?? (await listedTool(upstream, exposed));
    if (tool === null) throw nameUnknown('tool', exposed);
    const owner = session.attachment(upstream);
    const edits = replaceParam(message, ['name'], tool);
    const forwarded = { ...request, edits, owner };
    const response = await session.gate.call(session.target(server), upstream, tool, forwarded);
    return rewritten(response, message.idText);
  }

  async #byPrompt(
    session: ClientSession,
    servers: readonly ProfileServer[],
    request: ClientRequest,
    path: readonly string[],
  ): Promise<string> {
    const exposed = requiredParam(request.message, ...path);
    const server = serverOfName(servers, exposed);
    if (server === null) throw nameUnknown('prompt', exposed);
    const upstream = await session.use(server);
    const own = plainName(server.slug, exposed) ?? (await listedPrompt(upstream, exposed));
    if (own === null) throw nameUnknown('prompt', exposed);
    const edits = replaceParam(request.message, path, own);
    if (request.message.method !== 'prompts/get') return this.#forward(session, server, request, edits);
    session.sentTo(request.message.idText, server.slug);
    const forwarded = { ...request, edits, owner: session.attachment(upstream) };
    const response = await session.gate.prompt(session.target(server), upstream, own, forwarded);
    return rewritten(response, request.message.idText);
  }

  async #byResource(
    session: ClientSession,
    servers: readonly ProfileServer[],
    request: ClientRequest,
    path: readonly string[],
  ): Promise<string> {
    const { message } = request;
    const { server, uri } = await this.#resourceServer(session, servers, requiredParam(message, ...path));
    const upstream = await session.use(server);
    const here = await standIn(session, upstream, message, uri);
    if (here !== null) return resultText(message.idText, here);
    const owner = session.attachment(upstream);
    if (
      message.method === 'resources/unsubscribe' &&
      owner !== null &&
      upstream.watchers.remove(uri, owner)
    ) {
      return resultText(message.idText, '{}');
    }
    const watches = message.method === 'resources/subscribe' && owner !== null;
    if (watches) upstream.watchers.add(uri, owner);
    const answer = await this.#forward(session, server, request, replaceParam(message, path, uri));
    if (watches && find(answer, 0, ['result']) === null) upstream.watchers.remove(uri, owner);
    return answer;
  }

  async #forward(
    session: ClientSession,
    server: ProfileServer,
    request: ClientRequest,
    edits: readonly Edit[],
  ): Promise<string> {
    const { idText } = request.message;
    const upstream = await session.use(server);
    session.sentTo(idText, server.slug);
    const owner = session.attachment(upstream);
    const forwarded = { ...request, edits, owner };
    const response = await session.gate.forward(session.target(server), upstream, forwarded);
    return rewritten(response, idText);
  }

  /** Whoever listed it; everyone is asked for their lists when nobody did yet. */
  async #resourceServer(
    session: ClientSession,
    servers: readonly ProfileServer[],
    uri: string,
  ): Promise<{ readonly server: ProfileServer; readonly uri: string }> {
    let route = this.#routes.find(uri);
    if (route === null) {
      await listAll(session, servers, 'resources/list', this.#routes);
      await listAll(session, servers, 'resources/templates/list', this.#routes);
      route = this.#routes.find(uri) ?? onlyOffer(session, uri);
    }
    const server = servers.find(({ slug }) => slug === route?.slug);
    if (route === null || server === undefined) throw resourceUnknown(uri);
    return { server, uri: route.uri };
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

/** The one attached server that has resources at all: an unlisted URI can only be its. */
function onlyOffer(session: ClientSession, uri: string): { slug: string; uri: string } | null {
  const offering = [...session.attached].filter((upstream) => upstream.hello.has('resources'));
  const [only] = offering;
  return only === undefined || offering.length > 1 ? null : { slug: only.connection.slug, uri };
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
