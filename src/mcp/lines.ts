/**
 * Splits a byte stream into lines with a bound on their length. A line past the bound is reported with its first
 * and last bytes and skipped to its end, so that one huge message neither fills memory nor ends the connection.
 */
import { isUtf8 } from 'node:buffer';

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
  #pieces: Buffer[] = [];
  #length = 0;
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

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end === -1) break;
      this.#take(chunk.subarray(from, end));
      this.#finish();
      from = end + 1;
    }
    if (from < chunk.length) this.#take(chunk.subarray(from));
  }

  /** The stream ended: what is left is a line too. */
  end(): void {
    if (this.#length > 0 || this.#skipping) this.#finish();
  }

  #take(piece: Buffer): void {
    if (this.#skipping) {
      this.#tail = Buffer.concat([this.#tail, piece.subarray(-EXCERPT_BYTES)]).subarray(-EXCERPT_BYTES);
      return;
    }
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length <= this.#maxBytes) return;
    const first = this.#pieces[0] ?? piece;
    this.#head = first.subarray(0, EXCERPT_BYTES).toString('latin1');
    this.#tail = Buffer.from(piece.subarray(-EXCERPT_BYTES));
    this.#skipping = true;
    this.#pieces = [];
    this.#length = 0;
  }

  #finish(): void {
    if (this.#skipping) {
      const tail = this.#tail.toString('latin1');
      this.#skipping = false;
      this.#tail = Buffer.alloc(0);
      this.#sink.broken('too_long', this.#head, tail);
      return;
    }
    const [only] = this.#pieces;
    const bytes = this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    if (!isUtf8(bytes)) {
      const head = bytes.subarray(0, EXCERPT_BYTES).toString('latin1');
      this.#sink.broken('not_utf8', head, bytes.subarray(-EXCERPT_BYTES).toString('latin1'));
      return;
    }
    const text = bytes.toString('utf8').trim();
    if (text.length > 0) this.#sink.line(text);
  }
}
