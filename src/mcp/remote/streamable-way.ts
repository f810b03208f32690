/**
 * Streamable HTTP towards a server: one POST for each message, whose answer is JSON or a stream of events. In the revisions
 * with a handshake there is a session; in the stateless one each request says everything in its envelope and its
 * headers, and closing it is cancelling it.
 *
 * Which of the two a request is of was decided by whoever hands it in: nothing of that is decided again here.
 */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isAppError, limits } from '../../kernel/index.ts';
import { readEnvelope, type RpcRequest } from '../protocol/message.ts';
import type { UpstreamHttpAnswer } from '../ports/upstreams.ts';
import type { LinkRequest } from '../upstream/upstream-link.ts';
import { asAnswerTo } from './answer-to.ts';
import { asAppError, readEvents, startOfStream, type StreamPlace } from './events.ts';
import type { HttpWay, HttpWaySink } from './http-way.ts';
import {
  isStream,
  malformed,
  mediaType,
  noLongerWanted,
  readAnswer,
  RemoteCaller,
  type RemoteDeps,
  statusError,
} from './remote-caller.ts';
import { type Header, POSTED, RemoteSession } from './remote-session.ts';
import { statelessHeaders } from './stateless-headers.ts';

interface Exchange {
  readonly leaving: AbortController;
  /** Closing it says that the answer is not wanted. */
  readonly isStateless: boolean;
  /** It is there to be told of changes, and has no end of its own. */
  readonly isSubscription: boolean;
}

export class StreamableWay implements HttpWay {
  readonly #deps: RemoteDeps;
  readonly #sink: HttpWaySink;
  readonly #caller: RemoteCaller;
  readonly #session: RemoteSession;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #closing = new AbortController();
  #requestBytes = 0;

  constructor(deps: RemoteDeps, sink: HttpWaySink) {
    this.#deps = deps;
    this.#sink = sink;
    this.#caller = new RemoteCaller(deps);
    const message = (text: string): boolean => sink.message(text);
    this.#session = new RemoteSession(deps, this.#caller, this.#closing.signal, message);
  }

  get backlogBytes(): number {
    return this.#requestBytes + this.#session.backlogBytes;
  }

  get hasSession(): boolean {
    return this.#session.id !== null;
  }

