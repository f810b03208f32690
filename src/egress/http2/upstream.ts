/**
 * One HTTP/2 connection to an upstream, carrying many requests at a time. It belongs to one host, one port and one
 * set of TLS settings like any other: streams for another name are never put on it, whatever its certificate says
 * (ATTACKS 10). Pushed streams are refused.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  sensitiveHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { type Clock, limits } from '../../kernel/index.ts';
import { Fields } from '../../wire/index.ts';
import { CellOverhead } from '../cell-overhead.ts';
import type { AnswerListener, OutgoingRequest, Reach, RequestStream } from '../message.ts';
import { Refusal } from '../refusals.ts';
import type { MultiplexedUpstream } from '../upstream/places.ts';
import { answerHeadOf, endWith, framingOf, type RawHeaders, rawHeadersOf, trailersOf } from './fields.ts';
import { holdEnd } from './stream-end.ts';
import { ConnectionOverhead } from './overhead.ts';
import { type InputReader, StreamInput } from './stream-input.ts';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_REFUSED_STREAM } =
  constants;
const NO_TRAILERS = new Fields();

const SESSION_OPTIONS = {
  maxDeflateDynamicTableSize: limits.http2HeaderTableBytes,
  maxSettings: limits.http2SettingsMax,
  maxSessionMemory: limits.http2UpstreamMemoryMiB,
  maxHeaderListPairs: limits.headFieldsMax + 8,
  maxOutstandingPings: limits.http2PingsMax,
  maxReservedRemoteStreams: 0,
  strictSingleValueFields: false, // what is repeated goes on as it came
  settings: {
    enablePush: false,
    headerTableSize: limits.http2HeaderTableBytes,
    initialWindowSize: limits.http2WindowBytes,
    maxHeaderListSize: limits.responseHeadBytesMax,
  },
};

export class Http2Upstream implements MultiplexedUpstream {
  reused = false;
  readonly declines = true;
  lastActive: number;
  /** Streams beyond this one the upstream has said it does not deal with. */
  lastRead = Number.POSITIVE_INFINITY;
  readonly #session: ClientHttp2Session;
  readonly clock: Clock;
  /** What upstreams send besides heads and bodies is bounded too; each has its own. */
  readonly overhead: ConnectionOverhead;
  /** It was cut for more of that than there may be. */
  isAbusive = false;
  #open = 0;

  /** @param socket after TLS, where `h2` was agreed on */
  constructor(socket: Socket, clock: Clock) {
    this.clock = clock;
    this.lastActive = clock.monotonic();
    this.#session = connect('https://upstream', { ...SESSION_OPTIONS, createConnection: () => socket });
    this.#session.setLocalWindowSize(limits.http2WindowBytes * 4);
    this.#session.on('goaway', (_code, lastStream) => {
      this.lastRead = lastStream;
    });
    this.#session.on('error', () => socket.destroy());
    this.overhead = new ConnectionOverhead(
      new CellOverhead(clock),
      () => socket.bytesRead,
      () => this.#giveUp(),
    );
    this.#session.on('ping', () => this.overhead.look());
    this.#session.on('remoteSettings', () => this.overhead.look());
    const sweeper = setInterval(() => this.overhead.judge(), limits.egressSweepIntervalMs);
    sweeper.unref();
    this.#session.on('close', () => {
      clearInterval(sweeper);
      socket.destroy();
    });
  }

  get inUse(): number {
    return this.#open;
  }

  get usable(): boolean {
    const session = this.#session;
    if (session.closed || session.destroyed) return false;
    /* Before the upstream has said how many it takes, any number may be tried (RFC 9113 section 5.1.2): it can decline. */
    const theirs = session.remoteSettings.maxConcurrentStreams ?? limits.http2StreamsMax;
    return this.#open < Math.min(theirs, limits.http2StreamsMax);
  }

  send(request: OutgoingRequest, listener: AnswerListener): RequestStream {
    const { method, scheme, authority, target, fields, sensitive, acceptsTrailers, body } = request;
    const raw = rawHeadersOf(
      [':method', method, ':scheme', scheme, ':authority', authority, ':path', target],
      fields,
    );
    if (acceptsTrailers) raw.push('te', 'trailers');
    if (body.kind === 'length') raw.push('content-length', String(body.bytes));
    if (body.kind === 'whole') raw.push('content-length', String(body.bytes.length));
    const lines = sensitive.length === 0 ? raw : Object.assign(raw, { [sensitiveHeaders]: sensitive });
    const stream = this.#session.request(lines, {
      endStream: body.kind === 'none',
      waitForTrailers: body.kind === 'unknown' || body.kind === 'length',
    });
    this.#open += 1;
    this.lastActive = this.clock.monotonic();
    const sent = new Http2Sent(stream, this, listener, method);
    if (body.kind === 'whole') sent.all(body.bytes);
    return sent;
  }

  /** A stream has ended, one way or another. */
  ended(): void {
    this.#open -= 1;
    this.lastActive = this.clock.monotonic();
  }

  destroy(): void {
    this.#session.destroy();
  }

  #giveUp(): void {
    if (this.#session.destroyed) return;
    this.isAbusive = true;
    this.#session.goaway(NGHTTP2_ENHANCE_YOUR_CALM);
    this.#session.destroy();
  }
}

