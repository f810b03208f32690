/**
 * Scrubs a response body of any content coding: decodes it, masks, and gives the plain bytes. The caller drops
 * `Content-Encoding`, `Content-Length` and digests of the body. Every chunk that arrives comes out as soon as
 * it is decoded, so event streams are not delayed, and nothing is decoded faster than it is read.
 */
import { Duplex } from 'node:stream';
import { AppError, isAppError, limits } from '../../kernel/index.ts';
import { parseContentEncoding } from './content-coding.ts';
import { createDecoder, forward, outOfProportion } from './decoder.ts';
import type { ScrubSet } from './scrub-set.ts';
import { createScrubber, type Scrubber, type ScrubHit } from './scrubber.ts';

/**
 * A stream that takes the body as it is on the wire and gives it plain and scrubbed.
 *
 * Emits `error` with an AppError `scrub_content_malformed` when the body is not in the coding that it claims or
 * ends early, and `scrub_content_expansion` when it grows out of proportion; what came out before stays valid.
 *
 * @param contentEncoding the header's value, `undefined` without one
 * @throws AppError `scrub_coding_unsupported`
 */
export function createContentScrubber(
  set: ScrubSet,
  contentEncoding: string | undefined,
  onHit: (hit: ScrubHit) => void,
): Duplex {
  const decoders = parseContentEncoding(contentEncoding).map(createDecoder).toReversed();
  return new ContentScrubber(createScrubber(set, onHit), decoders);
}

class ContentScrubber extends Duplex {
  readonly #scrubber: Scrubber;
  readonly #decoders: readonly Duplex[];
  #decodersLeft: number;
  #codedBytes = 0;

  constructor(scrubber: Scrubber, decoders: readonly Duplex[]) {
    super();
    this.#scrubber = scrubber;
    this.#decoders = decoders;
    this.#decodersLeft = decoders.length;
    for (const [index, decoder] of decoders.entries()) {
      decoder.on('error', (cause) => this.destroy(asMalformed(cause)));
      this.#bound(decoder);
      decoder.on('end', () => this.#ended());
      const next = decoders[index + 1];
      if (next !== undefined) decoder.pipe(next);
    }
    const last = decoders.at(-1);
    last?.on('data', (plain: Buffer) => {
      if (!this.destroyed && !this.#pass(plain)) last.pause();
    });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#codedBytes += chunk.length;
    const [first] = this.#decoders;
    if (first !== undefined) return forward(first, chunk, done);
    // Without a decoder the readable side's buffer is the only brake: wait until it is read.
    if (this.#pass(chunk)) done();
    else this.#afterRead = done;
  }

  #afterRead: ((error?: Error | null) => void) | null = null;

  override _read(): void {
    const done = this.#afterRead;
    this.#afterRead = null;
    done?.();
    this.#decoders.at(-1)?.resume();
  }

  override _final(done: (error?: Error | null) => void): void {
    const [first] = this.#decoders;
    if (first === undefined || this.#codedBytes === 0) this.#finish();
    else first.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    for (const decoder of this.#decoders) decoder.destroy();
    done(error);
  }

  /** Every decoder by itself: what one makes may be nothing to the next, such as padding after its end. */
  #bound(decoder: Duplex): void {
    let bytes = 0;
    decoder.on('data', (decoded: Buffer) => {
      bytes += decoded.length;
      if (bytes > limits.decodedFreeBytes + this.#codedBytes * limits.decodedRatioMax)
        this.destroy(outOfProportion());
    });
  }

  /** False when the reader should catch up first. */
  #pass(plain: Buffer): boolean {
    const scrubbed = this.#scrubber.push(plain);
    return scrubbed.length === 0 || this.push(scrubbed);
  }

  /** The body is whole when every coding of it came to its end. */
  #ended(): void {
    this.#decodersLeft -= 1;
    if (this.#decodersLeft === 0) this.#finish();
  }

  #finish(): void {
    const rest = this.#scrubber.end();
    if (rest.length > 0) this.push(rest);
    this.push(null);
  }
}

function asMalformed(cause: Error): AppError {
  if (isAppError(cause)) return cause;
  return new AppError('scrub_content_malformed', 'The answer is not in the content coding that it claims.', {
    kind: 'unavailable',
    cause,
  });
}
