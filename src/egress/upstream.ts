/**
 * One connection to an upstream, answering one request at a time. It reads strictly and tells its listener;
 * what it cannot read for sure it cuts. A byte that nobody asked for ends the connection: it would be taken
 * for the answer to the next request (ATTACKS 11).
 */
import type { Socket } from 'node:net';
import { type Clock, limits } from '../kernel/index.ts';
import {
  type BodyFraming,
  BodyReader,
  type BodySink,
  Fields,
  HEAD_ENCODING,
  type ResponseHead,
  responseFraming,
  responseHeadReader,
} from '../wire/index.ts';
import { Refusal } from './refusals.ts';

export interface SentRequest {
  readonly method: string;
  /** Latin-1. */
  readonly head: string;
  readonly body: Buffer | null;
  /** The body follows through `write`, up to `requestSent`. */
  readonly streams: boolean;
}

/** Who waits for an answer. Exactly one of `onAnswerEnd` and `onUpstreamFailure` ends it. */
export interface AnswerListener extends BodySink {
  /** A 1xx. */
  onInterim(head: ResponseHead): void;
  /** @param whole all of the body is there already and comes before control returns */
  onAnswerHead(head: ResponseHead, framing: BodyFraming, whole: boolean): void;
  onAnswerEnd(trailers: Fields): void;
  /** @param silent not one byte of an answer had come */
  onUpstreamFailure(refusal: Refusal, silent: boolean): void;
  /** There is room again for what is being sent. */
  onUpstreamDrain(): void;
}

const NO_TRAILERS = new Fields();
const SWITCHING_PROTOCOLS = 101;

export class UpstreamConnection {
  /** Whether it has answered before: then it may have gone stale, and a failure may be worth another attempt. */
  reused = false;
  /** Monotonic milliseconds of the last byte in or out. */
  lastActive: number;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #reader = responseHeadReader();
  readonly #onIdleEnd: (connection: UpstreamConnection) => void;
  #listener: AnswerListener | null = null;
  #method = '';
  #body: BodyReader | null = null;
  #interims = 0;
  #silent = true;
  #persistent = true;
  #requestSent = false;

  /** @param onIdleEnd the connection ended while nobody waited for an answer */
  constructor(socket: Socket, clock: Clock, onIdleEnd: (connection: UpstreamConnection) => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onIdleEnd = onIdleEnd;
    this.lastActive = clock.monotonic();
    socket.on('data', (bytes: Buffer) => this.#data(bytes));
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#closed());
    socket.on('drain', () => this.#listener?.onUpstreamDrain());
  }

  /** Whether another request may be sent on it. */
  get usable(): boolean {
    return this.#persistent && !this.#socket.destroyed && this.#socket.writable;
  }

  /** Sends a request, or the beginning of one whose body streams. */
  send(request: SentRequest, listener: AnswerListener): void {
    this.#listener = listener;
    this.#method = request.method;
    this.#body = null;
    this.#interims = 0;
    this.#silent = true;
    this.#requestSent = !request.streams;
    this.lastActive = this.#clock.monotonic();
    if (request.body === null) {
      this.#socket.write(request.head, HEAD_ENCODING);
      return;
    }
    this.#socket.cork();
    this.#socket.write(request.head, HEAD_ENCODING);
    this.#socket.write(request.body);
    this.#socket.uncork();
  }

  /** @returns false when the sender should wait for `onUpstreamDrain` */
  write(data: Buffer | string): boolean {
    this.lastActive = this.#clock.monotonic();
    return this.#socket.write(data, HEAD_ENCODING);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** All of the request has been written. */
  requestSent(): void {
    this.#requestSent = true;
    this.lastActive = this.#clock.monotonic();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Cuts it; the listener is not told. */
  destroy(): void {
    this.#listener = null;
    this.#persistent = false;
    this.#socket.destroy();
  }

  #data(bytes: Buffer): void {
    this.lastActive = this.#clock.monotonic();
    let at = 0;
    while (at < bytes.length) {
      const listener = this.#listener;
      if (listener === null) {
        this.destroy();
        this.#onIdleEnd(this);
        return;
      }
      at =
        this.#body === null
          ? this.#head(bytes, at, listener)
          : this.#bodyBytes(bytes, at, this.#body, listener);
    }
  }

  #head(bytes: Buffer, at: number, listener: AnswerListener): number {
    this.#silent = false;
    const next = this.#reader.read(bytes, at);
    if (this.#reader.error !== null) return this.#malformed(this.#reader.error, bytes);
    const head = this.#reader.head;
    if (head === null) return next;
    this.#reader.reset();
    if (head.status === SWITCHING_PROTOCOLS) return this.#malformed('upgrade_not_asked_for', bytes);
    const framing = responseFraming(head, this.#method);
    if (!framing.ok) return this.#malformed(framing.error, bytes);
    if (head.status < 200) {
      this.#interims += 1;
      if (this.#interims > limits.interimResponsesMax) return this.#malformed('interims_too_many', bytes);
      listener.onInterim(head);
      return next;
    }
    this.#persistent =
      head.minor === 1 && framing.value.kind !== 'close' && !head.fields.list('connection').includes('close');
    this.#body = new BodyReader(framing.value, { extensions: 'drop' });
    const left = bytes.length - next;
    const whole =
      framing.value.kind === 'none' || (framing.value.kind === 'length' && framing.value.bytes <= left);
    listener.onAnswerHead(head, framing.value, whole);
    if (this.#body.done) this.#complete(NO_TRAILERS, left > 0);
    return next;
  }

  #bodyBytes(bytes: Buffer, at: number, body: BodyReader, listener: AnswerListener): number {
    const next = body.read(bytes, at, listener);
    if (body.error !== null) return this.#malformed(body.error, bytes);
    if (body.done && this.#listener === listener) this.#complete(body.trailers, next < bytes.length);
    return next;
  }

  /** @param leftover bytes follow that nobody asked for */
  #complete(trailers: Fields, leftover: boolean): void {
    const listener = this.#listener;
    this.#listener = null;
    this.#body = null;
    /* Answered before it had read the request: what it would do with the rest is anybody's guess. */
    if (leftover || !this.#requestSent) this.#persistent = false;
    this.reused = true;
    listener?.onAnswerEnd(trailers);
  }

  #malformed(reason: string, bytes: Buffer): number {
    this.#fail(Refusal.of('egress_response_malformed', { reason }));
    return bytes.length;
  }

  #fail(refusal: Refusal): void {
    const listener = this.#listener;
    const silent = this.#silent;
    this.destroy();
    listener?.onUpstreamFailure(refusal, silent);
  }

  #ended(): void {
    this.#persistent = false;
    const body = this.#body;
    if (body?.end() === true) this.#complete(body.trailers, false);
    else if (this.#listener !== null) this.#fail(Refusal.of('egress_upstream_closed'));
    this.#socket.destroy();
  }

  #closed(): void {
    this.#persistent = false;
    if (this.#listener === null) this.#onIdleEnd(this);
    else this.#fail(Refusal.of('egress_upstream_closed'));
  }
}
