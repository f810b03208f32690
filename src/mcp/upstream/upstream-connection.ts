/**
 * One connection to one server, shared by every client session that uses it: what is said, while its link is how that
 * travels. Ids and progress tokens are the connection's own on the server's side, so that no session can meet another's.
 *
 * Trusts nothing that the server writes: an answer counts only for a request that is waiting, progress only for
 * a request in flight, and whatever else it prints is dropped.
 */
import { AppError, type Clock, limits, type Log } from '../../kernel/index.ts';
import { isWithinMeasure } from '../../wire/index.ts';
import { idAtEdge } from './answer-id.ts';
import { cancellation } from '../protocol/cancellation.ts';
import { NOTHING_CARRIED, UNKNOWN_CLIENT } from '../client/client-facts.ts';
import { envelopeEdits } from '../protocol/envelope.ts';
import {
  paramSpan,
  parseMessage,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  rewritten,
} from '../protocol/message.ts';
import { NotificationBudget } from './notification-budget.ts';
import type { UpstreamBase, UpstreamEra, UpstreamExit } from '../ports/upstreams.ts';
import { printable } from '../protocol/printable.ts';
import { metaKey } from '../protocol/protocol.ts';
import { elementsOf, slice, stringAt } from '../protocol/raw-json.ts';
import type { Attachment, ServerRequests } from './server-requests.ts';
import { createServerRequests } from './server-requests.ts';
import type { UpstreamLink } from './upstream-link.ts';
import {
  busyWith,
  hearers,
  type OutgoingRequest,
  type PendingRequest,
  type WaitingRequest,
} from './waiting-request.ts';

export interface ConnectionDeps {
  readonly transport: UpstreamBase;
  readonly link: UpstreamLink;
  readonly slug: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The gateway's own. */
  readonly version: string;
  /** Told of every notification before the sessions are. */
  notified(method: string): void;
}

const OWN_ID = /^[0-9]{1,15}$/;
const MEASURE = { depthMax: limits.mcpMessageDepthMax, valuesMax: limits.mcpMessageValuesMax };

