/**
 * Which revision to speak with a server. A stdio server says it nowhere: it is asked in the way of 2026-07-28, and
 * whatever it makes of that, unless it is an answer of that revision, means that it wants a handshake. Both go to the
 * same process.
 *
 * Must never rest on one error code: what older servers say to a method that they do not know is up to them, and some
 * say nothing, or end.
 */
import { AppError, isAppError, limits } from '../kernel/index.ts';
import type { ClientFacts } from './client-facts.ts';
import { greet, greeted, versionUnsupported } from './handshake.ts';
import { ownRequest, type RpcResponse, resultOf } from './message.ts';
import type { UpstreamEra } from './ports.ts';
import { metaKey, SESSION_VERSIONS, STATELESS_VERSION } from './protocol.ts';
import { elementsOf, find, membersOf, slice, stringAt } from './raw-json.ts';
import { rpcCode } from './rpc-error.ts';
import { type ServerHello, serverHello } from './server-hello.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { PendingRequest } from './waiting-request.ts';
import { upstreamFailure } from './upstream-failure.ts';

export interface Opening {
  /** Whose capabilities a server with a handshake is told. */
  readonly client: ClientFacts;
  /** The gateway's own. */
  readonly version: string;
  /** What it spoke when it was started last; null: not known. */
  readonly known: UpstreamEra | null;
}

/** What is known once a server was asked in the way of 2026-07-28: it answered in kind, or it wants a handshake. */
type Verdict = { readonly hello: ServerHello } | { readonly failure: AppError } | 'handshake';

/** The server ended while all that it had been asked was which revision it speaks. */
export class DiedOfQuestion extends Error {}

/** @throws AppError `upstream_…`, or `DiedOfQuestion` */
export async function negotiate(connection: UpstreamConnection, opening: Opening): Promise<ServerHello> {
  if (opening.known === 'session') return greetFirst(connection, opening);
  const question = ask(connection);
  const verdict = judged(connection, question);
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => resolve('late'), limits.mcpDiscoverMs);
  const first = await Promise.race([verdict, late]);
  clearTimeout(timer);
  if (first === 'late') return greetBeside(connection, opening, question, verdict);
  if (first !== 'handshake') return settled(connection, first);
  if (!connection.alive) throw new DiedOfQuestion();
  return greeted(connection, await greet(connection, opening.client, opening.version).response);
}

/** It wanted a handshake last time. What is remembered may be wrong by now. */
async function greetFirst(connection: UpstreamConnection, opening: Opening): Promise<ServerHello> {
  const answer = await greet(connection, opening.client, opening.version).response;
  if (!answer.failed) return greeted(connection, answer);
  const verdict = await judged(connection, ask(connection));
  return verdict === 'handshake' ? greeted(connection, answer) : settled(connection, verdict);
}

/** It says nothing yet: a slow one, or one that passes over what it does not know. What it answers first counts. */
async function greetBeside(
  connection: UpstreamConnection,
  opening: Opening,
  question: PendingRequest,
  verdict: Promise<Verdict>,
): Promise<ServerHello> {
  const leftMs = limits.mcpInitializeMs - limits.mcpDiscoverMs;
  const greeting = greet(connection, opening.client, opening.version, leftMs);
  greeting.response.catch(() => {});
  type First = RpcResponse | Exclude<Verdict, string>;
  const first = await Promise.race([
    verdict.then((found): First | Promise<First> => (found === 'handshake' ? greeting.response : found)),
    // An error is what a server that knows no handshake says to one.
    greeting.response.then(async (answer): Promise<First> => {
      const found = answer.failed ? await verdict : 'handshake';
      return found === 'handshake' ? answer : found;
    }),
  ]);
  if ('kind' in first) {
    question.cancel(superseded());
    return greeted(connection, first);
  }
  greeting.cancel(superseded());
  return settled(connection, first);
}

function settled(connection: UpstreamConnection, verdict: Exclude<Verdict, string>): ServerHello {
  if ('failure' in verdict) throw verdict.failure;
  connection.speakStateless();
  return verdict.hello;
}

const ask = (connection: UpstreamConnection): PendingRequest =>
  connection.request({
    message: ownRequest('server/discover'),
    owner: null,
    era: 'stateless',
    idleMs: limits.mcpInitializeMs,
  });

const judged = (connection: UpstreamConnection, question: PendingRequest): Promise<Verdict> =>
  question.response.then(
    (answer) => (answer.failed ? errorVerdict(connection, answer) : resultVerdict(connection, answer)),
    // What was refused on the way there says nothing of the server.
    (error: unknown) => (isAppError(error) && error.kind === 'denied' ? { failure: error } : 'handshake'),
  );

function resultVerdict(connection: UpstreamConnection, answer: RpcResponse): Verdict {
  const result = resultOf(answer);
  const text = result === null ? '' : slice(answer.text, result);
  const versions = text === '' ? null : versionsAt(text, ['supportedVersions']);
  if (versions === null) return 'handshake';
  if (versions.includes(STATELESS_VERSION)) {
    return { hello: serverHello('stateless', initializeResult(connection.slug, text), text) };
  }
  return others(connection, versions);
}

function errorVerdict(connection: UpstreamConnection, answer: RpcResponse): Verdict {
  const span = find(answer.text, 0, ['error', 'code']);
  const code = span === null ? Number.NaN : Number(slice(answer.text, span));
  if (code === rpcCode.unsupportedVersion) {
    return others(connection, versionsAt(answer.text, ['error', 'data', 'supported']) ?? []);
  }
  if (code === rpcCode.headerMismatch || code === rpcCode.missingCapability) {
    return { failure: upstreamFailure(connection.slug, answer) };
  }
  return 'handshake';
}

/** It knows the way of asking, but none of what is spoken so here. */
const others = (connection: UpstreamConnection, versions: readonly string[]): Verdict =>
  versions.some((version) => SESSION_VERSIONS.includes(version))
    ? 'handshake'
    : { failure: versionUnsupported(connection.slug) };

function versionsAt(text: string, path: readonly string[]): readonly string[] | null {
  const list = find(text, 0, path);
  const elements = list === null ? null : elementsOf(text, list);
  return elements === null ? null : elements.map((element) => stringAt(text, element) ?? '');
}

/** What a session is told of a server that knows none. */
function initializeResult(slug: string, discoverText: string): string {
  const members = membersOf(discoverText);
  const info = find(discoverText, 0, ['_meta', metaKey.serverInfo]);
  const given = (name: string): string | null => {
    const span = members?.get(name);
    return span === undefined ? null : slice(discoverText, span);
  };
  const instructions = given('instructions');
  return [
    `{"protocolVersion":"${STATELESS_VERSION}"`,
    `"capabilities":${given('capabilities') ?? '{}'}`,
    `"serverInfo":${info === null ? JSON.stringify({ name: slug, version: '' }) : slice(discoverText, info)}`,
    ...(instructions === null ? [] : [`"instructions":${instructions}`]),
  ]
    .join(',')
    .concat('}');
}

const superseded = (): AppError =>
  new AppError('upstream_revision_settled', 'The server answered another way.', { kind: 'unavailable' });
