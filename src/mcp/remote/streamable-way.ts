/**
 * Streamable HTTP towards a server: one POST for each message, whose answer is JSON or a stream of events. In the revisions
 * with a handshake there is a session, which the server may end at any time, and a stream of its own; in the
 * stateless one each request says everything in its envelope and its headers, and closing it is cancelling it.
 *
 * Which of the two a request is of is said by its own text: what the caller decided is not decided again here.
 */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isAppError, limits } from '../../kernel/index.ts';
import { notificationText, paramString, parseMessage, readEnvelope, type RpcRequest } from '../message.ts';
import type { UpstreamHttpAnswer } from '../ports.ts';
import { find, stringAt } from '../raw-json.ts';
import type { LinkRequest } from '../upstream-link.ts';
import { asAppError, readEvents, startOfStream, type StreamPlace } from './events.ts';
import type { HttpWay, HttpWaySink } from './http-way.ts';
import { asAnswerTo } from './answer-to.ts';
import {
  isStream,
  malformed,
  mediaType,
  readAnswer,
  RemoteCaller,
  type RemoteDeps,
  statusError,
} from './remote-caller.ts';
import { followServer } from './server-stream.ts';
import { statelessHeaders } from './stateless-headers.ts';

type Header = readonly [string, string];

const SESSION_ID = /^[\x21-\x7e]+$/;
const POSTED: readonly Header[] = [
  ['Content-Type', 'application/json'],
  ['Accept', 'application/json, text/event-stream'],
];

/** What a session was begun with, for beginning another. */
interface Hello {
  readonly idText: string;
  readonly text: string;
}

interface Exchange {
  readonly leaving: AbortController;
  /** Closing it says that the answer is not wanted. */
  readonly isStateless: boolean;
}

export class StreamableWay implements HttpWay {
  readonly #deps: RemoteDeps;
  readonly #sink: HttpWaySink;
  readonly #caller: RemoteCaller;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #closing = new AbortController();
  #backlogBytes = 0;
  #hello: Hello | null = null;
  #session: string | null = null;
  #version: string | null = null;
  /** What later messages wait for: the handshake, or a session in place of one that has ended. */
  #ready: Promise<void> = Promise.resolve();
  #renewing: Promise<void> | null = null;
  #following = new AbortController();
  /** What clients asked the session for that outlives the asking: said again to the one that takes its place. */
  readonly #standing = new Map<string, string>();

