/**
 * The `Content-Encoding` header and the decoders behind it (RFC 9110 section 8.4.1, RFC 8878). Trusts nothing
 * of a coded body: windows are bounded, and a body that grows out of proportion is an error.
 */
import { Duplex } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { AppError, limits } from '../../kernel/index.ts';

export type ContentCoding = 'gzip' | 'deflate' | 'br' | 'zstd';

const CODINGS: Readonly<Record<string, ContentCoding>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
  zstd: 'zstd',
};

/**
 * The codings of a body in the order in which they were applied; none for identity.
 *
 * @throws AppError `scrub_coding_unsupported`: the body cannot be looked into, so it must not be passed
 */
export function parseContentEncoding(header: string | undefined): readonly ContentCoding[] {
  const codings: ContentCoding[] = [];
  for (const part of (header ?? '').split(',')) {
    const name = part.trim().toLowerCase();
    if (name === '' || name === 'identity') continue;
    const coding = Object.hasOwn(CODINGS, name) ? CODINGS[name] : undefined;
    if (coding === undefined)
      throw unsupported(`the unknown content coding ${JSON.stringify(name.slice(0, 40))}`);
    codings.push(coding);
  }
  if (codings.length > limits.contentCodingsMax)
    throw unsupported(`${codings.length} content codings on one body`);
  return codings;
}

const unsupported = (what: string): AppError =>
  new AppError('scrub_coding_unsupported', `The answer uses ${what}, so it cannot be checked for secrets.`, {
    kind: 'unavailable',
    hint: 'Send Accept-Encoding with gzip, deflate, br or zstd only.',
  });

/** Turns a coded body into the plain one. Emits what it can as soon as it can. */
export function createDecoder(coding: ContentCoding): Duplex {
  switch (coding) {
    case 'gzip':
      return createGunzip();
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      return createZstdDecompress({
        params: { [constants.ZSTD_d_windowLogMax]: limits.zstdWindowLogMax },
      });
    case 'deflate':
      return new DeflateDecoder();
  }
}

/** `deflate` is the zlib format by the standard, and raw deflate from some servers: the first bytes tell. */
class DeflateDecoder extends Duplex {
  #decoder: Duplex | null = null;
  #start: Buffer = Buffer.alloc(0);

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#decoder !== null) return forward(this.#decoder, chunk, done);
    this.#start = this.#start.length === 0 ? chunk : Buffer.concat([this.#start, chunk]);
    if (this.#start.length < 2) return done();
    forward(this.#open(), this.#start, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#decoder === null && this.#start.length === 0) {
      this.push(null);
    } else {
      const decoder = this.#decoder ?? this.#open(this.#start);
      decoder.end();
    }
    done();
  }

  override _read(): void {
    this.#decoder?.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#decoder?.destroy();
    done(error);
  }

  #open(first?: Buffer): Duplex {
    const [a = 0, b = 0] = this.#start;
    const zlib = (a & 0x0f) === 8 && (a * 256 + b) % 31 === 0;
    const decoder = zlib ? createInflate() : createInflateRaw();
    this.#decoder = decoder;
    decoder.on('data', (plain: Buffer) => {
      if (!this.push(plain)) decoder.pause();
    });
    decoder.on('end', () => this.push(null));
    decoder.on('error', (error) => this.destroy(error));
    if (first !== undefined) decoder.write(first);
    return decoder;
  }
}

/** Writes with backpressure. */
export function forward(to: Duplex, chunk: Buffer, done: (error?: Error | null) => void): void {
  if (to.write(chunk)) done();
  else to.once('drain', done);
}
