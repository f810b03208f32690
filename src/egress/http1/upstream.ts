/**
 * One HTTP/1.1 connection to an upstream, answering one request at a time. It reads strictly and tells its listener;
 * what it cannot read for sure it cuts. A byte that nobody asked for ends the connection: it would be taken
 * for the answer to the next request (ATTACKS 11).
 */
import type { Socket } from 'node:net';
import { type Clock, limits } from '../../kernel/index.ts';
import {
  BodyReader,
  CHUNK_END,
  encodeChunkSize,
  encodeFields,
  encodeLastChunk,
  Fields,
  HEAD_ENCODING,
  responseFraming,
  responseHeadReader,
} from '../../wire/index.ts';
import type { AnswerListener, OutgoingRequest, RequestStream, UpstreamConnection } from '../message.ts';
import { Refusal } from '../refusals.ts';
import { readBody } from './small-chunks.ts';

const NO_TRAILERS = new Fields();
const SWITCHING_PROTOCOLS = 101;

/** The head as it is sent, Latin-1. What Host says comes first (RFC 9112 section 3.2). */
function encodeHead(request: OutgoingRequest): string {
  const { method, target, authority, fields, acceptsTrailers, body, upgrade } = request;
  let framing = '';
  if (body.kind === 'unknown') framing = 'Transfer-Encoding: chunked\r\n';
  else if (body.kind !== 'none')
    framing = `Content-Length: ${body.kind === 'whole' ? body.bytes.length : body.bytes}\r\n`;
  if (acceptsTrailers) framing += 'TE: trailers\r\nConnection: TE\r\n';
  if (upgrade !== undefined) framing += `Upgrade: ${upgrade}\r\nConnection: Upgrade\r\n`;
  return `${method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n${encodeFields(fields)}${framing}\r\n`;
}

/** Is also the stream of the one request that is on it. */
export class Http1Upstream implements UpstreamConnection, RequestStream {
  reused = false;
  readonly declines = false;
  lastActive: number;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #reader = responseHeadReader();
  #listener: AnswerListener | null = null;
  #method = '';
  #body: BodyReader | null = null;
  #interims = 0;
  #silent = true;
  #persistent = true;
  #requestSent = false;
  #chunks = false;
  /** Whether the request asks for an upgrade; whether it was granted, so that there is no HTTP any more. */
  #asksUpgrade = false;
  #isUpgraded = false;

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.lastActive = clock.monotonic();
    socket.on('data', (bytes: Buffer) => this.#data(bytes));
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#closed());
    socket.on('drain', () => this.#listener?.onUpstreamDrain());
  }

  get usable(): boolean {
    return this.#persistent && !this.#socket.destroyed && this.#socket.writable;
  }

  send(request: OutgoingRequest, listener: AnswerListener): RequestStream {
    const { body } = request;
    this.#listener = listener;
    this.#method = request.method;
    this.#body = null;
    this.#interims = 0;
    this.#silent = true;
    this.#chunks = body.kind === 'unknown';
    this.#asksUpgrade = request.upgrade !== undefined;
    this.#requestSent = body.kind === 'none' || body.kind === 'whole';
    this.lastActive = this.#clock.monotonic();
    if (body.kind !== 'whole') {
      this.#socket.write(encodeHead(request), HEAD_ENCODING);
    } else {
      this.#socket.cork();
      this.#socket.write(encodeHead(request), HEAD_ENCODING);
      this.#socket.write(body.bytes);
      this.#socket.uncork();
    }
    return this;
  }

  write(data: Buffer): boolean {
    this.lastActive = this.#clock.monotonic();
    if (!this.#chunks) return this.#socket.write(data);
    this.#socket.cork();
    this.#socket.write(encodeChunkSize(data.length), HEAD_ENCODING);
    this.#socket.write(data);
    const flows = this.#socket.write(CHUNK_END, HEAD_ENCODING);
    this.#socket.uncork();
    return flows;
  }

  end(trailers: Fields): void {
    if (this.#isUpgraded) {
      this.#socket.end();
      setTimeout(() => this.#socket.destroy(), limits.webSocketCloseTimeoutMs).unref();
    }
    if (this.#chunks) this.#socket.write(encodeLastChunk(trailers), HEAD_ENCODING);
    this.#requestSent = true;
    this.lastActive = this.#clock.monotonic();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

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
    if (head.status === SWITCHING_PROTOCOLS) {
      if (!this.#asksUpgrade) return this.#malformed('upgrade_not_asked_for', bytes);
      this.#persistent = false;
      this.#isUpgraded = true;
      this.#body = new BodyReader({ kind: 'close' }, { extensions: 'drop' });
      listener.onUpgraded?.(head);
      return next;
    }
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
    const next = readBody(body, bytes, at, listener);
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
    this.resume();
    listener?.onAnswerEnd(trailers);
  }

  #malformed(reason: string, bytes: Buffer): number {
    this.#fail(Refusal.of('egress_response_malformed', { reason }));
    return bytes.length;
  }

  #fail(refusal: Refusal): void {
    const listener = this.#listener;
    const reach = this.#silent ? 'silent' : 'answering';
    this.destroy();
    listener?.onUpstreamFailure(refusal, reach);
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
    if (this.#listener !== null) this.#fail(Refusal.of('egress_upstream_closed'));
  }
}
