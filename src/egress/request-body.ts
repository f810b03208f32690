/**
 * The body of a request on its way to the upstream: collected where it has to be seen whole, otherwise
 * searched and passed on piece by piece.
 */
import { type Json, limits } from '../kernel/index.ts';
import { type BodySink, checkJson, type Fields, parseStrictJson } from '../wire/index.ts';
import { type Binder, BodyScan, bindJson } from './bind.ts';
import type { RequestStream } from './message.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';

export const bodyTooLarge = (): Refusal =>
  Refusal.of('egress_body_too_large', {
    allowed: `${limits.requestBodyBufferBytesMax} bytes, and ${limits.cellBodyBytesMax} for all such requests at a time`,
  });

/** What the bodies that one cell's requests are collecting take together. */
export interface BodyMemory {
  bytes: number;
}

/** Collects a body up to the limits: its own, and the one for all of the cell. */
export class CollectedBody implements BodySink {
  /** Set when there is no room: nothing is kept then. */
  tooLarge = false;
  bytes = 0;
  readonly #memory: BodyMemory;
  #pieces: Buffer[] = [];
  #taken = 0;

  constructor(memory: BodyMemory) {
    this.#memory = memory;
  }

  onBody(data: Buffer): void {
    this.bytes += data.length;
    this.#taken += data.length;
    this.#memory.bytes += data.length;
    this.tooLarge ||=
      this.bytes > limits.requestBodyBufferBytesMax || this.#memory.bytes > limits.cellBodyBytesMax;
    if (this.tooLarge) this.release();
    else this.#pieces.push(data);
  }

  /** Nobody needs it any more. */
  release(): void {
    this.#memory.bytes -= this.#taken;
    this.#taken = 0;
    this.#pieces = [];
  }

  /** All of it. The pieces are views of what was read, so this is the first copy. */
  take(): Buffer {
    const [only] = this.#pieces;
    const whole = this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return whole;
  }
}

/**
 * Judges a whole body.
 *
 * @returns JSON text that places for credentials were found in, or the bytes as they are
 * @throws Refusal `egress_placeholder_misplaced`, `egress_placeholder_foreign`
 */
export function bindBody(body: Buffer, request: EgressRequest, binder: Binder): string | Buffer {
  const text = request.wantsJson ? checkJson(body) : null;
  const parsed = text?.ok === true ? parseStrictJson(text.value) : null;
  /* What is not JSON after all has no declared place: any placeholder in it refuses the request. */
  if (text?.ok !== true || parsed?.ok !== true) {
    const refused = new BodyScan(request, binder).push(body);
    if (refused !== null) throw refused;
    return body;
  }
  const value: Json = parsed.value;
  const refused = bindJson(value, request, binder);
  if (refused !== null) throw refused;
  return request.injections.some(({ place }) => place.kind === 'json') ? text.value : body;
}

/** Passes a body on as it comes. */
export class StreamedBody implements BodySink {
  /** Set when a placeholder was found; nothing is passed on after that. */
  refused: Refusal | null = null;
  /** The upstream wants a pause. */
  isFull = false;
  bytes = 0;
  readonly #upstream: RequestStream;
  readonly #scan: BodyScan;

  constructor(upstream: RequestStream, request: EgressRequest, binder: Binder) {
    this.#upstream = upstream;
    this.#scan = new BodyScan(request, binder);
  }

  onBody(data: Buffer): void {
    if (this.refused !== null) return;
    this.bytes += data.length;
    this.refused = this.#scan.push(data);
    if (this.refused === null) this.isFull = !this.#upstream.write(data);
  }

  /** @param trailers searched already */
  end(trailers: Fields): void {
    this.#upstream.end(trailers);
  }
}
