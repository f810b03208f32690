/**
 * What comes in on one HTTP/2 stream, on its way to whoever reads it. Left to Node, each DATA frame that waits is an object
 * of its own and holds on to all that was read with it: a byte keeps 16 KiB, and the window of one stream gigabytes
 * (ATTACKS 12). Here small pieces are put together, and what waits is counted. Nothing waits that is asked for, except
 * until the turn of the event loop in which it came is over.
 */
import type { Duplex } from 'node:stream';
import { limits } from '../../kernel/index.ts';
import type { BodyMemory } from '../message.ts';

export interface InputReader {
  /** Something came, whether it is wanted now or not. */
  onArrival(bytes: number): void;
  /**
   * @param data not empty, and the reader's to keep
   * @returns false when it is not wanted now: it is given again, and the rest held back, until `resume`
   */
  onInput(data: Buffer): boolean;
  /**
   * Everything was given.
   *
   * @param whole the other side said so; otherwise it, or the connection, broke off, and `close` follows
   */
  onInputEnd(whole: boolean): void;
  /** There is no room for what waits; it is gone. */
  onInputOverflow(): void;
}

/** What is needed of a stream of `node:http2`. */
type InputStream = Duplex & { readonly rstCode?: number | undefined };

const NOTHING = Buffer.alloc(0);

export class StreamInput {
  readonly #stream: InputStream;
  readonly #reader: InputReader;
  readonly #memory: BodyMemory;
  /** Of Node, for its own bookkeeping: no data goes there. */
  readonly #push: (data: Buffer | null) => boolean;
  /** How many bytes have come. */
  bytes = 0;
  #isHeld = false;
  /** What comes is put together until the turn is over. */
  #isGathering = false;
  #blocks: Buffer[] = [];
  /** Behind those in `#blocks`; its first bytes are filled. */
  #block: Buffer | null = null;
  #blockBytes = 0;
  #waitingBytes = 0;
  /** The end came behind what waits. */
  #endWaits = false;
  /** The same where Node knew of it before this did. */
  #wasEnded = false;
  /** It ended because it was reset. */
  #isCut = false;
  #hasEnded = false;

  /**
   * @param stream of `node:http2`, that nobody reads
   * @param memory where what waits is counted with everything else of its kind
   */
  constructor(stream: InputStream, reader: InputReader, memory: BodyMemory) {
    this.#stream = stream;
    this.#reader = reader;
    this.#memory = memory;
    this.#push = stream.push.bind(stream);
    /* Node hands over each piece through this method; its answer says whether the stream's window may open again.
       Not written where it is assigned: it would outlive its stream (docs/adr/0010-call-speed.md). */
    const push = (data: Buffer | null): boolean => (data === null ? this.#ended() : this.#receive(data));
    stream.push = push;
    stream.on('end', () => this.#told());
    stream.once('close', () => this.#drop());
    this.#isCut = stream.closed;
    this.#takeEarly();
    stream.resume();
  }

  /**
   * Node tells of a stream in a next tick. Where it read in the middle of a write, as it does when the write before has
   * just ended, what came behind the head is here first: data, the end, and a reset, which makes it none.
   */
  #takeEarly(): void {
    for (let data: unknown = this.#stream.read(); Buffer.isBuffer(data); data = this.#stream.read()) {
      this.bytes += data.length;
      this.#reader.onArrival(data.length);
      this.#keep(data);
    }
    if (this.#waitingBytes === 0) return;
    this.#isGathering = true;
    setImmediate(this.#turnEnded);
  }

  #told(): void {
    if (this.#waitingBytes > 0) this.#wasEnded = true;
    else this.#reader.onInputEnd(!this.#isCut);
  }

  /** Holds back what comes; the stream's window is not opened again. */
  pause(): void {
    this.#isHeld = true;
  }

  /** Gives what waits, and lets the stream go on. */
  resume(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#give();
    /* Node asks nghttp2 for more only when it believes that what it asked for has come. */
    if (!this.#isHeld && !this.#stream.readableEnded) this.#push(NOTHING);
  }

  #receive(data: Buffer): boolean {
    this.bytes += data.length;
    this.#reader.onArrival(data.length);
    const isLarge = data.length >= limits.collectedBlockBytes;
    if (isLarge || this.#waitingBytes >= limits.http2GatheredBytesMax) this.#give();
    if (this.#isHeld || this.#waitingBytes > 0) this.#keep(data);
    else if (isLarge) this.#offer(data);
    else if (this.#isGathering) this.#keep(data);
    else {
      this.#isGathering = true;
      setImmediate(this.#turnEnded);
      this.#offer(Buffer.from(data)); // a view would keep all that was read with it
    }
    return !this.#isHeld;
  }

  #offer(data: Buffer): void {
    if (this.#reader.onInput(data)) return;
    this.#isHeld = true;
    this.#keep(data);
  }

  readonly #turnEnded = (): void => {
    this.#isGathering = false;
    this.#give();
  };

  #give(): void {
    while (!this.#isHeld && this.#waitingBytes > 0) {
      const [first, ...rest] = this.#blocks;
      const data = first ?? this.#closed();
      this.#blocks = rest;
      if (!this.#reader.onInput(data)) {
        this.#isHeld = true;
        this.#blocks.unshift(data);
        return;
      }
      this.#count(-Math.min(data.length, this.#waitingBytes));
    }
    if (this.#waitingBytes > 0) return;
    if (this.#endWaits) {
      this.#endWaits = false;
      this.#push(null);
    } else if (this.#wasEnded) {
      this.#wasEnded = false;
      this.#reader.onInputEnd(!this.#isCut);
    }
  }

  #ended(): boolean {
    /*
     * Node tells a reset without an error as an end, and only by closing the stream before. While the stream is held
     * back it can do the same with a real end: then whoever knows how long the body should be has to look.
     */
    const isReset = this.#stream.closed && !(this.#isHeld && this.#stream.rstCode === 0);
    if (!this.#hasEnded) this.#isCut = isReset;
    this.#hasEnded = true;
    if (this.#waitingBytes === 0) return this.#push(null);
    this.#endWaits = true;
    return false;
  }

  #keep(data: Buffer): void {
    if (this.#stream.destroyed) return;
    this.#count(data.length);
    if (this.#memory.bytes > this.#memory.bytesMax) {
      this.#drop();
      this.#reader.onInputOverflow();
      return;
    }
    for (let at = 0; at < data.length; ) {
      this.#block ??= Buffer.allocUnsafeSlow(limits.collectedBlockBytes);
      const copied = data.copy(this.#block, this.#blockBytes, at);
      this.#blockBytes += copied;
      at += copied;
      if (this.#blockBytes === this.#block.length) this.#blocks.push(this.#closed());
    }
  }

  /** What the last block holds; the next one begins anew. */
  #closed(): Buffer {
    const data = this.#block?.subarray(0, this.#blockBytes) ?? NOTHING;
    this.#block = null;
    this.#blockBytes = 0;
    return data;
  }

  #drop(): void {
    this.#count(-this.#waitingBytes);
    this.#blocks = [];
    this.#closed();
  }

  #count(bytes: number): void {
    this.#waitingBytes += bytes;
    this.#memory.bytes += bytes;
  }
}
