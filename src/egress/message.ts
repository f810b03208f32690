/**
 * A request and its answer as the data plane handles them, whatever version of HTTP carries them on either side.
 * What judges, injects and scrubs knows these shapes alone; framing, streams and frames are the business of the
 * codecs: `http1/` and `http2/`, towards the client and towards the upstream, in any combination.
 */
import type { BodyFraming, BodySink, Fields, ResponseHead } from '../wire/index.ts';
import type { Refusal, WireRefusal } from './refusals.ts';

/** The body of a request that is sent on. */
export type OutgoingBody =
  | { readonly kind: 'none' }
  /** All of it is there. */
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  /** It follows through `RequestStream.write`, as many bytes as the client announced. */
  | { readonly kind: 'length'; readonly bytes: number }
  /** It follows, and ends when it ends. */
  | { readonly kind: 'unknown' };

/** A request for the upstream. It holds credentials: it is dropped as soon as it cannot be needed again. */
export interface OutgoingRequest {
  readonly method: string;
  readonly scheme: 'https' | 'http';
  /** Host, with the port where that is not the scheme's own. */
  readonly authority: string;
  /** Path and query. */
  readonly target: string;
  /** Without Host, framing, and whatever concerns one connection only. Values are Latin-1. */
  readonly fields: Fields;
  /** Keys of those that a credential was put into: no table of header compression may hold them (RFC 7541 7.1.3). */
  readonly sensitive: readonly string[];
  /** The client reads trailers and said so: gRPC servers insist. */
  readonly acceptsTrailers: boolean;
  readonly body: OutgoingBody;
  /** Asks to go on in another protocol, which only a connection of its own and HTTP/1.1 can. */
  readonly upgrade?: 'websocket';
}

/** Status, phrase (empty in HTTP/2) and fields of an answer. */
export interface AnswerHead {
  /** 100 to 599. */
  readonly status: number;
  readonly phrase: string;
  readonly fields: Fields;
}

/**
 * How far a request got where no answer came: `unread` where the upstream says that it has not dealt with it (RFC 9113
 * section 8.7), or it never left; `silent` where not one byte of an answer had come.
 */
export type Reach = 'unread' | 'silent' | 'answering';

/** What the bodies of one cell that are collected, or that nobody reads, take together, in bytes. */
export interface BodyMemory {
  bytes: number;
  readonly bytesMax: number;
}

/** Who waits for an answer. Exactly one of `onAnswerEnd` and `onUpstreamFailure` ends it. */
export interface AnswerListener extends BodySink {
  /** Where what came of the answer before it is read is counted. */
  readonly unread: BodyMemory;
  /** A 1xx. */
  onInterim(head: AnswerHead): void;
  /**
   * @param framing `chunked` stands for every body that says itself where it ends
   * @param whole all of the body is there already and comes before control returns
   */
  onAnswerHead(head: AnswerHead, framing: BodyFraming, whole: boolean): void;
  /**
   * A 101 to a request with `upgrade`: HTTP has ended on the connection. What comes from now on, up to its end, comes
   * through `onBody`, and what is written goes out as it is.
   */
  onUpgraded?(head: ResponseHead): void;
  onAnswerEnd(trailers: Fields): void;
  onUpstreamFailure(refusal: Refusal, reach: Reach): void;
  /** There is room again for what is being sent. */
  onUpstreamDrain(): void;
}

/** One request on its way to an upstream, and the way that its answer comes back. */
export interface RequestStream {
  /** Monotonic milliseconds of the last byte in or out. */
  readonly lastActive: number;
  /** A piece of the body. @returns false when the sender should wait for `onUpstreamDrain` */
  write(data: Buffer): boolean;
  /** The body is complete. After an upgrade: nothing more is written, and the connection ends soon. */
  end(trailers: Fields): void;
  /** Holds the answer back, or lets it go on. */
  pause(): void;
  resume(): void;
  /** Cuts it; the listener is not told. */
  destroy(): void;
}

/** A connection to an upstream. */
export interface UpstreamConnection {
  /** Whether it has answered before: then it may have gone stale, and a failure may be worth another attempt. */
  readonly reused: boolean;
  /** Whether it can say that it has not dealt with a request. */
  readonly declines: boolean;
  /** Whether another request may be sent on it now. */
  readonly usable: boolean;
  /** Monotonic milliseconds of the last byte in or out. */
  readonly lastActive: number;
  /** Sends a request, or the beginning of one whose body follows. */
  send(request: OutgoingRequest, listener: AnswerListener): RequestStream;
  /** Cuts it, with everything that is on it; no listener is told. */
  destroy(): void;
}

/** Where an answer ends, as far as its sender knows when it begins. */
export type AnswerBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'unknown' };

/** The client's side of one request: where its answer is written. */
export interface ExchangeClient {
  /** Asks for the body that an expectation holds back. */
  continue(): void;
  /** Relays a 1xx, where the client's version has them. */
  interim(head: AnswerHead): void;
  /** Writes head and body of an answer that is all there. */
  whole(head: AnswerHead, body: Buffer): void;
  /**
   * Writes a 101, where the client's version has it: HTTP has ended on the connection. Its bytes go to the exchange's
   * `bodySink` from now on, and `data` writes bytes as they are.
   *
   * @returns false when the client did not wait for it; then it was not written
   */
  upgrade?(head: AnswerHead): boolean;
  /** Begins an answer whose body follows through `data` and `end`; without a body, it is complete. */
  begin(head: AnswerHead, body: AnswerBody): void;
  /** @param data not empty @returns false when the sender should wait for `Exchange.clientDrained` */
  data(data: Buffer): boolean;
  /** The body is complete. */
  end(trailers: Fields): void;
  /** After `whole`, `begin` without a body, or `end`: the exchange is over. */
  answered(): void;
  /** In place of an answer; the exchange is over. */
  refuse(refusal: WireRefusal, method: string): void;
  /** There is no way to end this properly any more. */
  cut(): void;
  /** More of the body, or the next request, may be read. */
  resumeInput(): void;
}
