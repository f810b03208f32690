/**
 * One HTTP/2 connection from a cell, after TLS: every stream is one request and takes the same way as one of
 * HTTP/1.1. Frames, header compression, flow control and the bounds on floods are nghttp2's, through `node:http2`;
 * it is told here how much of each it may take from one client (ATTACKS 12).
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { type JsonObject, limits } from '../../kernel/index.ts';
import type { ExchangeHost } from '../exchange.ts';
import type { Arrival } from '../request.ts';
import { type AbuseReason, abuseOf } from './abuse.ts';
import type { RawHeaders } from './fields.ts';
import { ConnectionOverhead } from './overhead.ts';
import { Http2Request } from './request-stream.ts';

/** What `node:http2` knows of flood bounds and its types leave out. */
const SESSION_OPTIONS = {
  maxDeflateDynamicTableSize: limits.http2HeaderTableBytes,
  maxSettings: limits.http2SettingsMax,
  maxSessionMemory: limits.http2SessionMemoryMiB,
  maxHeaderListPairs: limits.headFieldsMax + 8, // the pseudo fields, and one too many to say so
  maxOutstandingPings: limits.http2PingsMax,
  maxSessionInvalidFrames: limits.http2InvalidFramesMax,
  maxSessionRejectedStreams: limits.http2RejectedStreamsMax,
  streamResetBurst: limits.http2ResetBurst,
  streamResetRate: limits.http2ResetsPerSecond,
  strictSingleValueFields: false, // what is repeated goes on as it came
  settings: {
    enablePush: false,
    headerTableSize: limits.http2HeaderTableBytes,
    initialWindowSize: limits.http2WindowBytes,
    maxConcurrentStreams: limits.http2StreamsMax,
    maxHeaderListSize: limits.requestHeadBytesMax,
  },
};

export class Http2Downstream {
  readonly #socket: TLSSocket;
  readonly #session: ServerHttp2Session;
  readonly #host: ExchangeHost;
  readonly #arrival: Arrival;
  readonly #overhead: ConnectionOverhead;
  readonly #requests = new Set<Http2Request>();
  /** Monotonic milliseconds since which there is no request. */
  #idleSince: number;

  constructor(socket: TLSSocket, host: ExchangeHost, arrival: Arrival) {
    this.#socket = socket;
    this.#host = host;
    this.#arrival = arrival;
    this.#overhead = new ConnectionOverhead(
      host.overhead,
      () => socket.bytesRead,
      () => this.#giveUp('overhead'),
    );
    this.#idleSince = host.clock.monotonic();
    this.#session = performServerHandshake(socket, SESSION_OPTIONS);
    this.#session.on('error', (error) => {
      const reason = abuseOf(error);
      if (reason !== null) this.#recordAbuse(reason);
      socket.destroy();
    });
    this.#session.on('close', () => this.#abandon('client_closed'));
    this.#session.on('stream', (stream, _headers, flags, raw: RawHeaders) => {
      this.#overhead.head(raw);
      this.#begin(stream, { raw, flags });
    });
    this.#session.on('ping', () => this.#overhead.look());
    this.#session.on('remoteSettings', () => this.#overhead.look());
    /* HTTP/2 has no half-closed connections: a program that has closed its side reads no answer. */
    socket.once('end', () => socket.destroy());
    /* The session waits for the handshake, which is over: only a socket of `tls.Server` would know by itself. */
    socket.emit('secureConnect');
  }

  /** Ends what takes too long. @param now monotonic milliseconds */
  sweep(now: number): void {
    this.#overhead.judge();
    for (const request of this.#requests) request.sweep(now);
    const isIdle = this.#requests.size === 0 && now - this.#idleSince >= limits.egressIdleTimeoutMs;
    if (isIdle && !this.#session.closed) this.#session.close();
    else if (isIdle) this.#socket.destroy();
  }

  /** Ends everything now: the cell is closed. */
  close(): void {
    this.#abandon('cell_closed');
    this.#session.destroy();
    this.#socket.destroy();
  }

  #begin(stream: ServerHttp2Stream, sent: { raw: RawHeaders; flags: number }): void {
    if (!this.#admit(stream)) return;
    const request = new Http2Request(stream, this.#host, this.#arrival, this.#overhead);
    this.#requests.add(request);
    stream.once('close', () => {
      this.#requests.delete(request);
      if (this.#requests.size === 0) this.#idleSince = this.#host.clock.monotonic();
    });
    request.start(sent.raw, sent.flags);
  }

  /** A cell has so many streams on all of its connections together. One too many may be tried again (RFC 9113 8.7). */
  #admit(stream: ServerHttp2Stream): boolean {
    const { streams } = this.#host;
    streams.open += 1;
    stream.once('close', () => {
      streams.open -= 1;
    });
    if (streams.open <= limits.cellStreamsMax) return true;
    this.#recordRefusal('', { code: 'egress_streams_limit' });
    stream.on('error', () => undefined);
    stream.close(constants.NGHTTP2_REFUSED_STREAM);
    return false;
  }

  /** Against the protocol, or more of something than it is good for: the connection is ended, and told why. */
  #giveUp(reason: AbuseReason): void {
    if (this.#session.destroyed) return;
    this.#recordAbuse(reason);
    this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#session.destroy();
  }

  #recordAbuse(reason: AbuseReason): void {
    this.#recordRefusal(reason, { code: 'egress_http2_abuse', reason });
  }

  #recordRefusal(key: string, what: JsonObject): void {
    const { sni, port } = this.#arrival;
    void this.#host.trail.refused('connection', 'egress.refused', key, { ...what, host: sni, port });
  }

  #abandon(code: 'client_closed' | 'cell_closed'): void {
    for (const request of this.#requests) request.abandon(code);
  }
}
