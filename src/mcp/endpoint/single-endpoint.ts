/** `/mcp/<profile>/<server>`: one server under its own names, as if there were no gateway. */
import { limits } from '../../kernel/index.ts';
import type { ClientSession, Router } from '../client/client-session.ts';
import type { ClientRequest } from '../client/client-request.ts';
import type { ListedDefinition } from '../upstream/tool-catalog.ts';
import { listings, type ListMethod } from '../protocol/lists.ts';
import { listingTooLarge, malformedListing } from '../upstream/listing.ts';
import { effectiveLevel } from '../protocol/log-levels.ts';
import { hasVariant, knownNames } from '../protocol/member-names.ts';
import { type RpcResponse, resultOf, rewritten } from '../protocol/message.ts';
import { ownRequest, paramSpan } from '../protocol/message.ts';
import { type Named, namedBy } from '../gate/named.ts';
import { requiredParam } from '../protocol/params.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import { serverChanges } from './profile-changes.ts';
import { sessionVersionFor, STATELESS_VERSION } from '../protocol/protocol.ts';
import {
  type Edit,
  elementsOf,
  find,
  keepElements,
  membersOf,
  slice,
  splice,
  withoutMember,
} from '../protocol/raw-json.ts';
import { resultText } from '../protocol/message.ts';
import { metaKey } from '../protocol/protocol.ts';
import { isLater } from '../soon.ts';
import { standIn, watchHere } from './stand-in.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

export function singleEndpoint(slug: string): Router {
  const open = async (
    session: ClientSession,
    request?: ClientRequest,
    about?: Named,
  ): Promise<{ server: ProfileServer; upstream: OpenUpstream }> => {
    const server = await session.gate.server(session.principal, session.profile, slug);
    return { server, upstream: await session.use(server, request, about) };
  };
  return {
    changes: (before, now) => serverChanges(slug, before, now),
    async initialize(session, request) {
      const { server, upstream } = await open(session);
      const hello = await agreedHello(session, server, upstream.hello.resultText);
      const version = find(hello, 0, ['protocolVersion']);
      if (version === null) return hello;
      return splice(hello, [{ ...version, text: JSON.stringify(sessionVersionFor(request)) }]);
    },
    async handle(session, request) {
      const { message } = request;
      const tool = message.method === 'tools/call' ? requiredParam(message, 'name') : undefined;
      const about = namedBy(message);
      const found = session.gate.server(session.principal, session.profile, slug);
      const server = isLater(found) ? await found : found;
      const opened = session.use(server, request, about);
      const upstream = isLater(opened) ? await opened : opened;
      session.sentTo(message.idText, server, about);
      if (tool === undefined) return answerFrom(session, server, upstream, request);
      const owner = session.attachment(upstream);
      const target = session.target(server, request);
      const response = await session.gate.call(target, upstream, tool, { ...request, owner });
      return rewritten(response, message.idText);
    },
    async discover(session) {
      const { server, upstream } = await open(session);
      const { resultText, discoverText } = upstream.hello;
      if (discoverText !== null) return discoveredMembers(await agreedHello(session, server, discoverText));
      const hello = await agreedHello(session, server, resultText);
      const members = membersOf(hello);
      const parts = [`"supportedVersions":["${STATELESS_VERSION}"]`];
      for (const name of ['capabilities', 'instructions']) {
        const span = members?.get(name);
        if (span !== undefined) parts.push(`"${name}":${slice(hello, span)}`);
      }
      const info = members?.get('serverInfo');
      if (info !== undefined) parts.push(`"_meta":{"${metaKey.serverInfo}":${slice(hello, info)}}`);
      return parts.join(',');
    },
    async servers(session) {
      return [await session.gate.server(session.principal, session.profile, slug)];
    },
    async watchResource(session, uri, request) {
      const { server, upstream } = await open(session, request, { subject: 'resource', name: uri });
      await watch(session, { server, upstream, uri }, request);
    },
  };
}

/** What a stateless server says of itself, all of it, but for what is the gateway's to say. */
function discoveredMembers(discoverText: string): string {
  const own = new Map([
    ['supportedVersions', `["${STATELESS_VERSION}"]`],
    // Who may see it is decided by a token, so no one in between may keep it for others.
    ['cacheScope', '"private"'],
  ]);
  return [...(membersOf(discoverText) ?? [])]
    .map(([name, span]) => `${JSON.stringify(name)}:${own.get(name) ?? slice(discoverText, span)}`)
    .join(',');
}

/** Which resource, by its server's own URI, and where. */
export interface Watched {
  readonly server: ProfileServer;
  readonly upstream: OpenUpstream;
  readonly uri: string;
}

