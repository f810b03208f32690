/**
 * The decoders of content codings, each a stream from coded to plain bytes that emits what it can as soon as it
 * can and waits for its reader. Trusts nothing of a coded body: windows are bounded, an early end is an error.
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
import type { ContentCoding } from './content-coding.ts';

type Done = (error?: Error | null) => void;

/** A stream of Node's zlib, with its count of coded bytes consumed. */
type Engine = Duplex & { readonly bytesWritten: number };

const DECODERS: Readonly<Record<ContentCoding, () => Duplex>> = {
  gzip: () => new EngineDecoder(() => createGunzip(), false), // goes on with the next member, skips zeros
  br: () => new EngineDecoder(() => createBrotliDecompress(), false),
  zstd: () => new EngineDecoder(openZstd, true),
  deflate: () => new EngineDecoder(openDeflate, false),
};

export const createDecoder = (coding: ContentCoding): Duplex => DECODERS[coding]();

/** Says that a body costs more to decode than one that means no harm. */
export const outOfProportion = (): AppError =>
  new AppError('scrub_content_expansion', 'The answer grows out of proportion when it is decoded.', {
    kind: 'unavailable',
  });

/** Writes with backpressure. */
export function forward(to: Duplex, chunk: Buffer, done: Done): void {
  if (to.write(chunk)) done();
  else to.once('drain', done);
}

/** Bytes that decide which engine it is. */
const START_BYTES = 2;

function openZstd(): Engine {
  return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: limits.zstdWindowLogMax } });
}

/** `deflate` is the zlib format by the standard, and raw deflate from some servers: the first bytes tell. */
function openDeflate(start: Buffer): Engine {
  const [first = 0, second = 0] = start;
  const isZlib = (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
  return isZlib ? createInflate() : createInflateRaw();
}

/**
 * Around Node's engines: chooses one by the first bytes. An engine ends itself after a frame when more bytes
 * follow in the same chunk and drops them; RFC 8878 allows more frames, which here go to a fresh engine. What
 * follows the end of any other coding is no part of the body and is dropped.
 */
class EngineDecoder extends Duplex {
  readonly #open: (start: Buffer) => Engine;
  readonly #manyFrames: boolean;
  #engine: Engine | null = null;
  #start: Buffer = Buffer.alloc(0);
  /** The chunk that the engine is at. An engine that ends itself never says that it is done with it. */
  #current: { readonly chunk: Buffer; readonly countBefore: number; readonly done: Done } | null = null;
  #finished = false;
  #codedBytes = 0;
  /** Engines that were opened after the first. */
  #reopened = 0;

  constructor(open: (start: Buffer) => Engine, manyFrames: boolean) {
    super();
    this.#open = open;
    this.#manyFrames = manyFrames;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#finished) return done();
    this.#codedBytes += chunk.length;
    if (this.#engine !== null) return this.#feed(this.#engine, chunk, done);
    this.#start = Buffer.concat([this.#start, chunk]);
    if (this.#start.length < START_BYTES) return done();
    this.#feed(this.#attach(this.#start), this.#start, done);
  }

  override _final(done: Done): void {
    const engine = this.#engine ?? this.#attach(this.#start);
    if (this.#start.length < START_BYTES) engine.write(this.#start);
    engine.end();
    done();
  }

  override _read(): void {
    this.#engine?.resume();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#engine?.destroy();
    done(error);
  }

  #attach(start: Buffer): Engine {
    const engine = this.#open(start);
    this.#engine = engine;
    engine.on('data', (plain: Buffer) => {
      if (!this.push(plain)) engine.pause();
    });
    engine.on('end', () => this.#ended(engine));
    engine.on('error', (error) => this.destroy(error));
    return engine;
  }

  #ended(engine: Engine): void {
    const current = this.#current;
    this.#current = null;
    const left = current?.chunk.subarray(engine.bytesWritten - current.countBefore);
    engine.destroy(); // or it keeps its window until it is collected
    if (current !== null && left !== undefined && left.length > 0 && this.#manyFrames) {
      this.#reopened += 1;
      if (this.#reopened > limits.zstdFramesFree + this.#codedBytes / limits.zstdFrameBytesMin) {
        this.destroy(outOfProportion());
        return;
      }
      this.#feed(this.#attach(left), left, current.done);
      return;
    }
    this.#finished = true;
    this.push(null);
    current?.done();
  }

  #feed(engine: Engine, chunk: Buffer, done: Done): void {
    const current = { chunk, countBefore: engine.bytesWritten, done };
    this.#current = current;
    engine.write(chunk, (error) => {
      if (this.#current !== current) return;
      this.#current = null;
      done(error);
    });
  }
}