  request(request: LinkRequest): void {
    const { idText, text, era, method } = request;
    const message = readEnvelope(text);
    if (!message.ok || message.value.kind !== 'request') throw new Error('a link is given requests');
    if (era === 'session') this.#session.note(message.value, idText);
    const exchange: Exchange = {
      leaving: new AbortController(),
      isStateless: era === 'stateless',
      isSubscription: method === 'subscriptions/listen',
    };
    const signal = AbortSignal.any([exchange.leaving.signal, this.#closing.signal]);
    this.#exchanges.set(idText, exchange);
    this.#requestBytes += text.length;
    void this.#answer(message.value, request, signal)
      .catch((error: unknown) => this.#sink.failed(idText, asAppError(this.#deps.slug, error)))
      .finally(() => {
        this.#requestBytes -= text.length;
        this.#exchanges.delete(idText);
      });
  }

  send(text: string): void {
    const message = readEnvelope(text);
    const isNotification = message.ok && message.value.kind === 'notification';
    if (isNotification && message.value.method === 'notifications/initialized')
      this.#session.initialized(text);
    else void this.#session.ready.then(() => this.#session.post(text));
  }

  cancel(idText: string, notification: string | null): void {
    const exchange = this.#exchanges.get(idText);
    if (exchange === undefined) return;
    const leave = (): void => exchange.leaving.abort(noLongerWanted());
    // Elsewhere closing a request is no way to end it, and the server has to hear of it first.
    if (exchange.isStateless || notification === null) leave();
    else void this.#session.post(notification).then(leave);
  }

  farewell(): Promise<void> {
    for (const { leaving, isSubscription } of this.#exchanges.values())
      if (isSubscription) leaving.abort(noLongerWanted());
    return this.#session.farewell();
  }

  close(): void {
    this.#closing.abort(noLongerWanted());
  }

  /** @throws AppError why there is no answer */
  async #answer(message: RpcRequest, request: LinkRequest, signal: AbortSignal): Promise<void> {
    const { idText, method } = request;
    const isHello = method === 'initialize';
    if (!isHello) await this.#session.ready;
    const answer = await this.#ask(message, request, signal);
    if (isHello) this.#session.opened(answer);
    await this.#take(idText, answer, signal);
    if (this.#sink.waits(idText))
      throw new AppError(
        'upstream_answer_missing',
        `The server "${this.#deps.slug}" ended its answer without saying anything to ${method}.`,
        { kind: 'unavailable' },
      );
  }

  /** In a session of the server's: where it has ended the one, in another. */
  async #ask(message: RpcRequest, request: LinkRequest, signal: AbortSignal): Promise<UpstreamHttpAnswer> {
    const { method, text } = request;
    const session = this.#session;
    const stateless = statelessHeaders(message, request);
    const isIn = stateless === null && method !== 'initialize';
    const ask = (): Promise<UpstreamHttpAnswer> => {
      const beside: readonly Header[] = stateless ?? (isIn ? session.headers : []);
      return this.#caller.ask({ method: 'POST', headers: [...POSTED, ...beside], body: text }, signal);
    };
    const { id } = session;
    const answer = await ask();
    if (!isIn || id === null || !(await session.isEndedBy(answer, id))) return answer;
    answer.body.destroy();
    await session.renew(id);
    return ask();
  }

  async #take(idText: string, answer: UpstreamHttpAnswer, signal: AbortSignal): Promise<void> {
    const { slug } = this.#deps;
    if (isStream(answer)) return this.#stream(idText, answer, signal);
    const isGood = answer.status >= 200 && answer.status < 300;
    if (mediaType(answer) === 'application/json') {
      const text = await readAnswer(slug, answer.body);
      const said = isGood ? text : asAnswerTo(idText, text);
      if (said !== null && said !== '') this.#received(said, idText);
      else if (!isGood) throw await statusError(slug, withText(answer, text));
      return;
    }
    if (!isGood) throw await statusError(slug, answer);
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
      // Cut off it is the network's doing, and none of the client's business.
      const early = new AbortController();
      if (cut === null && place.retryMs !== null)
        this.#sink.paused(idText, place.retryMs, () => early.abort(noLongerWanted()));
      attempts = events > 0 || cut === null ? 1 : attempts + 1;
      answer = await this.#resume(place, attempts, signal, early.signal);
    }
  }

  async #events(
    idText: string,
    { body }: UpstreamHttpAnswer,
    place: StreamPlace,
  ): Promise<{ events: number; cut: AppError | null }> {
    let events = 0;
    let linger: NodeJS.Timeout | undefined;
    // The server is to end the stream now; one that does not is not waited for.
    const settled = (): void => {
      if (!this.#sink.waits(idText))
        linger ??= setTimeout(() => body.destroy(), limits.remoteStreamLingerMs).unref();
    };
    const cut = await readEvents(this.#deps.slug, body, place, {
      event: (type, data) => {
        events += 1;
        const isWanted = type === 'message' && this.#received(data, idText);
        settled();
        return isWanted;
      },
      broken: (error) => {
        this.#sink.failed(idText, error);
        settled();
      },
    });
    clearTimeout(linger);
    return { events, cut };
  }

  /** @param early ends the first wait */
  async #resume(
    place: StreamPlace,
    attempts: number,
    signal: AbortSignal,
    early: AbortSignal,
  ): Promise<UpstreamHttpAnswer> {
    for (let attempt = attempts; ; attempt += 1) {
      const waitMs = (place.retryMs ?? limits.remoteStreamRetryMs) * 2 ** (attempt - 1);
      const ending = attempt === attempts ? AbortSignal.any([signal, early]) : signal;
      const until = { signal: ending, ref: false };
      await sleep(Math.min(waitMs, limits.remoteStreamRetryMsMax), undefined, until).catch(() => undefined);
      signal.throwIfAborted();
      try {
        const answer = await this.#session.open(place.lastEventId, signal);
        if (isStream(answer)) return answer;
        throw await statusError(this.#deps.slug, answer);
      } catch (error) {
        if (signal.aborted || attempt >= limits.remoteResumesMax || isFinal(error)) throw error;
      }
    }
  }

  /** @returns whether anybody wanted it */
  #received(text: string, about: string): boolean {
    this.#session.heard(text, about);
    return this.#sink.message(text, about);
  }
}

/** Whether the server knows of no such stream, rather than being out of order. */
const isFinal = (error: unknown): boolean => {
  const status = isAppError(error) ? error.detail?.['status'] : undefined;
  return typeof status === 'number' && status < 500 && status !== 408 && status !== 429;
};

/** An answer whose body has been read. */
const withText = (answer: UpstreamHttpAnswer, text: string): UpstreamHttpAnswer => ({
  status: answer.status,
  header: (name) => answer.header(name),
  body: Readable.from([Buffer.from(text, 'utf8')]),
});