export class UpstreamConnection {
  readonly #deps: ConnectionDeps;
  readonly #waiting = new Map<string, WaitingRequest>();
  readonly #attachments = new Set<Attachment>();
  readonly #serverRequests: ServerRequests;
  readonly #budget: NotificationBudget;
  readonly #ownInfoText: string;
  #nextId = 1;
  #gone: AppError | null = null;
  #lastUsedMs: number;
  #noise = '';
  #saysWhichCall = false;
  #era: UpstreamEra = 'session';

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    this.#lastUsedMs = deps.clock.monotonic();
    this.#ownInfoText = JSON.stringify({ name: 'sallyport', version: deps.version });
    this.#budget = new NotificationBudget(() => deps.log.warn('mcp.upstream.flood', { server: deps.slug }));
    this.#serverRequests = createServerRequests({
      slug: deps.slug,
      attached: () => this.#attachments,
      busyWith: (about) => busyWith(this.#concerned(about)),
      touched: (attachment) => {
        for (const { request, timer } of this.#waiting.values())
          if (request.owner === attachment) timer?.refresh();
      },
      write: (text) => this.#send(text),
    });
    deps.link.listen({
      message: (text, about) => this.#receive(text, about ?? null),
      failed: (idText, error) => this.#failed(idText, error),
      paused: (idText, retryMs, again) => this.#paused(idText, retryMs, again),
      waits: (idText) => this.#waiting.has(idText),
      exited: (exit) => this.#exited(exit),
    });
  }

  get slug(): string {
    return this.#deps.slug;
  }

  get cell() {
    return this.#deps.transport.cell;
  }

  /** Settles when its cell is gone, which may outlive this connection to it; never rejects. */
  get cellExited(): Promise<unknown> {
    const { cellExited, exited } = this.#deps.transport;
    return cellExited ?? exited;
  }

  /** How it talks; `session` until more is known. */
  get era(): UpstreamEra {
    return this.#era;
  }

  /** Whether its last request of its own said which call it is about. */
  get saysWhichCall(): boolean {
    return this.#saysWhichCall;
  }

  /** From now on each request says everything of itself. */
  speakStateless(): void {
    this.#era = 'stateless';
  }

  get alive(): boolean {
    return this.#gone === null;
  }

  /** `Clock.monotonic()` of the last message either way. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  get attachments(): ReadonlySet<Attachment> {
    return this.#attachments;
  }

  attach(attachment: Attachment): void {
    this.#attachments.add(attachment);
  }

  /** Forgets a session: what it was asked is answered with an error. Its own requests it cancels itself. */
  detach(attachment: Attachment): void {
    this.#attachments.delete(attachment);
    this.#serverRequests.dropped(attachment);
  }

  /** @throws AppError when the server is gone, not reading, or has too much to do */
  request(request: OutgoingRequest): PendingRequest {
    this.#assertUsable();
    const idText = String(this.#nextId);
    this.#nextId += 1;
    const token = paramSpan(request.message, '_meta', 'progressToken');
    const edits = [...(request.edits ?? [])];
    if (token !== null) edits.push({ ...token, text: idText });
    const era = request.era ?? this.#era;
    if (era === 'stateless') {
      edits.push(...envelopeEdits(request.message, request.client ?? UNKNOWN_CLIENT, this.#ownInfoText));
    }
    const text = rewritten(request.message, idText, edits);
    const { promise, resolve, reject } = Promise.withResolvers<RpcResponse>();
    this.#waiting.set(idText, {
      request,
      progressToken: token === null ? null : slice(request.message.text, token),
      resolve,
      reject,
      timer: this.#startTimer(idText, request),
    });
    this.#lastUsedMs = this.#deps.clock.monotonic();
    const { method } = request.message;
    const carried = request.carried ?? NOTHING_CARRIED;
    this.#deps.link.request({ idText, text, method, era, carried });
    return { response: promise, cancel: (error, notification) => this.#cancel(idText, error, notification) };
  }

  /** Writes a message that expects no answer. */
  notify(text: string): void {
    if (this.#gone === null) this.#send(text);
  }

  /** Ends the cell, because the server broke the protocol beyond repair or nobody may use it any more. */
  async close(error: AppError): Promise<void> {
    this.#end(error.code, error.message, error.hint);
    await this.#deps.transport.close(error.message);
  }

  /** What the server said before it failed, for the hint of an error. */
  lastWords(): string | undefined {
    const words = printable(this.#deps.link.lastWords(), limits.mcpStderrShownCharsMax);
    if (words.length > 0) return `Its last output: ${words}`;
    return this.#noise.length > 0 ? `It printed, instead of JSON-RPC: ${this.#noise}` : undefined;
  }

  #assertUsable(): void {
    if (this.#gone !== null) throw this.#gone;
    if (this.#waiting.size >= limits.mcpPendingRequestsMax) {
      throw new AppError('upstream_busy', `The server "${this.slug}" has too many requests in flight.`, {
        kind: 'limited',
        hint: 'Try again when some of them are answered.',
      });
    }
    if (this.#deps.link.backlogBytes > limits.mcpSendBufferBytesMax) {
      throw new AppError('upstream_not_reading', `The server "${this.slug}" does not read its input.`, {
        kind: 'unavailable',
      });
    }
  }

  #startTimer(idText: string, request: OutgoingRequest): NodeJS.Timeout | null {
    if (request.changes !== undefined) return null;
    const idleMs = request.idleMs ?? limits.mcpRequestIdleMs;
    const expire = () => {
      const error = new AppError(
        'upstream_timeout',
        `The server "${this.slug}" did not answer ${request.message.method} within ${idleMs / 1000} s.`,
        { kind: 'unavailable', hint: `See what it is doing: sallyport server logs ${this.slug}` },
      );
      this.#cancel(idText, error);
    };
    return setTimeout(expire, idleMs);
  }

  #send(text: string): void {
    // Whoever does not read must not fill the gateway's memory, whatever it asks for.
    if (this.#deps.link.backlogBytes > limits.mcpSendBufferBytesMax) return;
    this.#lastUsedMs = this.#deps.clock.monotonic();
    this.#deps.link.send(text);
  }

  #settle(idText: string): WaitingRequest | undefined {
    const waiting = this.#waiting.get(idText);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(idText);
    if (waiting.timer !== null) clearTimeout(waiting.timer);
    return waiting;
  }

  #cancel(idText: string, error: AppError, notification?: RpcNotification): void {
    const waiting = this.#settle(idText);
    if (waiting === undefined) return;
    waiting.reject(error);
    if (this.#gone !== null) return;
    this.#lastUsedMs = this.#deps.clock.monotonic();
    this.#deps.link.cancel(idText, cancellation(idText, waiting.request.message, error, notification));
  }

  /** @returns whether anybody wanted it */
  #receive(text: string, about: string | null): boolean {
    this.#lastUsedMs = this.#deps.clock.monotonic();
    if (text.length > limits.mcpMeasuredCharsMin && !isWithinMeasure(text, MEASURE))
      return this.#overdone(text, about);
    const parsed = parseMessage(text);
    if (parsed.ok) {
      const message = parsed.value;
      if (message.kind === 'response') return this.#answer(message);
      if (message.kind === 'request') return this.#asked(message, about);
      return this.#notified(message, about);
    }
    const batch =
      parsed.error.reason === 'not_json' ? null : elementsOf(text, { start: 0, end: text.length });
    if (batch !== null && batch.length <= limits.mcpBatchMax) {
      const objects = batch.filter(({ start }) => text[start] === '{');
      return objects.map((element) => this.#receive(slice(text, element), about)).includes(true);
    }
    this.#noise = printable(text.slice(0, 300), 300);
    this.#deps.log.debug('mcp.upstream.noise', { server: this.slug, reason: parsed.error.reason });
    return false;
  }

  /** What it would be once it is parsed is too much. An answer, most likely: notifications are small. */
  #overdone(text: string, about: string | null): false {
    const { slug, log } = this.#deps;
    log.warn('mcp.upstream.overdone_message', { server: slug });
    const error = new AppError(
      'upstream_answer_too_large',
      `The server "${slug}" sent a message of too many parts.`,
      {
        kind: 'unavailable',
        hint: `At most ${limits.mcpMessageValuesMax} values, and ${limits.mcpMessageDepthMax} within each other.`,
      },
    );
    this.#failed(about ?? idAtEdge(text), error);
    return false;
  }

  #failed(idText: string | null, error: AppError): void {
    // Where it cannot be told which one is meant, any may be; none must wait for an answer that is lost.
    const lost = idText === null ? [...this.#waiting.keys()] : [idText];
    for (const id of lost) this.#settle(id)?.reject(error);
  }

  #paused(idText: string, retryMs: number, again: () => void): void {
    const request = this.#waiting.get(idText)?.request;
    request?.owner?.paused?.(request.message.idText, retryMs, again);
  }

  #exited({ reason, limit }: UpstreamExit): void {
    const cause = limit === undefined ? [] : [`The limit is \`${limit}\` of its manifest.`];
    const hint = [...cause, this.lastWords() ?? []].flat().join(' ');
    this.#end('upstream_exited', `The server "${this.slug}" stopped: ${reason}.`, hint || undefined);
  }

  #answer(response: RpcResponse): boolean {
    const waiting = OWN_ID.test(response.idText) ? this.#settle(response.idText) : undefined;
    if (waiting === undefined) {
      this.#deps.log.debug('mcp.upstream.stray_answer', { server: this.slug });
      return false;
    }
    waiting.resolve(response);
    return true;
  }

  #asked(request: RpcRequest, about: string | null): boolean {
    if (!this.#budget.take(this.#lastUsedMs, request.text.length)) return false;
    this.#saysWhichCall = about !== null;
    if (this.#era === 'session') return this.#serverRequests.received(request, about);
    // Such a server has no requests of its own, and must not be sent answers.
    this.#deps.log.debug('mcp.upstream.stray_request', { server: this.slug });
    return false;
  }

  #notified(notification: RpcNotification, about: string | null): boolean {
    if (!this.#budget.take(this.#lastUsedMs, notification.text.length)) return false;
    if (notification.method === 'notifications/progress') return this.#progressed(notification);
    if (this.#era === 'stateless') return this.#notifiedStateless(notification, about);
    if (notification.method === 'notifications/cancelled') this.#serverRequests.cancelled(notification);
    else if (about !== null && !isForAll(notification.method)) return this.#aside(notification, about);
    else this.spread(notification);
    return true;
  }

  /** What is said in the answer to a request of one session is about that one, and others may be other people's. */
  #aside(notification: RpcNotification, about: string): boolean {
    const request = this.#waiting.get(about)?.request;
    if (request === undefined) return false;
    const { owner, message } = request;
    if (owner !== null && this.#attachments.has(owner)) owner.notified(notification, message.idText);
    else this.spread(notification);
    return true;
  }

  /** To everybody who uses the server. */
  spread(notification: RpcNotification): void {
    this.#deps.notified(notification.method);
    for (const attachment of this.#attachments) attachment.notified(notification, null);
  }

  /** A change comes on the subscription that it names, and anything else is about a request. */
  #notifiedStateless(notification: RpcNotification, about: string | null): boolean {
    const mark = paramSpan(notification, '_meta', metaKey.subscriptionId);
    if (mark !== null) {
      // The id as the gateway wrote it; a server may give it back as text.
      const idText = stringAt(notification.text, mark) ?? slice(notification.text, mark);
      const changes = this.#waiting.get(idText)?.request.changes;
      changes?.(notification);
      return changes !== undefined;
    }
    if (notification.method === 'notifications/cancelled') {
      const ended = paramSpan(notification, 'requestId');
      const idText = ended === null ? '' : slice(notification.text, ended);
      if (this.#waiting.get(idText)?.request.changes === undefined) return false;
      this.#settle(idText)?.reject(subscriptionEnded());
      return true;
    }
    const hearing = hearers(this.#concerned(about));
    for (const [owner, idText] of hearing) owner.notified(notification, idText);
    return hearing.size > 0;
  }

  /** What a message is about: the one request that its transport names, or any that waits. */
  #concerned(about: string | null): Iterable<WaitingRequest> {
    if (about === null) return this.#waiting.values();
    const waiting = this.#waiting.get(about);
    return waiting === undefined ? [] : [waiting];
  }

  #progressed(notification: RpcNotification): boolean {
    const token = paramSpan(notification, 'progressToken');
    if (token === null) return false;
    const idText = slice(notification.text, token);
    const waiting = this.#waiting.get(idText);
    if (waiting === undefined || waiting.progressToken === null) return false;
    waiting.timer?.refresh();
    const text = rewritten(notification, null, [{ ...token, text: waiting.progressToken }]);
    waiting.request.owner?.progressed(text, waiting.request.message.idText);
    return true;
  }

  #end(code: string, message: string, hint: string | undefined = this.lastWords()): void {
    if (this.#gone !== null) return;
    const error = new AppError(code, message, {
      kind: 'unavailable',
      ...(hint === undefined ? {} : { hint }),
    });
    this.#gone = error;
    for (const idText of this.#waiting.keys()) this.#settle(idText)?.reject(error);
    this.#serverRequests.closed();
    for (const attachment of this.#attachments) attachment.gone(error);
    this.#attachments.clear();
  }
}

/** Changes, wherever a server says that there are some. */
const isForAll = (method: string): boolean =>
  method.endsWith('/list_changed') || method === 'notifications/resources/updated';

const subscriptionEnded = (): AppError =>
  new AppError('upstream_subscription_ended', 'The server ended the subscription.', { kind: 'unavailable' });
