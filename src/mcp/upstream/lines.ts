/**
 * Splits a byte stream into lines with a bound on their length. A line past the bound is reported with its first
 * and last bytes and skipped to its end, so that one huge message neither fills memory nor ends the connection.
 */
import { isUtf8 } from 'node:buffer';
import { Pieces } from './pieces.ts';

const NEWLINE = 0x0a;
/** Bytes of an over-long line that are kept from either end. */
const EXCERPT_BYTES = 256;

export interface LineSink {
  /** One line without its line break; never empty. */
  line(text: string): void;
  /** A line that is longer than allowed, or not UTF-8. */
  broken(reason: 'too_long' | 'not_utf8', head: string, tail: string): void;
}

export class LineReader {
  readonly #sink: LineSink;
  readonly #maxBytes: number;
  readonly #pieces = new Pieces();
  #skipping = false;
  #head = '';
  #tail: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number, sink: LineSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Whether the line that is being read is too long, so that only its end is waited for. */
  get skipping(): boolean {
    return this.#skipping;
  }

  /** @returns what comes after the first `linesMax` line breaks, to be pushed next; null: nothing does */
  push(chunk: Buffer, linesMax: number = Number.POSITIVE_INFINITY): Buffer | null {
    let from = 0;
    for (let lines = 0; ; lines += 1) {
      if (lines === linesMax && from < chunk.length) return chunk.subarray(from);
      const end = chunk.indexOf(NEWLINE, from);
      if (end === -1) break;
      this.#take(chunk.subarray(from, end));
      this.#finish();
      from = end + 1;
    }
    if (from < chunk.length) this.#take(chunk.subarray(from));
    return null;
  }

  /** The stream ended: what is left is a line too. */
  end(): void {
    if (this.#pieces.length > 0 || this.#skipping) this.#finish();
  }

  #take(piece: Buffer): void {
    if (this.#skipping) {
      this.#tail = Buffer.concat([this.#tail, piece.subarray(-EXCERPT_BYTES)]).subarray(-EXCERPT_BYTES);
      return;
    }
    this.#pieces.push(piece);
    if (this.#pieces.length <= this.#maxBytes) return;
    const { head, tail } = this.#pieces.takeEdges(EXCERPT_BYTES);
    this.#head = head.toString('latin1');
    this.#tail = tail;
    this.#skipping = true;
  }

  #finish(): void {
    if (this.#skipping) {
      const tail = this.#tail.toString('latin1');
      this.#skipping = false;
      this.#tail = Buffer.alloc(0);
      this.#sink.broken('too_long', this.#head, tail);
      return;
    }
    const bytes = this.#pieces.take();
    if (!isUtf8(bytes)) {
      const head = bytes.subarray(0, EXCERPT_BYTES).toString('latin1');
      this.#sink.broken('not_utf8', head, bytes.subarray(-EXCERPT_BYTES).toString('latin1'));
      return;
    }
    const text = bytes.toString('utf8').trim();
    if (text.length > 0) this.#sink.line(text);
  }
}
