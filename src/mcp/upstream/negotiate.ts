/**
 * Which revision to speak with a server. A stdio server says it nowhere: it is asked in the way of 2026-07-28, and
 * whatever it makes of that, unless it is an answer of that revision, means that it wants a handshake. Both go to the
 * same process.
 *
 * Must never rest on one error code: what older servers say to a method that they do not know is up to them, and some
 * say nothing, or end.
 */
import { AppError, isAppError, limits } from '../../kernel/index.ts';
import type { ClientFacts } from '../client/client-facts.ts';
import { greet, greeted, versionUnsupported } from '../protocol/handshake.ts';
import { ownRequest, type RpcResponse, resultOf } from '../protocol/message.ts';
import type { UpstreamEra } from '../ports/upstreams.ts';
import { metaKey, SESSION_VERSIONS, STATELESS_VERSION } from '../protocol/protocol.ts';
import { elementsOf, find, membersOf, slice, stringAt } from '../protocol/raw-json.ts';
import { rpcCode } from '../protocol/rpc-error.ts';
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

/** What came of it. */
export interface Opened {
  readonly hello: ServerHello;
  /** What it speaks, as far as that is known by then: what to begin with at its next start. Null: not known. Never rejects. */
  readonly spoken: Promise<UpstreamEra | null>;
}

/** The server ended while all that it had been asked was which revision it speaks. */
export class DiedOfQuestion extends Error {}

/** @throws AppError `upstream_…`, or `DiedOfQuestion` */
export async function negotiate(connection: UpstreamConnection, opening: Opening): Promise<Opened> {
  if (opening.known === 'session') return asSaid(await greetFirst(connection, opening));
  const question = ask(connection);
  const verdict = judged(connection, question);
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  // One that has answered it before only takes its time.
  const waitMs = opening.known === null ? limits.mcpDiscoverMs : limits.mcpDiscoverKnownMs;
  const timer = setTimeout(() => resolve('late'), waitMs);
  const first = await Promise.race([verdict, late]);
  clearTimeout(timer);
  if (first === 'late') return greetBeside(connection, opening, question, verdict);
  if (first !== 'handshake') return asSaid(settled(connection, first));
  if (!connection.alive) throw new DiedOfQuestion();
  return asSaid(greeted(connection, await greet(connection, opening.client, opening.version).response));
}

/** Only asks. @returns null where it wants a handshake @throws AppError `upstream_…` */
export async function discover(connection: UpstreamConnection): Promise<ServerHello | null> {
  const verdict = await judged(connection, ask(connection));
  return verdict === 'handshake' ? null : settled(connection, verdict);
}

const asSaid = (hello: ServerHello): Opened => ({ hello, spoken: Promise.resolve(hello.era) });

/** It wanted a handshake last time. What is remembered may be wrong by now. */
async function greetFirst(connection: UpstreamConnection, opening: Opening): Promise<ServerHello> {
  const answer = await greet(connection, opening.client, opening.version).response;
  if (!answer.failed) return greeted(connection, answer);
  const verdict = await judged(connection, ask(connection));
  return verdict === 'handshake' ? greeted(connection, answer) : settled(connection, verdict);
}

/**
 * It says nothing yet: a slow one, or one that passes over what it does not know. One that accepts the greeting was
 * greeted, whatever it answers to the question: of both eras, it speaks from then on what it was asked for last.
 */
async function greetBeside(
  connection: UpstreamConnection,
  opening: Opening,
  question: PendingRequest,
  verdict: Promise<Verdict>,
): Promise<Opened> {
  const leftMs = limits.mcpInitializeMs - limits.mcpDiscoverMs;
  const greeting = greet(connection, opening.client, opening.version, leftMs);
  greeting.response.catch(() => {});
  type First = RpcResponse | Exclude<Verdict, string>;
  const first = await Promise.race([
    verdict.then(async (found): Promise<First> => {
      if (found === 'handshake') return greeting.response;
      return (await accepted(greeting)) ?? found;
    }),
    // An error is what a server that knows no handshake says to one.
    greeting.response.then(async (answer): Promise<First> => {
      const found = answer.failed ? await verdict : 'handshake';
      return found === 'handshake' ? answer : found;
    }),
  ]);
  if ('kind' in first)
    return { hello: greeted(connection, first), spoken: lateWord(connection, question, verdict) };
  greeting.cancel(superseded());
  return asSaid(settled(connection, first));
}

/**
 * It was greeted because it said nothing yet. What it makes of the question after that tells whether it was only slow: one of
 * both eras is not to be greeted first from then on.
 */
async function lateWord(
  connection: UpstreamConnection,
  question: PendingRequest,
  verdict: Promise<Verdict>,
): Promise<UpstreamEra | null> {
  const timer = setTimeout(() => question.cancel(superseded()), limits.mcpDiscoverLateMs);
  timer.unref();
  const found = await verdict;
  clearTimeout(timer);
  // What was on its way when it ended says nothing.
  if (!connection.alive) return null;
  if (found === 'handshake') return 'session';
  return 'hello' in found ? 'stateless' : null;
}

/** Its answer to the greeting; null where it refuses, or says nothing to that for a while. */
async function accepted(greeting: PendingRequest): Promise<RpcResponse | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), limits.mcpGreetingMs);
  const answer = greeting.response.catch(() => null);
  const first = await Promise.race([answer, late]);
  clearTimeout(timer);
  return first?.failed === false ? first : null;
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
