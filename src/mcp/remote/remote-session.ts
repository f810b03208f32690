/**
 * The session with a server elsewhere, in the revisions that have one: begun by a handshake, named in each request from
 * then on, and begun again where the server has ended it. It has a stream of its own, and what clients asked of it that
 * outlives the asking.
 *
 * Trusts nothing that names it: an id that no header carries is none.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, limits } from '../../kernel/index.ts';
import { listChanged, listed } from '../protocol/lists.ts';
import { notificationText, paramString, parseMessage, type RpcRequest } from '../protocol/message.ts';
import { SESSION_VERSIONS } from '../protocol/protocol.ts';
import type { UpstreamHttpAnswer } from '../ports/upstreams.ts';
import { find, slice, stringAt } from '../protocol/raw-json.ts';
import { rpcCode } from '../protocol/rpc-error.ts';
import { asAnswerTo } from './answer-to.ts';
import { asAppError, readEvents, startOfStream } from './events.ts';
import {
  isStream,
  malformed,
  mediaType,
  noLongerWanted,
  readAnswer,
  type RemoteCaller,
  type RemoteDeps,
  statusError,
} from './remote-caller.ts';
import { followServer } from './server-stream.ts';

export type Header = readonly [string, string];

const SESSION_ID = /^[\x21-\x7e]+$/;
const LEVEL = 'logging/setLevel';
const VERSION = /^[\w.-]{1,32}$/;

export const POSTED: readonly Header[] = [
  ['Content-Type', 'application/json'],
  ['Accept', 'application/json, text/event-stream'],
];

/** The ids of all that clients ask are numbers. */
const PING_ID = 'sallyport-ping';
const PING = JSON.stringify({ jsonrpc: '2.0', id: PING_ID, method: 'ping' });

/** What it was begun with, for beginning another. */
interface Hello {
  readonly idText: string;
  readonly text: string;
}

/** Whether a session has ended, which is being asked. */
interface Asked {
  readonly id: string;
  readonly isEnded: Promise<boolean>;
}

export class RemoteSession {
  /** Bytes of messages that nobody waits for, on their way. */
  backlogBytes = 0;
  readonly #deps: RemoteDeps;
  readonly #caller: RemoteCaller;
  readonly #closing: AbortSignal;
  /** What the server says by itself. */
  readonly #message: (text: string) => boolean;
  /** What clients asked that outlives the asking: said again to the one that takes its place. */
  readonly #standing = new Map<string, string>();
  #hello: Hello | null = null;
  #id: string | null = null;
  #version: string | null = null;
  #ready: Promise<void> = Promise.resolve();
  #renewing: Promise<void> | null = null;
  #asked: Asked | null = null;
  #following = new AbortController();
  /** `Clock.monotonic()` when it was begun. */
  #begunMs = 0;
  /** How often in a row one has ended soon, and only its stream told. */
  #shortLived = 0;

  constructor(
    deps: RemoteDeps,
    caller: RemoteCaller,
    closing: AbortSignal,
    message: (text: string) => boolean,
  ) {
    this.#deps = deps;
    this.#caller = caller;
    this.#closing = closing;
    this.#message = message;
  }

  /** Null before there is one, and where the server gives none. */
  get id(): string | null {
    return this.#id;
  }

