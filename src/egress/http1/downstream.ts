/**
 * One HTTP/1.1 connection from a cell, after TLS: reads requests one after another and answers them in order. Bytes of a
 * request that nobody is ready for stay unread, and pause the socket; so do pipelined requests, and those of a
 * client that does not read its answers. After anything that makes the place of the next request uncertain, the connection is closed.
 */
import type { Socket } from 'node:net';
import { limits } from '../../kernel/index.ts';
import {
  BodyReader,
  encodeLastChunk,
  encodeResponseHead,
  Fields,
  HEAD_ENCODING,
  type RequestHead,
  requestFraming,
  requestHeadReader,
} from '../../wire/index.ts';
import { Exchange, type ExchangeHost } from '../exchange.ts';
import { addRefusalFields, recordHeadRefusal, refusalBody } from '../head-refusal.ts';
import type { AnswerBody, AnswerHead, ExchangeClient } from '../message.ts';
import { Refusal, toWireRefusal, type WireRefusal } from '../refusals.ts';
import type { Arrival } from '../request.ts';
import { Http1Output } from './output.ts';
import { readBody } from './small-chunks.ts';

const STATUS_PHRASES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  504: 'Gateway Timeout',
};

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const NO_TRAILERS = new Fields();

export class Http1Downstream implements ExchangeClient {
  readonly #socket: Socket;
  readonly #host: ExchangeHost;
  readonly #arrival: Arrival;
  readonly #only: boolean;
  readonly #reader = requestHeadReader();
  readonly #output: Http1Output;
  #exchange: Exchange | null = null;
  /** Of the request that is being answered. */
  #head: RequestHead | null = null;
  #body: BodyReader | null = null;
  #held: Buffer | null = null;
  #isReading = false;
  /** How the answer that is being written ends. */
  #framing: 'chunked' | 'plain' = 'plain';
  /** Whether another request may follow the answer that is being written. */
  #persists = false;
  /** HTTP has ended on the connection. */
  #isUpgraded = false;
  /** No further request is read; what still comes is thrown away. */
  #isClosing = false;
  #hasEnded = false;
  #drainedBytes = 0;
  /** It sends so many chunks of next to nothing that the cell has none left. */
  #isDribbling = false;
  /** Monotonic milliseconds of the last byte in or out. */
  #lastActive: number;
  /** Monotonic milliseconds of the first byte of the head that is being read; null between requests. */
  #headSince: number | null = null;

