/**
 * The body of a request on its way to the upstream: collected where it has to be seen whole, otherwise searched,
 * filled in, and passed on piece by piece.
 */
import { limits, type Secret } from '../../kernel/index.ts';
import type { BodySink, Fields } from '../../wire/index.ts';
import { FormBinder } from './bind-form.ts';
import { bindJsonBody } from './bind-json.ts';
import { BodyScan, CodedScan } from './body-scan.ts';
import { eachSlice } from './body-slices.ts';
import type { Binder } from './claim.ts';
import { fillGap } from './inject.ts';
import type { BodyPieces, Gap } from './injection.ts';
import type { BodyMemory, RequestStream } from '../message.ts';
import type { MethodWatch } from './method-watch.ts';
import type { CredentialBinding } from '../ports.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';
import type { SigningClaim } from './signer.ts';

export const bodyTooLarge = (): Refusal =>
  Refusal.of('egress_body_too_large', {
    allowed: `${limits.requestBodyBufferBytesMax} bytes, and ${limits.cellBodyBytesMax} for all such requests at a time`,
  });

/** Collects a body up to the limits: its own, and the one for all of the cell. */
export class CollectedBody implements BodySink {
  /** Set when there is no room: nothing is kept then. */
  tooLarge = false;
  bytes = 0;
  readonly #memory: BodyMemory;
  readonly #signatures: readonly SigningClaim[];
  #pieces: Buffer[] = [];
  /** Where small pieces go; behind those in `#pieces`. */
  #block: Buffer | null = null;
  #blockBytes = 0;
  #taken = 0;

  /** @param signatures that the body is a part of */
  constructor(memory: BodyMemory, signatures: readonly SigningClaim[] = []) {
    this.#memory = memory;
    this.#signatures = signatures;
  }

  onBody(data: Buffer): void {
    this.bytes += data.length;
    this.#taken += data.length;
    this.#memory.bytes += data.length;
    this.tooLarge ||=
      this.bytes > limits.requestBodyBufferBytesMax || this.#memory.bytes > this.#memory.bytesMax;
    if (this.tooLarge) {
      this.release();
      return;
    }
    this.#keep(data);
    for (const claim of this.#signatures) claim.update(data);
  }

  /** Every piece is an object, and holds on to all that was read with it: small ones are put together. */
  #keep(data: Buffer): void {
    const block = this.#block;
    if (this.#pieces.length === 0 || data.length >= limits.collectedBlockBytes) {
      this.#closeBlock();
      this.#pieces.push(data);
    } else if (block !== null && this.#blockBytes + data.length <= block.length) {
      this.#blockBytes += data.copy(block, this.#blockBytes);
    } else {
      this.#closeBlock();
      this.#block = Buffer.allocUnsafeSlow(limits.collectedBlockBytes);
      this.#blockBytes = data.copy(this.#block);
    }
  }

  #closeBlock(): void {
    if (this.#block !== null) this.#pieces.push(this.#block.subarray(0, this.#blockBytes));
    this.#block = null;
  }

  /** Nobody needs it any more. */
  release(): void {
    this.#memory.bytes -= this.#taken;
    this.#taken = 0;
    this.#pieces = [];
    this.#block = null;
  }

  /** All of it. Large pieces are views of what was read, so this is their first copy. */
  take(): Buffer {
    this.#closeBlock();
    const [only] = this.#pieces;
    const whole = this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return whole;
  }
}

/**
 * Judges a body that is all there, and with it what was signed over it.
 *
 * @param body null where there is none, or where it will stream
 * @returns its pieces with gaps where credentials go
 * @throws Refusal `egress_placeholder_misplaced`, `egress_placeholder_foreign`, `egress_request_malformed`
 */
export async function judgeBody(
  body: Buffer | null,
  request: EgressRequest,
  binder: Binder,
): Promise<BodyPieces | null> {
  const pieces = body === null ? null : await bindBody(body, request, binder);
  if (body !== null && request.reading.kind !== 'coded') await watchMethod(body, request);
  for (const claim of request.signatures) {
    if (!claim.isMeant()) continue;
    for (const binding of claim.bindings)
      request.injections.push({ binding, place: { kind: 'signature', claim } });
  }
  return pieces;
}

/** @throws Refusal for the methods that a body names */
async function watchMethod(body: Buffer, request: EgressRequest): Promise<void> {
  const { methodWatch } = request;
  if (methodWatch === null) return;
  await eachSlice(body, request, (slice) => methodWatch.push(slice));
  const refused = methodWatch.end();
  if (refused !== null) throw refused;
}

async function bindBody(body: Buffer, request: EgressRequest, binder: Binder): Promise<BodyPieces> {
  const { reading } = request;
  if (reading.kind === 'json') return bindJsonBody(body, request, binder);
  if (reading.kind === 'coded') return scanCoded(body, reading.coding, request, binder);
  if (reading.kind === 'opaque') {
    const scan = new BodyScan(request, binder);
    await eachSlice(body, request, (slice) => scan.push(slice));
    const refused = scan.end();
    if (refused !== null) throw refused;
    return [body];
  }
  const form = new FormBinder(reading, request, binder);
  const pieces: (Buffer | Gap)[] = [];
  await eachSlice(body, request, (slice) => {
    pieces.push(...form.push(slice));
    return null;
  });
  return [...pieces, ...form.end()];
}

async function scanCoded(
  body: Buffer,
  coding: string,
  request: EgressRequest,
  binder: Binder,
): Promise<BodyPieces> {
  const scan = new CodedScan(request, binder, coding, () => {});
  scan.push(body);
  const refused = await scan.end();
  if (refused !== null) throw refused;
  return [body];
}

