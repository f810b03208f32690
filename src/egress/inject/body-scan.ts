/**
 * Searches a body in which no place is declared: any placeholder refuses the request. What was searched goes on as it
 * came; a placeholder is no secret, so nothing has to be held back for it, but a request with one is never completed.
 */
import type { Duplex } from 'node:stream';
import { isAppError } from '../../kernel/index.ts';
import { type Binder, undeclared } from './claim.ts';
import type { MethodWatch } from './method-watch.ts';
import { disguises } from './placeholder-disguises.ts';
import type { PlaceholderHit } from './placeholder-index.ts';
import { Refusal } from '../refusals.ts';
import type { EgressRequest } from '../request.ts';
import {
  createContentScrubber,
  createScrubber,
  createScrubSet,
  parseContentEncoding,
  type Scrubber,
} from '../scrub/index.ts';

const EMPTY = Buffer.alloc(0);

export class BodyScan {
  readonly #request: EgressRequest;
  readonly #binder: Binder;
  readonly #place: string;
  readonly #scrubber: Scrubber;
  #disguised: string | null = null;
  #tail: Buffer = EMPTY;

  /** @param place what is searched, in words */
  constructor(request: EgressRequest, binder: Binder, place = 'the body') {
    this.#request = request;
    this.#binder = binder;
    this.#place = place;
    this.#scrubber = createScrubber(disguises(binder.spec), ({ name }) => {
      this.#disguised ??= name;
    });
  }

  /** @returns null when no placeholder ends in `data` */
  push(data: Buffer): Refusal | null {
    const { placeholders } = this.#binder;
    const reach = Math.max(0, placeholders.longest - 1);
    /* Around the seam with what came before; a piece that is too short to have an inside is all seam. */
    const head = data.subarray(0, reach);
    const edge = this.#tail.length === 0 ? head : Buffer.concat([this.#tail, head]);
    const hit = placeholders.findInBytes(edge) ?? placeholders.findInBytes(data);
    if (hit !== null) return this.#refuse(hit);
    const end = data.length >= reach ? data : edge;
    this.#tail = Buffer.from(end.subarray(Math.max(0, end.length - reach)));
    this.#scrubber.push(data);
    return this.#judged();
  }

  /** The body is complete. */
  end(): Refusal | null {
    this.#scrubber.end();
    return this.#judged();
  }

  #judged(): Refusal | null {
    const credential = this.#disguised;
    if (credential === null) return null;
    const { cell } = this.#binder.spec.identity;
    return this.#refuse({ entry: { cell, credential, placeholder: '' }, start: 0 });
  }

  #refuse(hit: PlaceholderHit): Refusal {
    return undeclared(hit, this.#place, this.#request, this.#binder);
  }
}

/** Searches all of a body, or of a message, at once. */
export function scanBody(
  body: Buffer,
  request: EgressRequest,
  binder: Binder,
  place?: string,
): Refusal | null {
  const scan = new BodyScan(request, binder, place);
  return scan.push(body) ?? scan.end();
}

const NOTHING = createScrubSet([]);

/** The codings of a body that can be undone; null for a body without one, or with one that nobody here knows. */
export function knownCoding(contentEncoding: string): string | null {
  try {
    return parseContentEncoding(contentEncoding).length === 0 ? null : contentEncoding;
  } catch {
    return null;
  }
}

/** Searches a coded body: decodes it beside its way. Whether there is a placeholder in it is certain once `end` resolves. */
export class CodedScan {
  readonly #scan: BodyScan;
  readonly #decoder: Duplex;
  readonly #methods: MethodWatch | null;
  #refused: Refusal | null = null;

  /** @param coding that `knownCoding` knows @param onDrain more may be pushed, after `push` gave false */
  constructor(request: EgressRequest, binder: Binder, coding: string, onDrain: () => void) {
    this.#scan = new BodyScan(request, binder, `the body, under its coding (${coding})`);
    this.#methods = request.methodWatch;
    this.#decoder = createContentScrubber(NOTHING, coding, () => {});
    this.#decoder.on('data', (plain: Buffer) => {
      if (request.isOver) this.drop();
      else this.#refused ??= this.#scan.push(plain) ?? this.#methods?.push(plain) ?? null;
    });
    this.#decoder.on('drain', onDrain);
    this.#decoder.on('error', (error) => {
      this.#refused ??= Refusal.of('egress_request_malformed', {
        reason: isAppError(error) ? error.code : 'content_coding',
      });
      onDrain();
    });
  }

  get refused(): Refusal | null {
    return this.#refused;
  }

  /** @returns false when the sender should wait */
  push(data: Buffer): boolean {
    return this.#refused !== null || this.#decoder.write(data);
  }

  /** @returns why the body is refused */
  async end(): Promise<Refusal | null> {
    if (this.#refused !== null) return this.#refused;
    await new Promise<void>((resolve) => {
      this.#decoder.once('end', resolve);
      this.#decoder.once('close', resolve);
      this.#decoder.end();
    });
    return this.#refused ?? this.#scan.end() ?? this.#methods?.end() ?? null;
  }

  /** Nobody wants to know any more. */
  drop(): void {
    this.#decoder.destroy();
  }
}
