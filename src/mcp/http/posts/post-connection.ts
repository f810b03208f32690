/**
 * A connection whose POSTs to MCP endpoints are read here, one after the other: Node's own server makes two streams of
 * each, which costs more than all that the front does with it (docs/adr/0010-call-speed.md). As soon as anything else
 * comes, a head in pieces or one that is not clear included, the connection is handed to Node's server as it is, and
 * stays there: what is slow, unusual or wrong is its to judge, and to time out.
 *
 * Trusts nothing that it reads. It holds one body, as far as it was asked for, and behind it what the socket gave at once.
 */
import type { Socket } from 'node:net';
import { limits } from '../../../kernel/index.ts';
import { type RequestHead, type HeadReader, requestHeadReader } from '../../../wire/index.ts';
import { tooLarge } from '../../protocol/client-input.ts';
import { type BodyShare, incomplete } from '../body-room.ts';
import type { FrontRequest, HttpVisit } from '../http-message.ts';
import { Pieces } from '../../upstream/pieces.ts';
import type { Soon } from '../../soon.ts';
import { POST_START, type PostHead, postHead } from './post-head.ts';
import { PostResponse } from './post-response.ts';

export interface PostConnectionDeps {
  serve(visit: HttpVisit): void;
  /** Takes the connection from here on, with what it gives next. */
  handOver(socket: Socket): void;
  /** The `Date` field's line, for now. */
  readonly date: () => string;
}

/** The request that is being answered. */
interface Current {
  readonly response: PostResponse;
  readonly bodyBytes: number;
  readonly pieces: Pieces;
  /** Of the body, how many bytes have come. */
  received: number;
  wanted: (PromiseWithResolvers<Buffer> & { readonly share: BodyShare }) | null;
}

export class PostConnection {
  readonly #socket: Socket;
  readonly #deps: PostConnectionDeps;
  readonly #reader: HeadReader<RequestHead> = requestHeadReader();
  #current: Current | null = null;
  /** What came behind the request that is being answered; nothing is read meanwhile. */
  #early: Buffer | null = null;

  constructor(socket: Socket, deps: PostConnectionDeps) {
    this.#socket = socket;
    this.#deps = deps;
  }

  /** Reads until the connection is gone, or somebody else's. */
  listen(): void {
    const socket = this.#socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', ignore);
    socket.on('timeout', this.#onIdle);
    socket.setTimeout(limits.frontIdleMs);
  }

  readonly #onData = (bytes: Buffer): void => {
    const current = this.#current;
    if (current === null) this.#begin(bytes);
    else this.#more(current, bytes);
  };

  /** Nobody is left to read an answer. */
  readonly #onEnd = (): void => {
    this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    const current = this.#current;
    this.#current = null;
    current?.wanted?.reject(incomplete());
    current?.response.close();
  };

  /** Nothing came and nothing was taken for a while. Who waits for an answer may. */
  readonly #onIdle = (): void => {
    const current = this.#current;
    const waits = current?.received === current?.bodyBytes && current?.response.writableEnded === false;
    if (!waits) this.#socket.destroy();
  };

  #begin(bytes: Buffer): void {
    const head = this.#read(bytes);
    if (head === null) {
      this.#handOver(bytes);
      return;
    }
    const { url, headers, bodyBytes, keepAlive } = head.head;
    const response = new PostResponse(this.#socket, keepAlive, this.#deps.date);
    const current: Current = { response, bodyBytes, pieces: new Pieces(), received: 0, wanted: null };
    this.#current = current;
    response.once('close', () => this.#answered(current));
    if (head.end < bytes.length) this.#more(current, bytes.subarray(head.end));
    const req: FrontRequest = { method: 'POST', url, headers, socket: this.#socket };
    this.#deps.serve({ req, res: response, body: (share) => this.#body(current, share) });
  }

  /** @returns null for what is not read here */
  #read(bytes: Buffer): { readonly head: PostHead; readonly end: number } | null {
    if (bytes.length < POST_START.length || POST_START.compare(bytes, 0, POST_START.length) !== 0)
      return null;
    const reader = this.#reader;
    reader.reset();
    const end = reader.read(bytes, 0);
    const head = reader.head === null ? null : postHead(reader.head);
    return head === null ? null : { head, end };
  }

  #more(current: Current, bytes: Buffer): void {
    const missing = current.bodyBytes - current.received;
    const own = missing < bytes.length ? bytes.subarray(0, missing) : bytes;
    if (own.length > 0 && !this.#takes(current, own)) return;
    if (own.length < bytes.length) {
      const rest = bytes.subarray(own.length);
      this.#early = this.#early === null ? rest : Buffer.concat([this.#early, rest]);
    }
    if (current.received === current.bodyBytes) current.wanted?.resolve(current.pieces.take());
    // A body is read once somebody wants it, and another request once this one is answered.
    else if (current.wanted === null) this.#socket.pause();
    if (this.#early !== null) this.#socket.pause();
  }

  /** @returns false: there is no room for more of it, and nothing is read any more */
  #takes(current: Current, bytes: Buffer): boolean {
    try {
      current.wanted?.share.take(bytes.length);
    } catch (error) {
      this.#socket.pause();
      current.wanted?.reject(error);
      return false;
    }
    current.pieces.push(bytes);
    current.received += bytes.length;
    return true;
  }

  /** As `HttpVisit.body`, also as a rejection. */
  #body(current: Current, share: BodyShare): Soon<Buffer> {
    if (current.bodyBytes > limits.mcpMessageBytesMax) throw tooLarge();
    if (current.received < current.bodyBytes) {
      if (this.#socket.destroyed) throw incomplete();
      share.take(current.received);
      current.wanted = { ...Promise.withResolvers<Buffer>(), share };
      this.#socket.resume();
      return current.wanted.promise;
    }
    return current.pieces.take();
  }

  #answered(current: Current): void {
    if (this.#current !== current) return;
    this.#current = null;
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (!current.response.keepAlive || current.received < current.bodyBytes) {
      socket.destroySoon();
      return;
    }
    // In a turn of its own: a client that sends many at once is not served before all others.
    if (this.#early !== null) setImmediate(this.#next);
  }

  readonly #next = (): void => {
    const bytes = this.#early;
    this.#early = null;
    if (bytes === null || this.#socket.destroyed) return;
    this.#begin(bytes);
    const current = this.#current;
    if (current?.received === current?.bodyBytes && this.#early === null) this.#socket.resume();
  };

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.off('timeout', this.#onIdle);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(bytes);
    this.#deps.handOver(socket);
    socket.off('error', ignore);
    socket.resume();
  }
}

const ignore = (): void => undefined;