/** One request on the connection. */
class Http2Sent implements RequestStream, InputReader {
  lastActive: number;
  readonly #stream: ClientHttp2Stream;
  readonly #completeRequest: () => void;
  readonly #connection: Http2Upstream;
  readonly #clock: Clock;
  readonly #method: string;
  readonly #input: StreamInput;
  #listener: AnswerListener | null;
  #hasHead = false;
  #isPaused = false;
  /** Of the body, where it was said. */
  #length = 0;
  #silent = true;
  #interims = 0;
  /** What has to be sent yet of a body that is all there. */
  #rest: Buffer | null = null;
  #trailers: RawHeaders = [];

  constructor(
    stream: ClientHttp2Stream,
    connection: Http2Upstream,
    listener: AnswerListener,
    method: string,
  ) {
    this.#stream = stream;
    this.#completeRequest = holdEnd(stream);
    this.#connection = connection;
    this.#clock = connection.clock;
    this.#listener = listener;
    this.#method = method;
    this.lastActive = connection.clock.monotonic();
    const { overhead } = connection;
    stream.on('headers', (_headers, _flags, raw: RawHeaders) => {
      overhead.head(raw);
      this.#interim(raw);
    });
    stream.on('response', (_headers, flags, raw: RawHeaders) => {
      connection.reused = true;
      overhead.head(raw);
      this.#head(raw, flags);
    });
    stream.on('trailers', (_trailers, _flags, raw: RawHeaders) => {
      overhead.head(raw);
      this.#trailers = raw;
    });
    stream.on('drain', () => {
      this.lastActive = this.#clock.monotonic();
      if (this.#rest !== null && this.#listener !== null) this.#sendRest(this.#rest);
      else this.#listener?.onUpstreamDrain();
    });
    stream.on('error', () => undefined); // `close` follows, and says all that is needed
    stream.on('close', () => {
      connection.ended();
      if (this.#listener === null) return;
      if (connection.isAbusive) this.#malformed('http2_overhead');
      else this.#fail(Refusal.of('egress_upstream_closed'));
    });
    this.#input = new StreamInput(stream, this, listener.unread);
  }

  /** The whole body. All at once it would take the memory of the connection, and with it the answers to everybody else. */
  all(body: Buffer): void {
    this.#connection.overhead.body(body.length);
    this.#sendRest(body);
  }

  #sendRest(body: Buffer): void {
    let rest = body;
    while (rest.length > limits.http2PieceBytes) {
      const hasRoom = this.#stream.write(rest.subarray(0, limits.http2PieceBytes));
      rest = rest.subarray(limits.http2PieceBytes);
      this.#rest = rest;
      if (!hasRoom) return;
    }
    this.#rest = null;
    this.#completeRequest();
    this.#stream.end(rest);
  }

  write(data: Buffer): boolean {
    this.lastActive = this.#clock.monotonic();
    this.#connection.overhead.body(data.length);
    return this.#stream.destroyed || this.#stream.write(data);
  }

  end(trailers: Fields): void {
    this.lastActive = this.#clock.monotonic();
    if (this.#stream.destroyed) return;
    this.#completeRequest();
    endWith(this.#stream, trailers);
  }

  pause(): void {
    this.#isPaused = true;
    this.#input.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#hasHead) this.#input.resume();
  }

  destroy(): void {
    this.#listener = null;
    this.#stream.destroy(new Error('cut')); // resets with INTERNAL_ERROR
  }

  #interim(raw: RawHeaders): void {
    this.#moved();
    const head = answerHeadOf(raw);
    if (!head.ok) return this.#malformed(head.error);
    this.#interims += 1;
    if (this.#interims > limits.interimResponsesMax) return this.#malformed('interims_too_many');
    this.#listener?.onInterim(head.value);
  }

  #head(raw: RawHeaders, flags: number): void {
    this.#moved();
    const head = answerHeadOf(raw);
    if (!head.ok) return this.#malformed(head.error);
    const { status, fields } = head.value;
    const isBodyless = this.#method === 'HEAD' || status === 204 || status === 304;
    const framing = framingOf(fields, (flags & NGHTTP2_FLAG_END_STREAM) !== 0, isBodyless);
    if (!framing.ok) return this.#malformed(framing.error);
    this.#hasHead = true;
    if (framing.value.kind === 'length') this.#length = framing.value.bytes;
    this.#listener?.onAnswerHead(head.value, framing.value, false);
    if (!this.#isPaused) this.#input.resume();
  }

  onArrival(bytes: number): void {
    this.#connection.overhead.arrived(bytes);
    this.#moved();
  }

  onInput(data: Buffer): boolean {
    /* The protocol has no data before a head, but Node may tell of the head later (`StreamInput`). */
    if (!this.#hasHead) return false;
    this.#listener?.onBody(data);
    return true;
  }

  get #isShort(): boolean {
    return this.#input.bytes < this.#length;
  }

  onInputOverflow(): void {
    this.#fail(Refusal.of('egress_unread_limit'));
  }

  onInputEnd(whole: boolean): void {
    if (!this.#hasHead || !whole || this.#isShort) return; // cut before it answered, or in the middle: `close` tells
    const trailers = this.#trailers.length === 0 ? null : trailersOf(this.#trailers);
    if (trailers?.ok === false) return this.#malformed(trailers.error);
    const listener = this.#listener;
    this.#listener = null;
    /* Answered before it had read the request: the rest is of no use to it. */
    if (!this.#stream.writableFinished) this.#stream.close(NGHTTP2_CANCEL);
    listener?.onAnswerEnd(trailers?.value ?? NO_TRAILERS);
  }

  #malformed(reason: string): void {
    this.#fail(Refusal.of('egress_response_malformed', { reason }));
  }

  #fail(refusal: Refusal): void {
    const listener = this.#listener;
    if (listener === null) return;
    const reach = this.#reach();
    this.destroy();
    listener.onUpstreamFailure(refusal, reach);
  }

  #reach(): Reach {
    if (!this.#silent) return 'answering';
    const { id, rstCode } = this.#stream;
    const isUnread = rstCode === NGHTTP2_REFUSED_STREAM || id === undefined || id > this.#connection.lastRead;
    return isUnread ? 'unread' : 'silent';
  }

  #moved(): void {
    this.#silent = false;
    this.lastActive = this.#clock.monotonic();
  }
}
