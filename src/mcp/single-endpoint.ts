/** `/mcp/<profile>/<server>`: one server under its own names, as if there were no gateway. */
import type { ClientSession, Router } from './client-session.ts';
import type { ClientRequest } from './client-request.ts';
import { readTool } from './tool-catalog.ts';
import { malformedListing } from './listing.ts';
import { effectiveLevel } from './log-levels.ts';
import { type RpcResponse, resultOf, rewritten } from './message.ts';
import { ownRequest, paramSpan } from './message.ts';
import { requiredParam } from './params.ts';
import type { ProfileServer } from './ports.ts';
import { sessionVersionFor, STATELESS_VERSION } from './protocol.ts';
import { type Edit, elementsOf, find, keepElements, membersOf, slice, splice } from './raw-json.ts';
import { resultText } from './message.ts';
import { metaKey } from './protocol.ts';
import { standIn, watchHere } from './stand-in.ts';
import type { OpenUpstream } from './upstream-directory.ts';

export function singleEndpoint(slug: string): Router {
  const open = async (
    session: ClientSession,
    tool?: string,
  ): Promise<{ server: ProfileServer; upstream: OpenUpstream }> => {
    const server = await session.gate.server(session.principal, session.profile, slug);
    return { server, upstream: await session.use(server, tool) };
  };
  return {
    async initialize(session, request) {
      const { resultText: hello } = (await open(session)).upstream.hello;
      const version = find(hello, 0, ['protocolVersion']);
      if (version === null) return hello;
      return splice(hello, [{ ...version, text: JSON.stringify(sessionVersionFor(request)) }]);
    },
    async handle(session, request) {
      const { message } = request;
      const tool = message.method === 'tools/call' ? requiredParam(message, 'name') : undefined;
      const { server, upstream } = await open(session, tool);
      session.sentTo(message.idText, slug);
      return answerFrom(session, server, upstream, request);
    },
    async discover(session) {
      const { resultText: hello, discoverText } = (await open(session)).upstream.hello;
      if (discoverText !== null) return discoveredMembers(discoverText);
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
    async watchResource(session, uri) {
      const { upstream } = await open(session);
      await watch(session, upstream, uri);
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

/** Subscribes to a resource on behalf of a stateless client. */
export async function watch(session: ClientSession, upstream: OpenUpstream, uri: string): Promise<void> {
  const attachment = session.attachment(upstream);
  if (attachment === null || !upstream.hello.has('resources', 'subscribe')) return;
  if (upstream.hello.era === 'stateless') {
    await watchHere(session, upstream, uri);
    return;
  }
  const message = ownRequest('resources/subscribe', JSON.stringify({ uri }));
  upstream.watchers.add(uri, attachment);
  await upstream.connection.request({ message, owner: null }).response;
}

async function answerFrom(
  session: ClientSession,
  server: ProfileServer,
  upstream: OpenUpstream,
  request: ClientRequest,
): Promise<string> {
  const { message } = request;
  const owner = session.attachment(upstream);
  const target = session.target(server);
  const here = await standIn(session, upstream, message);
  if (here !== null) return resultText(message.idText, here);
  const forward = (edits: readonly Edit[] = []): Promise<RpcResponse> =>
    session.gate.forward(target, upstream, { ...request, edits, owner });
  switch (message.method) {
    case 'tools/call': {
      const tool = requiredParam(message, 'name');
      const response = await session.gate.call(target, upstream, tool, { ...request, owner });
      return rewritten(response, message.idText);
    }
    case 'tools/list': {
      const response = await forward();
      return rewritten(response, message.idText, chosenTools(session, server, response));
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

/** The edit that leaves only the tools that this profile shows. */
function chosenTools(session: ClientSession, server: ProfileServer, response: RpcResponse): readonly Edit[] {
  const result = resultOf(response);
  if (result === null) return [];
  const list = membersOf(response.text, result.start)?.get('tools');
  const elements = list === undefined ? null : elementsOf(response.text, list);
  if (list === undefined || elements === null) throw malformedListing(server.slug, 'tools/list');
  const texts = elements.map((element) => slice(response.text, element));
  const tools = texts.map(readTool).filter((tool) => tool !== null);
  const kept = session.gate.visible(session.target(server), tools).map((tool) => tool.text);
  return kept.length === texts.length ? [] : [keepElements(list, kept)];
}