  constructor(deps: RemoteDeps, sink: HttpWaySink) {
    this.#deps = deps;
    this.#sink = sink;
    this.#caller = new RemoteCaller(deps);
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  request(request: LinkRequest): void {
    const { idText, text } = request;
    const message = readEnvelope(text);
    if (!message.ok || message.value.kind !== 'request') throw new Error('a link is given requests');
    const envelope = message.value;
    if (request.method === 'initialize') this.#hello = { idText, text };
    this.#note(envelope, text);
    const exchange: Exchange = { leaving: new AbortController(), isStateless: request.era === 'stateless' };
    const signal = AbortSignal.any([exchange.leaving.signal, this.#closing.signal]);
    this.#exchanges.set(idText, exchange);
    this.#backlogBytes += text.length;
    void this.#answer(envelope, request, signal)
      .catch((error: unknown) => this.#sink.failed(idText, asAppError(this.#deps.slug, error)))
      .finally(() => {
        this.#backlogBytes -= text.length;
        this.#exchanges.delete(idText);
      });
  }

  send(text: string): void {
    const sent = this.#ready.then(() => this.#post(text));
    if (this.#hello === null || methodOf(text) !== 'notifications/initialized') return;
    this.#ready = sent;
    void sent.then(() => this.#follow());
  }

  cancel(idText: string, notification: string | null): void {
    const exchange = this.#exchanges.get(idText);
    if (exchange === undefined) return;
    const leave = (): void => exchange.leaving.abort(cancelled());
    // Elsewhere closing a request is no way to end it, and the server has to hear of it first.
    if (exchange.isStateless || notification === null) leave();
    else void this.#post(notification).then(leave);
  }

  async farewell(): Promise<void> {
    this.#following.abort(cancelled());
    if (this.#session === null) return;
    const headers = this.#sessionHeaders();
    const answer = await this.#caller.ask(
      { method: 'DELETE', headers, body: null },
      AbortSignal.timeout(limits.ownFarewellMs),
    );
    answer.body.destroy();
  }

  close(): void {
    this.#closing.abort(cancelled());
    this.#following.abort(cancelled());
  }

  /** @throws AppError why there is no answer */
  async #answer(message: RpcRequest, request: LinkRequest, signal: AbortSignal): Promise<void> {
    const { idText, text } = request;
    const stateless = statelessHeaders(message, request);
    const isHello = request.method === 'initialize';
    if (!isHello) await this.#ready;
    const session = isHello ? null : this.#session;
    const headers = (): readonly Header[] => [
      ...POSTED,
      ...(stateless ?? (isHello ? [] : this.#sessionHeaders())),
    ];
    let answer = await this.#caller.ask({ method: 'POST', headers: headers(), body: text }, signal);
    if (answer.status === 404 && session !== null && stateless === null) {
      answer.body.destroy();
      await this.#renew(session);
      answer = await this.#caller.ask({ method: 'POST', headers: headers(), body: text }, signal);
    }
    if (isHello) this.#session = this.#sessionOf(answer);
    await this.#take(idText, answer, signal);
    if (this.#sink.waits(idText))
      throw new AppError(
        'upstream_answer_missing',
        `The server "${this.#deps.slug}" ended its answer without saying anything to ${request.method}.`,
        { kind: 'unavailable' },
      );
  }

  async #take(idText: string, answer: UpstreamHttpAnswer, signal: AbortSignal): Promise<void> {
    const { slug } = this.#deps;
    if (isStream(answer)) return this.#stream(idText, answer, signal);
    if (mediaType(answer) === 'application/json') {
      const text = await readAnswer(slug, answer.body);
      const isGood = answer.status >= 200 && answer.status < 300;
      const said = isGood ? text : asAnswerTo(idText, text);
      if (said !== null && said !== '') {
        this.#received(said, idText);
        return;
      }
      if (!isGood) throw await statusError(slug, withText(answer, text));
      return;
    }
    if (answer.status < 200 || answer.status > 299) throw await statusError(slug, answer);
    answer.body.destroy();
    if (answer.status === 202 || answer.status === 204) return;
    throw malformed(slug, `of the type "${mediaType(answer).slice(0, 60)}"`);
  }

  /** A stream that breaks off before the answer is gone on with, where its events had ids. */
  async #stream(idText: string, first: UpstreamHttpAnswer, signal: AbortSignal): Promise<void> {
    const place = startOfStream();
    let attempts = 0;
    for (let answer = first; ; ) {
      const { events, cut } = await this.#events(idText, answer, place);
      if (!this.#sink.waits(idText) || signal.aborted) return;
      if (place.lastEventId === null) {
        if (cut !== null) throw cut;
        return;
      }
      attempts = events > 0 || cut === null ? 1 : attempts + 1;
      answer = await this.#resume(place, attempts, signal);
    }
  }

  async #events(
    idText: string,
    { body }: UpstreamHttpAnswer,
    place: StreamPlace,
  ): Promise<{ events: number; cut: AppError | null }> {
    let events = 0;
    let linger: NodeJS.Timeout | undefined;
    const cut = await readEvents(this.#deps.slug, body, place, {
      event: (type, data) => {
        events += 1;
        const isWanted = type === 'message' && this.#received(data, idText);
        // The server is to end the stream now; one that does not is not waited for.
        if (!this.#sink.waits(idText))
          linger ??= setTimeout(() => body.destroy(), limits.remoteStreamLingerMs).unref();
        return isWanted;
      },
      broken: (error) => this.#sink.failed(idText, error),
    });
    clearTimeout(linger);
    return { events, cut };
  }

  async #resume(place: StreamPlace, attempts: number, signal: AbortSignal): Promise<UpstreamHttpAnswer> {
    for (let attempt = attempts; ; attempt += 1) {
      const waitMs = (place.retryMs ?? limits.remoteStreamRetryMs) * 2 ** (attempt - 1);
      await sleep(Math.min(waitMs, limits.remoteStreamRetryMsMax), undefined, { signal, ref: false });
      try {
        const answer = await this.#open(place.lastEventId, signal);
        if (isStream(answer)) return answer;
        throw await statusError(this.#deps.slug, answer);
      } catch (error) {
        if (signal.aborted || attempt >= limits.remoteResumesMax || isFinal(error)) throw error;
      }
    }
  }

  #open(lastEventId: string | null, signal: AbortSignal): Promise<UpstreamHttpAnswer> {
    const headers: readonly Header[] = [
      ['Accept', 'text/event-stream'],
      ...this.#sessionHeaders(),
      ...(lastEventId === null ? [] : [['Last-Event-ID', lastEventId] as const]),
    ];
    return this.#caller.ask({ method: 'GET', headers, body: null }, signal);
  }

  /** @returns whether anybody wanted it */
  #received(text: string, about: string): boolean {
    if (about === this.#hello?.idText && this.#version === null) this.#version = versionIn(text);
    return this.#sink.message(text, about);
  }

  #sessionHeaders(): readonly Header[] {
    return [
      ...(this.#version === null ? [] : [['MCP-Protocol-Version', this.#version] as const]),
      ...(this.#session === null ? [] : [['Mcp-Session-Id', this.#session] as const]),
    ];
  }

  /** @throws AppError `upstream_answer_malformed` */
  #sessionOf(answer: UpstreamHttpAnswer): string | null {
    const session = answer.header('mcp-session-id');
    if (session === null) return null;
    if (SESSION_ID.test(session) && session.length <= limits.remoteSessionIdCharsMax) return session;
    answer.body.destroy();
    throw malformed(this.#deps.slug, 'whose session id is none');
  }

  /** A notification, or an answer to a request of the server's own; nobody waits for what becomes of it. */
  async #post(text: string): Promise<void> {
    this.#backlogBytes += text.length;
    try {
      const headers = [...POSTED, ...this.#sessionHeaders()];
      const answer = await this.#caller.ask({ method: 'POST', headers, body: text }, this.#closing.signal);
      answer.body.destroy();
      if (answer.status >= 200 && answer.status < 300) return;
      this.#deps.log.debug('mcp.upstream.not_taken', { server: this.#deps.slug, status: answer.status });
    } catch (error) {
      const { code } = asAppError(this.#deps.slug, error);
      this.#deps.log.debug('mcp.upstream.not_taken', { server: this.#deps.slug, code });
    } finally {
      this.#backlogBytes -= text.length;
    }
  }

  /** Once for all whose request was refused for the same session. */
  #renew(ended: string): Promise<void> {
    if (this.#session !== ended) return this.#ready;
    this.#renewing ??= this.#begin().finally(() => {
      this.#renewing = null;
    });
    this.#ready = this.#renewing.catch(() => undefined);
    return this.#renewing;
  }

  async #begin(): Promise<void> {
    const { slug, transport } = this.#deps;
    const hello = this.#hello;
    if (hello === null) throw sessionLost(slug);
    const answer = await this.#caller.ask(
      { method: 'POST', headers: POSTED, body: hello.text },
      AbortSignal.any([this.#closing.signal, AbortSignal.timeout(limits.mcpInitializeMs)]),
    );
    if (answer.status < 200 || answer.status > 299) throw await statusError(slug, answer);
    const session = this.#sessionOf(answer);
    const text = await this.#helloAnswer(hello.idText, answer);
    const version = text === null ? null : versionIn(text);
    if (version === null) throw sessionLost(slug);
    this.#session = session;
    this.#version = version;
    await this.#post(notificationText('notifications/initialized'));
    for (const standing of this.#standing.values()) await this.#post(standing);
    transport.note('its session had ended; another was begun');
    this.#follow();
    // Whatever the server was before, what it lists may be another now.
    this.#sink.message(notificationText('notifications/tools/list_changed'));
  }

  #note(message: RpcRequest, text: string): void {
    const { method } = message;
    if (method === 'logging/setLevel') this.#standing.set(method, text);
    const isAbout = method === 'resources/subscribe' || method === 'resources/unsubscribe';
    const uri = isAbout ? paramString(message, 'uri') : null;
    if (uri === null) return;
    if (method === 'resources/subscribe') this.#standing.set(`uri ${uri}`, text);
    else this.#standing.delete(`uri ${uri}`);
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

  #follow(): void {
    this.#following.abort(cancelled());
    this.#following = new AbortController();
    const { slug, clock, log } = this.#deps;
    void followServer(
      {
        slug,
        clock,
        open: (lastEventId, signal) => this.#open(lastEventId, signal),
        message: (text) => this.#sink.message(text),
        ended: (why) => log.debug('mcp.upstream.no_stream', { server: slug, why }),
      },
      AbortSignal.any([this.#following.signal, this.#closing.signal]),
    );
  }
}

/** Whether the server knows of no such stream, rather than being out of order. */
const isFinal = (error: unknown): boolean => {
  const status = isAppError(error) ? error.detail?.['status'] : undefined;
  return typeof status === 'number' && status < 500 && status !== 408 && status !== 429;
};

const cancelled = (): AppError =>
  new AppError('upstream_cancelled', 'Nobody waits for this any more.', { kind: 'unavailable' });

const sessionLost = (slug: string): AppError =>
  new AppError('upstream_session_lost', `The server "${slug}" ended its session, and begins no other.`, {
    kind: 'unavailable',
    hint: 'Try again.',
  });

function methodOf(text: string): string | null {
  const message = readEnvelope(text);
  return message.ok && message.value.kind === 'notification' ? message.value.method : null;
}

/** The revision in the answer to `initialize`; null where it is none. */
function versionIn(text: string): string | null {
  const message = parseMessage(text);
  if (!message.ok || message.value.kind !== 'response') return null;
  const version = stringAt(text, find(text, 0, ['result', 'protocolVersion']));
  return version !== null && /^[\w.-]{1,32}$/.test(version) ? version : null;
}

/** An answer whose body has been read. */
const withText = (answer: UpstreamHttpAnswer, text: string): UpstreamHttpAnswer => ({
  status: answer.status,
  header: (name) => answer.header(name),
  body: Readable.from([Buffer.from(text, 'utf8')]),
});