  /** @param only one request is read: whoever may send it was asked about that one alone */
  constructor(socket: Socket, host: ExchangeHost, arrival: Arrival, only = false) {
    this.#socket = socket;
    this.#host = host;
    this.#arrival = arrival;
    this.#only = only;
    this.#lastActive = host.clock.monotonic();
    this.#output = new Http1Output(socket, () => this.#drain());
    socket.on('data', (bytes: Buffer) => this.#data(bytes));
    socket.on('drain', () => this.#drain());
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#exchange?.abandon('client_closed'));
  }

  /** Ends what takes too long. @param now monotonic milliseconds */
  sweep(now: number): void {
    if (this.#exchange !== null) {
      if (this.#hasEnded && now - this.#lastActive >= limits.halfClosedTimeoutMs) this.#gone(this.#exchange);
      else this.#exchange.checkDeadline(now, this.#lastActive);
    } else if (this.#isClosing) {
      if (now - this.#lastActive >= limits.egressHeadTimeoutMs) this.cut();
    } else if (this.#headSince !== null) {
      if (now - this.#headSince >= limits.egressHeadTimeoutMs)
        this.#refuseHead(Refusal.of('egress_request_timeout'));
    } else if (now - this.#lastActive >= limits.egressIdleTimeoutMs) {
      this.cut();
    }
  }

  /** Bytes that were read before this object was there. */
  feed(bytes: Buffer): void {
    this.#data(bytes);
  }

  continue(): void {
    this.#write(CONTINUE);
  }

  interim({ status, phrase, fields }: AnswerHead): void {
    if (this.#head?.minor === 1) this.#write(encodeResponseHead(status, phrase, fields));
  }

  whole({ status, phrase, fields }: AnswerHead, body: Buffer): void {
    this.#persists = this.#mayPersist();
    fields.add('Content-Length', String(body.length));
    if (!this.#persists) fields.add('Connection', 'close');
    const head = encodeResponseHead(status, phrase, fields);
    const message = Buffer.allocUnsafe(head.length + body.length);
    message.write(head, 0, HEAD_ENCODING);
    body.copy(message, head.length);
    this.#write(message);
  }

  begin({ status, phrase, fields }: AnswerHead, body: AnswerBody): void {
    const isOpenEnded = body.kind === 'unknown' && this.#head?.minor !== 1;
    this.#persists = !isOpenEnded && this.#mayPersist();
    this.#framing = body.kind === 'unknown' && !isOpenEnded ? 'chunked' : 'plain';
    if (!this.#persists) fields.add('Connection', 'close');
    if (body.kind === 'length') fields.add('Content-Length', String(body.bytes));
    if (this.#framing === 'chunked') fields.add('Transfer-Encoding', 'chunked');
    const head = encodeResponseHead(status, phrase, fields);
    if (body.kind === 'none') this.#write(head);
    else this.#output.begin(head, this.#framing === 'chunked');
  }

  upgrade({ status, phrase, fields }: AnswerHead): boolean {
    /* Bytes that came before were not meant for another protocol; as a request, they would be one behind an upgrade. */
    if (this.#held !== null || this.#hasEnded) {
      this.#isClosing = true;
      return false;
    }
    fields.add('Upgrade', 'websocket');
    fields.add('Connection', 'Upgrade');
    this.#isUpgraded = true;
    this.#framing = 'plain';
    this.#persists = false;
    this.#body = new BodyReader({ kind: 'close' }, { extensions: 'refuse' });
    this.#output.begin(encodeResponseHead(status, phrase, fields), false);
    return true;
  }

  data(data: Buffer): boolean {
    this.#lastActive = this.#host.clock.monotonic();
    return this.#output.data(data);
  }

  end(trailers: Fields): void {
    this.#lastActive = this.#host.clock.monotonic();
    this.#output.end(this.#framing === 'chunked' ? encodeLastChunk(trailers) : '');
  }

  cut(): void {
    this.#output.flush();
    this.#socket.destroy();
  }

  /** Ends everything now: the cell is closed. */
  close(): void {
    this.#exchange?.abandon('cell_closed');
    this.cut();
  }

  resumeInput(): void {
    if (this.#isReading) return; // the loop that is running goes on by itself
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#read(held);
    if (this.#held === null && this.#socket.isPaused()) this.#socket.resume();
  }

  answered(): void {
    this.#exchange = this.#head = null;
    const isRead = this.#body?.done === true;
    this.#body = null;
    if (!this.#persists || !isRead || (this.#hasEnded && this.#held === null)) {
      this.#finish();
      return;
    }
    this.#reader.reset();
    this.resumeInput();
  }

  refuse(refusal: WireRefusal, method: string): void {
    this.#persists = this.#mayPersist() && !this.#isClosing;
    this.#writeRefusal(refusal, method);
    this.answered();
  }

  /** Whether the client wants to send another request, and it is certain where that begins. */
  #mayPersist(): boolean {
    const head = this.#head;
    if (this.#only || this.#isDribbling || head?.minor !== 1) return false;
    return this.#body?.done === true && !head.fields.list('connection').includes('close');
  }

  #write(data: Buffer | string): boolean {
    this.#lastActive = this.#host.clock.monotonic();
    return this.#output.write(data);
  }

  #data(bytes: Buffer): void {
    this.#lastActive = this.#host.clock.monotonic();
    if (this.#isClosing) {
      this.#drainedBytes += bytes.length;
      if (this.#drainedBytes > limits.requestDrainBytesMax) this.cut();
      return;
    }
    this.#read(bytes);
  }

  #read(bytes: Buffer): void {
    this.#isReading = true;
    let at = 0;
    while (at < bytes.length && !this.#isClosing) {
      const exchange = this.#exchange;
      if (exchange === null && !this.#socket.writableNeedDrain) {
        at = this.#readHead(bytes, at);
      } else if (exchange !== null && this.#body?.done !== true && exchange.bodySink !== null) {
        at = this.#readBody(bytes, at, exchange);
      } else {
        this.#held = bytes.subarray(at);
        this.#socket.pause();
        break;
      }
    }
    this.#isReading = false;
  }

  #readHead(bytes: Buffer, at: number): number {
    this.#headSince ??= this.#lastActive;
    const next = this.#reader.read(bytes, at);
    if (this.#reader.error !== null) {
      this.#refuseHead(Refusal.of('egress_request_malformed', { reason: this.#reader.error }));
      return bytes.length;
    }
    if (this.#reader.head !== null) this.#begin(this.#reader.head);
    return next;
  }

  #begin(head: RequestHead): void {
    this.#headSince = null;
    const exchange = new Exchange(this.#host, this, this.#arrival, { head, framing: requestFraming(head) });
    this.#exchange = exchange;
    this.#head = head;
    exchange.start();
    /* Where the body ends is uncertain: no end is ever found, so the connection closes after the answer. */
    this.#body = new BodyReader(exchange.framing ?? { kind: 'close' }, { extensions: 'refuse' });
    this.#bodyAdvanced(exchange);
  }

  readonly #overhead = (bytes: number): void => {
    this.#isDribbling ||= !this.#host.overhead.draw(bytes);
  };

  #readBody(bytes: Buffer, at: number, exchange: Exchange): number {
    const sink = exchange.bodySink;
    if (this.#body === null || sink === null) return at;
    const next = readBody(this.#body, bytes, at, sink, this.#overhead);
    /* Before its end is passed on: the upstream would have all of a request that is refused. */
    if (this.#isDribbling) exchange.bodyMalformed('chunks_too_small');
    else this.#bodyAdvanced(exchange);
    return next;
  }

  #bodyAdvanced(exchange: Exchange): void {
    const body = this.#body;
    if (body === null) return;
    exchange.bodyAdvanced();
    if (body.error !== null) exchange.bodyMalformed(body.error);
    else if (body.done) exchange.bodyEnded(body.trailers);
  }

  /** What came is no request: there is no exchange that could say so. */
  #refuseHead(refusal: Refusal): void {
    recordHeadRefusal(this.#host.trail, refusal, this.#arrival);
    this.#persists = false;
    this.#writeRefusal(toWireRefusal(refusal), 'GET');
    this.#finish();
  }

  #writeRefusal(refusal: WireRefusal, method: string): void {
    const { status } = refusal;
    const body = refusalBody(refusal);
    const fields = new Fields();
    addRefusalFields(refusal, body, fields);
    if (!this.#persists) fields.add('Connection', 'close');
    this.#socket.cork();
    this.#write(encodeResponseHead(status, STATUS_PHRASES[status] ?? 'Refused', fields));
    if (method !== 'HEAD') this.#write(body);
    this.#socket.uncork();
  }

  /** Says that nothing more comes, and lets the client finish reading: a reset could take the answer away. */
  #finish(): void {
    this.#isClosing = true;
    this.#held = null;
    this.#output.flush();
    this.#socket.end();
    if (this.#hasEnded) return;
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  #drain(): void {
    this.#lastActive = this.#host.clock.monotonic();
    if (this.#exchange !== null) this.#exchange.clientDrained();
    else if (!this.#isClosing) this.resumeInput();
  }

  /** Only when something is written to it does a client that has left altogether differ from one that waits. */
  #gone(exchange: Exchange): void {
    exchange.abandon('client_closed');
    this.cut();
  }

  /** The client sends no more. A request that is complete is still answered. */
  #ended(): void {
    this.#hasEnded = true;
    this.#lastActive = this.#host.clock.monotonic();
    if (this.#isUpgraded && this.#exchange !== null) {
      this.#exchange.bodyEnded(NO_TRAILERS);
      return;
    }
    const isComplete = this.#held !== null || (this.#exchange !== null && this.#body?.done === true);
    if (!isComplete) this.#socket.destroySoon();
  }
}