/** Subscribes to a resource on behalf of a stateless client. @throws AppError `policy_…`, `upstream_…` */
export async function watch(
  session: ClientSession,
  { server, upstream, uri }: Watched,
  request: ClientRequest,
): Promise<void> {
  const attachment = session.attachment(upstream);
  if (attachment === null || !upstream.hello.has('resources', 'subscribe')) return;
  await session.gate.watch(session.target(server, request), uri, request, async () => {
    if (upstream.hello.era === 'stateless') {
      await watchHere(session, upstream, uri);
      return;
    }
    const message = ownRequest('resources/subscribe', JSON.stringify({ uri }));
    upstream.watchers.add(uri, attachment);
    await upstream.connection.request({ message, owner: null }).response;
  });
}

/** Of anything but the call of a tool. */
async function answerFrom(
  session: ClientSession,
  server: ProfileServer,
  upstream: OpenUpstream,
  request: ClientRequest,
): Promise<string> {
  const { message } = request;
  const owner = session.attachment(upstream);
  const target = session.target(server, request);
  const here = await standIn(session, { server, upstream }, request);
  if (here !== null) return resultText(message.idText, here);
  const forward = (edits: readonly Edit[] = []): Promise<RpcResponse> =>
    session.gate.forward(target, upstream, { ...request, edits, owner });
  switch (message.method) {
    case 'tools/list': {
      const response = await forward();
      const choose = async (texts: readonly string[]) =>
        session.gate.shown.tools(target, upstream.tools.noted(texts));
      return rewritten(response, message.idText, await chosen(server, response, 'tools/list', choose));
    }
    case 'prompts/list': {
      const response = await forward();
      const choose = async (texts: readonly string[]) =>
        session.gate.shown.prompts(target, upstream.prompts.noted(texts));
      return rewritten(response, message.idText, await chosen(server, response, 'prompts/list', choose));
    }
    case 'resources/list':
    case 'resources/templates/list': {
      const response = await forward();
      const member = message.method === 'resources/list' ? 'uri' : 'uriTemplate';
      const choose = (texts: readonly string[]) => {
        upstream.resources.look(member, texts);
        return session.gate.shown.resources(target, member, texts);
      };
      return rewritten(response, message.idText, await chosen(server, response, message.method, choose));
    }
    case 'prompts/get': {
      const name = requiredParam(message, 'name');
      return rewritten(
        await session.gate.prompt(target, upstream, name, { ...request, owner }),
        message.idText,
      );
    }
    case 'logging/setLevel': {
      const level = requiredParam(message, 'level');
      const span = paramSpan(message, 'level');
      const shared = JSON.stringify(effectiveLevel(upstream.connection, owner, level));
      const response = await forward(span === null ? [] : [{ ...span, text: shared }]);
      if (!response.failed) session.levels.set(level);
      return rewritten(response, message.idText);
    }
    case 'resources/subscribe': {
      const uri = requiredParam(message, 'uri');
      // Before the answer, which the first update may overtake.
      if (owner !== null) upstream.watchers.add(uri, owner);
      const response = await forward();
      if (response.failed && owner !== null) upstream.watchers.remove(uri, owner);
      return rewritten(response, message.idText);
    }
    case 'resources/unsubscribe': {
      const uri = requiredParam(message, 'uri');
      if (owner !== null && upstream.watchers.remove(uri, owner)) return resultText(message.idText, '{}');
      return rewritten(await forward(), message.idText);
    }
    default:
      return rewritten(await forward(), message.idText);
  }
}

/** The edit that leaves only the definitions that are chosen. */
async function chosen(
  server: ProfileServer,
  response: RpcResponse,
  method: ListMethod,
  choose: (texts: readonly string[]) => Promise<readonly Pick<ListedDefinition, 'text'>[]>,
): Promise<readonly Edit[]> {
  const result = resultOf(response);
  if (result === null) return [];
  const list = membersOf(response.text, result.start)?.get(listings[method]);
  const elements = list === undefined ? null : elementsOf(response.text, list);
  if (list === undefined || elements === null) throw malformedListing(server.slug, method);
  if (elements.length > limits.mcpListItemsMax) throw listingTooLarge(server.slug, method);
  const kept = (await choose(elements.map((element) => slice(response.text, element)))).map(
    ({ text }) => text,
  );
  return kept.length === elements.length ? [] : [keepElements(list, kept)];
}

/** The members of `initialize`'s result, or of `server/discover`'s; without instructions that nobody agreed to. */
async function agreedHello(session: ClientSession, server: ProfileServer, said: string): Promise<string> {
  // In another case they are none, but to some clients.
  const other = [...(membersOf(said)?.keys() ?? [])].find((name) => hasVariant([name], INSTRUCTIONS));
  const hello = other === undefined ? said : withoutMember(said, other);
  const instructions = find(hello, 0, ['instructions']);
  if (instructions === null) return hello;
  const text = slice(hello, instructions);
  return (await session.gate.shown.areInstructionsAgreed(session.target(server), text))
    ? hello
    : withoutMember(hello, 'instructions');
}

const INSTRUCTIONS = knownNames(['instructions']);
