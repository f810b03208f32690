/**
 * One request of the gateway's own, where a cell's would come from a connection. It takes the same way: the steps judge
 * it, its intent is durable before a credential is opened, its answer is scrubbed, and how it ended is on record.
 */
import { Readable } from 'node:stream';
import { AppError, type AppErrorKind, type Clock } from '../../kernel/index.ts';
import { Fields } from '../../wire/index.ts';
import { Exchange, type ExchangeHost } from '../exchange.ts';
import { framingOf, requestHeadOf } from '../http2/fields.ts';
import type { AnswerBody, AnswerHead, ExchangeClient } from '../message.ts';
import type { OwnAnswer, OwnRequest } from '../ports.ts';
import type { WireRefusal } from '../refusals.ts';
import type { Incoming } from '../request.ts';

const DEFAULT_PORT = { https: 443, http: 80 } as const;
/** Where the name came from, in place of an address. */
const ADDRESS = 'gateway';
const NO_TRAILERS = new Fields();

const KINDS: Readonly<Record<number, AppErrorKind>> = {
  400: 'invalid',
  403: 'denied',
  409: 'conflict',
  413: 'invalid',
  429: 'limited',
};

export const refusalError = ({ status, code, message, hint, retryAfterSeconds }: WireRefusal): AppError =>
  new AppError(code, message, {
    kind: KINDS[status] ?? 'unavailable',
    hint,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });

const cutError = (): AppError =>
  new AppError('egress_upstream_closed', 'The answer broke off before its end.', {
    kind: 'unavailable',
    hint: 'The request may or may not have been carried out. Check before sending it again.',
  });

export const shareClosed = (): AppError =>
  new AppError('egress_closed', 'The server was stopped while a request was on its way.', {
    kind: 'unavailable',
    hint: 'Try again: it starts anew at the next call.',
  });

export const tooManyRequests = (): AppError =>
  new AppError('egress_connections_limit', 'The server has too many requests open.', {
    kind: 'limited',
    hint: 'Wait for those that are open, and try again.',
  });

export class OwnExchange implements ExchangeClient {
  /** Rejects with an AppError that has the refusal's code, message and hint, or with the reason of `abort`. */
  readonly answer: Promise<OwnAnswer>;
  readonly #resolve: (answer: OwnAnswer) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #clock: Clock;
  readonly #exchange: Exchange;
  readonly #onOver: () => void;
  /** What of the request's body was not taken yet; null when all of it was. */
  #rest: Buffer | null;
  #isSending = false;
  #body: Readable | null = null;
  #isOver = false;
  #lastActive: number;

  /** @param onOver called once, when nothing more will come */
  constructor(host: ExchangeHost, request: OwnRequest, onOver: () => void) {
    const { promise, resolve, reject } = Promise.withResolvers<OwnAnswer>();
    [this.answer, this.#resolve, this.#reject] = [promise, resolve, reject];
    this.#clock = host.clock;
    this.#onOver = onOver;
    this.#lastActive = host.clock.monotonic();
    this.#rest = request.body;
    const { scheme, port, host: name } = request;
    this.#exchange = new Exchange(
      host,
      this,
      { scheme, port, address: ADDRESS, names: new Set([name]), sni: scheme === 'https' ? name : null },
      incomingOf(request),
    );
  }

  start(): void {
    this.#exchange.start();
    this.resumeInput();
  }

  /** @param now monotonic milliseconds */
  sweep(now: number): void {
    this.#exchange.checkDeadline(now, this.#lastActive);
  }

  /** Nobody wants it any more. @param reason what whoever waits is told */
  abort(code: 'client_closed' | 'cell_closed', reason: unknown): void {
    if (this.#isOver) return;
    this.#exchange.abandon(code);
    this.#end(reason);
  }

  /* ---- the exchange's side ---- */

  continue(): void {
    /* Nothing was expected. */
  }

  interim(): void {
    /* Nobody waits for it. */
  }

  whole(head: AnswerHead, body: Buffer): void {
    const readable = this.#begin(head);
    if (body.length > 0) readable.push(body);
    readable.push(null);
  }

  begin(head: AnswerHead, body: AnswerBody): void {
    const readable = this.#begin(head);
    if (body.kind === 'none') readable.push(null);
  }

  data(data: Buffer): boolean {
    this.#lastActive = this.#clock.monotonic();
    return this.#body?.push(data) ?? true;
  }

  end(): void {
    this.#body?.push(null);
  }

  answered(): void {
    this.#over();
  }

  refuse(refusal: WireRefusal): void {
    this.#end(refusalError(refusal));
  }

  cut(): void {
    this.#end(cutError());
  }

  /** Gives the body as far as it is wanted: to be read whole, or piece by piece as the upstream takes it. */
  resumeInput(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    const exchange = this.#exchange;
    const { bodySink } = exchange;
    if (this.#rest !== null && bodySink !== null) {
      const body = this.#rest;
      this.#rest = null;
      this.#lastActive = this.#clock.monotonic();
      if (body.length > 0) bodySink.onBody(body);
      exchange.bodyAdvanced();
      exchange.bodyEnded(NO_TRAILERS);
    }
    this.#isSending = false;
  }

  #begin({ status, fields }: AnswerHead): Readable {
    this.#lastActive = this.#clock.monotonic();
    const body = new Readable({
      read: () => {
        this.#lastActive = this.#clock.monotonic();
        this.#exchange.clientDrained();
      },
      destroy: (error, done) => {
        this.abort('client_closed', error ?? cutError());
        done(error);
      },
    });
    /* Whoever took the answer may have left its body alone. */
    body.on('error', () => undefined);
    this.#body = body;
    this.#resolve({ status, fields, body });
    return body;
  }

  #end(reason: unknown): void {
    this.#over();
    if (this.#body === null) this.#reject(reason);
    else this.#body.destroy(reason instanceof Error ? reason : cutError());
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rest = null;
    this.#onOver();
  }
}

/**
 * What came in no message was never read as one either: it is held to what HTTP/2 can carry, so that no text in it can
 * become a line of its own, and no second word on where the message ends.
 */
function incomingOf({ method, scheme, host, port, target, fields, body }: OwnRequest): Incoming {
  const authority = port === DEFAULT_PORT[scheme] ? host : `${host}:${port}`;
  const raw = [':method', method, ':scheme', scheme, ':authority', authority, ':path', target];
  for (const [name, value] of fields) raw.push(name.toLowerCase(), value);
  if (body !== null) raw.push('content-length', String(body.length));
  const head = requestHeadOf(raw, scheme);
  if (head.ok) return { head: head.value, framing: framingOf(head.value.fields, body === null) };
  const nothing = new Fields();
  nothing.add('host', authority);
  return { head: { method: 'GET', target: '/', minor: 1, fields: nothing }, framing: head };
}
