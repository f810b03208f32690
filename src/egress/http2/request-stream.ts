/**
 * One stream of an HTTP/2 connection from a cell: reads one request and writes its answer. What it reads is held back
 * by the stream's own window, so a slow upstream slows its client and nobody else.
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import { limits } from '../../kernel/index.ts';
import { Fields } from '../../wire/index.ts';
import { Exchange, type ExchangeHost } from '../exchange.ts';
import { addRefusalFields, recordHeadRefusal, refusalBody } from '../head-refusal.ts';
import type { AnswerBody, AnswerHead, ExchangeClient } from '../message.ts';
import { Refusal, toWireRefusal, type WireRefusal } from '../refusals.ts';
import type { Arrival, Incoming } from '../request.ts';
import { callRefusal, isCall } from './call-refusal.ts';
import {
  endWith,
  framingOf,
  type RawHeaders,
  rawHeadersOf,
  requestHeadOf,
  trailersOf,
  trailersToSend,
} from './fields.ts';
import type { ConnectionOverhead } from './overhead.ts';
import { holdEnd } from './stream-end.ts';
import { type InputReader, StreamInput } from './stream-input.ts';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants;
const NO_TRAILERS = new Fields();

export class Http2Request implements ExchangeClient, InputReader {
  readonly #stream: ServerHttp2Stream;
  readonly #completeAnswer: () => void;
  readonly #host: ExchangeHost;
  readonly #arrival: Arrival;
  readonly #overhead: ConnectionOverhead;
  #exchange: Exchange | null = null;
  #input: StreamInput | null = null;
  #trailers: RawHeaders = [];
  /** The client has sent everything. */
  #hasEnded = false;
  #hasReported = false;
  #drainedBytes = 0;
  #isAnswered = false;
  /** Of the answer, when it was last looked at. */
  #unreadBytes = 0;
  /** A call of gRPC. */
  #isCall = false;
  #lastActive: number;

  constructor(stream: ServerHttp2Stream, host: ExchangeHost, arrival: Arrival, overhead: ConnectionOverhead) {
    this.#stream = stream;
    this.#completeAnswer = holdEnd(stream);
    this.#host = host;
    this.#arrival = arrival;
    this.#overhead = overhead;
    this.#lastActive = host.clock.monotonic();
    stream.on('error', () => undefined); // `close` follows, and says all that is needed
    stream.on('close', () => this.abandon('client_closed'));
  }

  start(raw: RawHeaders, flags: number): void {
    const head = requestHeadOf(raw, this.#arrival.scheme);
    if (!head.ok) {
      this.#refuseHead(head.error);
      return;
    }
    this.#isCall = isCall(head.value.fields);
    const hasEnded = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    const incoming: Incoming = { head: head.value, framing: framingOf(head.value.fields, hasEnded) };
    const exchange = new Exchange(this.#host, this, this.#arrival, incoming);
    this.#exchange = exchange;
    const stream = this.#stream;
    stream.on('drain', () => this.#drained());
    stream.on('trailers', (_trailers, _flags, received: RawHeaders) => {
      this.#trailers = received;
      this.#overhead.head(received);
    });
    this.#input = new StreamInput(stream, this, this.#host.bodies);
    exchange.start();
  }

  abandon(code: 'client_closed' | 'cell_closed'): void {
    this.#exchange?.abandon(code);
  }

  /** @param now monotonic milliseconds */
  sweep(now: number): void {
    if (this.#exchange !== null) this.#exchange.checkDeadline(now, this.#lastActive);
    else this.#sweepRest(now);
  }

  /** The end of an answer may be read as slowly as the rest of it; what nobody needs of a request has less time. */
  #sweepRest(now: number): void {
    const unread = this.#stream.bufferSize;
    if (unread !== this.#unreadBytes) this.#lastActive = now;
    this.#unreadBytes = unread;
    const patience = unread > 0 ? limits.egressBodyIdleTimeoutMs : limits.egressHeadTimeoutMs;
    if (now - this.#lastActive >= patience) this.#stream.close(NGHTTP2_CANCEL);
  }

  continue(): void {
    if (!this.#isGone && !this.#stream.headersSent) this.#stream.additionalHeaders({ ':status': 100 });
  }

  interim(head: AnswerHead): void {
    if (this.#stream.headersSent || this.#isGone) return;
    this.#stream.additionalHeaders({ ...trailersToSend(head.fields), ':status': head.status });
  }

  whole(head: AnswerHead, body: Buffer): void {
    head.fields.add('content-length', String(body.length));
    this.#completeAnswer();
    this.#respond(head, body.length === 0 ? 'none' : 'body');
    if (body.length > 0) this.#stream.end(body);
  }

  begin(head: AnswerHead, body: AnswerBody): void {
    if (body.kind === 'length') head.fields.add('content-length', String(body.bytes));
    if (body.kind === 'none') this.#completeAnswer();
    this.#respond(head, body.kind === 'none' ? 'none' : 'trailers');
  }

  data(data: Buffer): boolean {
    this.#lastActive = this.#host.clock.monotonic();
    this.#overhead.body(data.length + 2 * limits.http2FieldBytes);
    return this.#stream.destroyed || this.#stream.write(data);
  }

  end(trailers: Fields): void {
    if (this.#stream.destroyed) return;
    this.#completeAnswer();
    endWith(this.#stream, trailers);
  }

  answered(): void {
    this.#exchange = null;
    this.#isAnswered = true;
    /* What is still coming is nobody's any more: a little of it is thrown away, then the client is told to stop. */
    if (this.#input !== null) this.#input.resume();
    else if (!this.#hasEnded) this.#stream.resume();
  }

  refuse(refusal: WireRefusal, method: string): void {
    this.#completeAnswer();
    if (this.#isCall) this.#respond({ status: 200, phrase: '', fields: callRefusal(refusal) }, 'none');
    else this.#refuseRequest(refusal, method);
    this.answered();
  }

  #refuseRequest(refusal: WireRefusal, method: string): void {
    const body = refusalBody(refusal);
    const fields = new Fields();
    addRefusalFields(refusal, body, fields);
    const isBodyless = method === 'HEAD';
    this.#respond({ status: refusal.status, phrase: '', fields }, isBodyless ? 'none' : 'body');
    if (!isBodyless && !this.#stream.destroyed) this.#stream.end(body);
  }

  cut(): void {
    this.#stream.destroy(new Error('cut')); // resets with INTERNAL_ERROR
  }

  resumeInput(): void {
    this.#input?.resume();
    if (this.#hasEnded) this.#reportEnd();
  }

  /** One that the client has reset is closed, and may not be destroyed as long as something of it is unread. */
  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  #respond({ status, fields }: AnswerHead, body: 'none' | 'body' | 'trailers'): void {
    this.#lastActive = this.#host.clock.monotonic();
    if (this.#isGone || this.#stream.headersSent) return;
    this.#overhead.body(2 * limits.http2FieldBytes);
    this.#stream.respond(rawHeadersOf([':status', String(status)], fields), {
      endStream: body === 'none',
      waitForTrailers: body === 'trailers',
    });
  }

  onArrival(bytes: number): void {
    this.#overhead.arrived(bytes);
  }

  onInput(data: Buffer): boolean {
    this.#lastActive = this.#host.clock.monotonic();
    if (this.#isAnswered) {
      this.#drainedBytes += data.length;
      if (this.#drainedBytes > limits.requestDrainBytesMax) this.#stream.close(NGHTTP2_NO_ERROR);
      return true;
    }
    const exchange = this.#exchange;
    const sink = exchange?.bodySink ?? null;
    if (exchange === null || sink === null) return false;
    sink.onBody(data);
    exchange.bodyAdvanced();
    if (!this.#isAnswered && exchange.bodySink === null) this.#input?.pause();
    return true;
  }

  onInputEnd(whole: boolean): void {
    const framing = this.#exchange?.framing;
    const isShort = framing?.kind === 'length' && (this.#input?.bytes ?? 0) < framing.bytes;
    if (!whole || isShort) return; // what came is not all of it: `close` follows
    this.#hasEnded = true;
    this.#reportEnd();
  }

  /** Bodies of this cell that nobody reads have taken all the room that they have together. */
  onInputOverflow(): void {
    const { sni, port } = this.#arrival;
    const data = { code: 'egress_unread_limit', host: sni, port };
    void this.#host.trail.refused('connection', 'egress.refused', '', data);
    if (this.#stream.headersSent) this.cut();
    else this.#stream.close(NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #reportEnd(): void {
    if (this.#hasReported || this.#exchange === null) return;
    if (this.#exchange.framing?.kind === 'none') return;
    /* Its sink may not be there yet: then `resumeInput` comes back here. */
    if (this.#exchange.bodySink === null) return;
    this.#hasReported = true;
    const trailers = this.#trailers.length === 0 ? null : trailersOf(this.#trailers);
    if (trailers?.ok === false) this.#exchange.bodyMalformed(trailers.error);
    else this.#exchange.bodyEnded(trailers?.value ?? NO_TRAILERS);
  }

  #drained(): void {
    this.#lastActive = this.#host.clock.monotonic();
    this.#exchange?.clientDrained();
  }

  /** What came is no request: there is no exchange that could say so. */
  #refuseHead(reason: string): void {
    const refusal = Refusal.of('egress_request_malformed', { reason });
    recordHeadRefusal(this.#host.trail, refusal, this.#arrival);
    this.refuse(toWireRefusal(refusal), 'GET');
  }
}