  get headers(): readonly Header[] {
    return [
      ...(this.#version === null ? [] : [['MCP-Protocol-Version', this.#version] as const]),
      ...(this.#id === null ? [] : [['Mcp-Session-Id', this.#id] as const]),
    ];
  }

  /** What later messages wait for: the handshake, or a session in place of one that has ended. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** A request of a client's, before it is sent. */
  note(message: RpcRequest, idText: string): void {
    const { method, text } = message;
    if (method === 'initialize') this.#hello = { idText, text };
    if (method === LEVEL) this.#stands(method, text);
    const isAbout = method === 'resources/subscribe' || method === 'resources/unsubscribe';
    const uri = isAbout ? paramString(message, 'uri') : null;
    if (uri === null) return;
    if (method === 'resources/subscribe') this.#stands(`uri ${uri}`, text);
    else this.#standing.delete(`uri ${uri}`);
  }

  /** The oldest gives way: of what clients may ask for there is no end. */
  #stands(key: string, text: string): void {
    this.#standing.delete(key);
    if (text.length > limits.remoteStandingCharsMax) return;
    this.#standing.set(key, text);
    for (const oldest of this.#standing.keys()) {
      if (this.#standing.size <= limits.remoteStandingMax) return;
      if (oldest !== LEVEL) this.#standing.delete(oldest);
    }
  }

  /** The head of the answer to `initialize`. @throws AppError `upstream_answer_malformed` */
  opened(answer: UpstreamHttpAnswer): void {
    this.#id = this.#idIn(answer);
    this.#begunMs = this.#deps.clock.monotonic();
  }

  /** A message in answer to a request: that to `initialize` says the revision. */
  heard(text: string, about: string): void {
    if (about === this.#hello?.idText && this.#version === null) this.#version = versionIn(text);
  }

  /** Of the client: the handshake is over once the server has heard of that. */
  initialized(text: string): void {
    this.#ready = this.#ready.then(() => this.post(text));
    void this.#ready.then(() => this.#follow());
  }

  /** A notification, or an answer to a request of the server's own; nobody waits for what becomes of it. */
  async post(text: string): Promise<void> {
    const { slug, log } = this.#deps;
    this.backlogBytes += text.length;
    try {
      const headers = [...POSTED, ...this.headers];
      const answer = await this.#caller.ask({ method: 'POST', headers, body: text }, this.#closing);
      answer.body.destroy();
      if (answer.status >= 200 && answer.status < 300) return;
      log.debug('mcp.upstream.not_taken', { server: slug, status: answer.status });
    } catch (error) {
      log.debug('mcp.upstream.not_taken', { server: slug, code: asAppError(slug, error).code });
    } finally {
      this.backlogBytes -= text.length;
    }
  }

  /** A stream by GET: the session's own, or one that broke off. */
  open(lastEventId: string | null, signal: AbortSignal): Promise<UpstreamHttpAnswer> {
    const headers: readonly Header[] = [
      ['Accept', 'text/event-stream'],
      ...this.headers,
      ...(lastEventId === null ? [] : [['Last-Event-ID', lastEventId] as const]),
    ];
    return this.#caller.ask({ method: 'GET', headers, body: null }, signal);
  }

  /**
   * Whether an answer means that there is no such session any more. That is 404; many servers say 400 instead, which may as
   * well be about the request: whoever knows the session answers a ping in it, be it with an error.
   */
  async isEndedBy({ status }: UpstreamHttpAnswer, id: string): Promise<boolean> {
    return status === 400 ? this.#isEnded(id) : status === 404;
  }

  /** Asks once for all who want to know it of the same session. */
  async #isEnded(id: string): Promise<boolean> {
    if (this.#id !== id) return true;
    const asked = this.#asked?.id === id ? this.#asked : { id, isEnded: this.#refusesPing() };
    this.#asked = asked;
    const isEnded = await asked.isEnded;
    if (this.#asked === asked) this.#asked = null;
    // Somebody else may have met its end meanwhile.
    return isEnded || this.#id !== id;
  }

  /** Never rejects. */
  async #refusesPing(): Promise<boolean> {
    try {
      const answer = await this.#caller.ask(
        { method: 'POST', headers: [...POSTED, ...this.headers], body: PING },
        AbortSignal.any([this.#closing, AbortSignal.timeout(limits.mcpInitializeMs)]),
      );
      const isRefused = answer.status === 400 || answer.status === 404;
      if (isRefused && mediaType(answer) === 'application/json')
        return !hasNoPing(await readAnswer(this.#deps.slug, answer.body));
      answer.body.destroy();
      return isRefused;
    } catch {
      return false;
    }
  }

  /** Once for all whose request was refused for the same session. @throws AppError where there is no other */
  renew(ended: string): Promise<void> {
    if (this.#id !== ended) return this.#ready;
    this.#renewing ??= this.#begin()
      .catch(async (error: unknown) => {
        await this.#deps.transport.sessionLost?.();
        throw error;
      })
      .finally(() => {
        this.#renewing = null;
      });
    this.#ready = this.#renewing.catch(() => undefined);
    return this.#renewing;
  }

  /** Tells the server that it is over. */
  async farewell(): Promise<void> {
    this.#following.abort(noLongerWanted());
    if (this.#id === null) return;
    const request = { method: 'DELETE', headers: this.headers, body: null } as const;
    const answer = await this.#caller.ask(request, AbortSignal.timeout(limits.ownFarewellMs));
    answer.body.destroy();
  }

  async #begin(): Promise<void> {
    const { slug, transport } = this.#deps;
    const hello = this.#hello;
    if (hello === null) throw sessionLost(slug);
    const answer = await this.#caller.ask(
      { method: 'POST', headers: POSTED, body: hello.text },
      AbortSignal.any([this.#closing, AbortSignal.timeout(limits.mcpInitializeMs)]),
    );
    if (answer.status < 200 || answer.status > 299) throw await statusError(slug, answer);
    const id = this.#idIn(answer);
    const text = await this.#helloAnswer(hello.idText, answer);
    const version = text === null ? null : versionIn(text);
    if (text === null || version === null || !SESSION_VERSIONS.includes(version)) throw sessionLost(slug);
    this.#id = id;
    this.#version = version;
    this.#begunMs = this.#deps.clock.monotonic();
    await this.post(notificationText('notifications/initialized'));
    for (const standing of this.#standing.values()) await this.post(standing);
    transport.note('its session had ended; another was begun');
    this.#follow();
    // Whatever the server was before, what it lists may be another now.
    for (const list of listed)
      if (list === 'tools' || find(text, 0, ['result', 'capabilities', list]) !== null)
        this.#message(notificationText(listChanged(list)));
  }

  async #helloAnswer(idText: string, answer: UpstreamHttpAnswer): Promise<string | null> {
    const { slug } = this.#deps;
    if (!isStream(answer)) return asAnswerTo(idText, await readAnswer(slug, answer.body));
    let found: string | null = null;
    await readEvents(slug, answer.body, startOfStream(), {
      event(type, data) {
        if (type === 'message') found ??= asAnswerTo(idText, data);
        if (found !== null) answer.body.destroy();
        return found !== null;
      },
      broken: () => undefined,
    });
    return found;
  }

  #idIn(answer: UpstreamHttpAnswer): string | null {
    const id = answer.header('mcp-session-id');
    if (id === null) return null;
    if (SESSION_ID.test(id) && id.length <= limits.remoteSessionIdCharsMax) return id;
    answer.body.destroy();
    throw malformed(this.#deps.slug, 'whose session id is none');
  }

  #follow(): void {
    this.#following.abort(noLongerWanted());
    this.#following = new AbortController();
    const { slug, clock, log } = this.#deps;
    const signal = AbortSignal.any([this.#following.signal, this.#closing]);
    const id = this.#id;
    void followServer(
      {
        slug,
        clock,
        open: (lastEventId) => this.open(lastEventId, signal),
        message: (text) => this.#message(text),
        ended: (why, isRefused) => {
          log.debug('mcp.upstream.no_stream', { server: slug, why });
          if (isRefused && id !== null) void this.#streamRefused(id, signal);
        },
      },
      signal,
    );
  }

  /**
   * A stream that there was is refused. Where that is for the session's end, another is begun now: clients that only wait for
   * what the server says by itself ask for nothing that would tell. Never rejects.
   */
  async #streamRefused(id: string, signal: AbortSignal): Promise<void> {
    const lastedMs = this.#deps.clock.monotonic() - this.#begunMs;
    this.#shortLived = lastedMs < limits.remoteStreamShortMs ? this.#shortLived + 1 : 0;
    if (!(await this.#isEnded(id))) return;
    const pauseMs =
      this.#shortLived < 2 ? 0 : limits.remoteStreamRetryMs * 2 ** Math.min(this.#shortLived, 10);
    try {
      await sleep(Math.min(pauseMs, limits.remoteStreamRetryMsMax), undefined, { signal, ref: false });
      await this.renew(id);
    } catch {
      // It is not wanted any more; or there is no other, as the next request is told.
    }
  }
}

/** Whether this is the answer of a server that knows the session, and no ping. */
function hasNoPing(text: string): boolean {
  const message = parseMessage(text);
  if (!message.ok || message.value.kind !== 'response') return false;
  const code = find(text, 0, ['error', 'code']);
  const isAnswer = message.value.idText === JSON.stringify(PING_ID);
  return isAnswer && code !== null && slice(text, code) === String(rpcCode.methodNotFound);
}

const sessionLost = (slug: string): AppError =>
  new AppError('upstream_session_lost', `The server "${slug}" ended its session, and begins no other.`, {
    kind: 'unavailable',
    hint: 'Try again.',
  });

/** The revision in the answer to `initialize`; null where it is none. */
function versionIn(text: string): string | null {
  const message = parseMessage(text);
  if (!message.ok || message.value.kind !== 'response') return null;
  const version = stringAt(text, find(text, 0, ['result', 'protocolVersion']));
  return version !== null && VERSION.test(version) ? version : null;
}