/** What carries the body's request. */
export interface BodyHost extends Binder {
  /** Whether more of the body may be sent. */
  judge(): Refusal | null;
  /** Opens one more credential, once its use is on record. The value is the caller's to destroy. */
  open(binding: CredentialBinding): Promise<Secret>;
  /** More of the body may be read. */
  onBodyRoom(): void;
  onBodyFailure(reason: unknown): void;
}

/** Passes a body on as it comes. */
export class StreamedBody implements BodySink {
  /** Set when the body is refused, or could not be dealt with; nothing is passed on after that. */
  refused: unknown = null;
  bytes = 0;
  readonly #upstream: RequestStream;
  readonly #host: BodyHost;
  readonly #form: FormBinder | null;
  readonly #scan: BodyScan | null;
  readonly #coded: CodedScan | null;
  /** A coded body has its own. */
  readonly #methods: MethodWatch | null;
  /** Behind a gap whose credential is being opened; the first one is that gap. */
  #waiting: (Buffer | Gap)[] = [];
  /** With the last byte of a body whose length the upstream knows: it would take the request for complete. */
  #last: BodyPieces = [];
  readonly #knownBytes: number | null;
  #isUpstreamFull = false;
  #isScanFull = false;
  #trailers: Fields | null = null;
  #isStopped = false;

  constructor(upstream: RequestStream, request: EgressRequest, host: BodyHost) {
    this.#upstream = upstream;
    this.#host = host;
    const { framing, reading } = request;
    this.#knownBytes = framing?.kind === 'length' ? framing.bytes : null;
    const isForm = reading.kind === 'form' || reading.kind === 'multipart';
    this.#form = isForm ? new FormBinder(reading, request, host) : null;
    this.#coded =
      reading.kind === 'coded'
        ? new CodedScan(request, host, reading.coding, () => this.#scanDrained())
        : null;
    this.#methods = this.#coded === null ? request.methodWatch : null;
    this.#scan = this.#form === null && this.#coded === null ? new BodyScan(request, host) : null;
  }

  /** Nothing more can be taken for now. */
  get isFull(): boolean {
    return this.#isUpstreamFull || this.#isScanFull || this.#waiting.length > 0;
  }

  onBody(data: Buffer): void {
    if (this.refused !== null) return;
    this.bytes += data.length;
    try {
      this.#refuseLate();
      const pieces = this.#judge(data);
      if (this.bytes === this.#knownBytes) this.#last = pieces;
      else this.#pass(pieces);
    } catch (error) {
      this.refused = error;
    }
  }

  /** @param trailers searched already */
  end(trailers: Fields): void {
    if (this.refused !== null) return;
    const refused = this.#scan?.end() ?? this.#methods?.end() ?? null;
    try {
      if (refused !== null) throw refused;
      this.#refuseLate();
      if (this.#form !== null) this.#last = [...this.#last, ...this.#form.end()];
    } catch (error) {
      this.#host.onBodyFailure(error);
      return;
    }
    this.#trailers = trailers;
    if (this.#coded === null) {
      this.#passLast();
      return;
    }
    this.#coded
      .end()
      .then((found) => (found === null ? this.#passLast() : this.#host.onBodyFailure(found)))
      .catch((error: unknown) => this.#host.onBodyFailure(error));
  }

  /** The upstream has taken what it got. */
  drained(): void {
    this.#isUpstreamFull = false;
    this.#room();
  }

  /** The request is over, whatever becomes of it. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
    this.#last = [];
    this.#coded?.drop();
  }

  #refuseLate(): void {
    const refused = this.#host.judge();
    if (refused !== null) throw refused;
  }

  #judge(data: Buffer): BodyPieces {
    const method = this.#methods?.push(data) ?? null;
    if (method !== null) throw method;
    if (this.#form !== null) return this.#form.push(data);
    if (this.#coded !== null) {
      this.#isScanFull = !this.#coded.push(data);
      if (this.#coded.refused !== null) throw this.#coded.refused;
    }
    const refused = this.#scan?.push(data) ?? null;
    if (refused !== null) throw refused;
    return [data];
  }

  /** Writes as far as the next gap. */
  #pass(pieces: BodyPieces): void {
    for (const [index, piece] of pieces.entries()) {
      if (this.#waiting.length > 0) {
        this.#waiting.push(...pieces.slice(index));
        return;
      }
      if (!Buffer.isBuffer(piece)) this.#open(piece);
      else if (piece.length > 0) this.#isUpstreamFull = !this.#upstream.write(piece);
    }
  }

  #open(gap: Gap): void {
    this.#waiting.push(gap);
    this.#fill(gap)
      .then((bytes) => {
        if (this.#isStopped || this.refused !== null) return;
        const [, ...rest] = this.#waiting;
        this.#waiting = [];
        this.#pass([bytes, ...rest]);
        this.#complete();
        this.#room();
      })
      .catch((error: unknown) => this.#host.onBodyFailure(error));
  }

  async #fill(gap: Gap): Promise<Buffer> {
    const value = await this.#host.open(gap.binding);
    try {
      return fillGap(gap, new Map([[gap.binding.name, value]]));
    } finally {
      value.destroy();
    }
  }

  #scanDrained(): void {
    this.#isScanFull = false;
    this.#room();
  }

  #room(): void {
    if (!this.isFull && !this.#isStopped && this.#trailers === null) this.#host.onBodyRoom();
  }

  #passLast(): void {
    if (this.#isStopped) return;
    this.#pass(this.#last);
    this.#last = [];
    this.#complete();
  }

  /** Says that this was all, once everything is written. */
  #complete(): void {
    if (this.#trailers === null || this.#isStopped || this.#waiting.length > 0) return;
    this.#upstream.end(this.#trailers);
  }
}
