/**
 * Incremental reader of HTTP/1.1 heads. It trusts nothing: lines end in CRLF, names are tokens, and
 * whatever two readers could understand differently is refused (RFC 9112, ATTACKS 11). The same bytes
 * give the same result however they are split. It never looks at what comes after the empty line.
 */
import { limits } from '../../kernel/index.ts';
import { HEAD_ENCODING } from './encode.ts';
import { FieldLines, fieldLineReason } from './field-line.ts';
import { Fields } from './fields.ts';
import { CR, isLineEnd, LF } from './line-bytes.ts';
import { LineBuffer } from './line-buffer.ts';
import type { Http1Reason } from './reasons.ts';
import {
  type RequestHead,
  RequestLine,
  type ResponseHead,
  type StartLine,
  StatusLine,
} from './start-line.ts';

/** Reads one head of either kind; `reset` makes it ready for the next. */
export class HeadReader<Head extends object> {
  /** Set once the empty line was read. */
  head: Head | null = null;
  /** Set once the bytes were refused; the reader is of no further use. */
  error: Http1Reason | null = null;
  readonly #startLine: StartLine<Head>;
  readonly #bytesMax: number;
  readonly #lines = new FieldLines();
  /** The beginning of a line whose end has not arrived. */
  readonly #partial = new LineBuffer();
  #fields = new Fields();
  #started: Head | null = null;
  /** Whether the start line was accepted. */
  #isStarted = false;
  #isComplete = false;
  /** Bytes of accepted lines so far. */
  #size = 0;

  constructor(startLine: StartLine<Head>, bytesMax: number) {
    this.#startLine = startLine;
    this.#bytesMax = bytesMax;
  }

  /** Whether any byte of a head has arrived. */
  get begun(): boolean {
    return this.#size > 0 || this.#partial.length > 0;
  }

  reset(): void {
    this.head = null;
    this.error = null;
    this.#lines.clear();
    this.#partial.clear();
    this.#fields = new Fields();
    this.#started = null;
    this.#isStarted = false;
    this.#isComplete = false;
    this.#size = 0;
  }

  /**
   * Reads from `bytes`, beginning at `at`.
   *
   * @returns position after the last byte taken; what follows a complete head is left alone
   */
  read(bytes: Buffer, at: number): number {
    if (this.#partial.length === 0) return this.#read(bytes, at);
    const end = this.#keep(bytes, at);
    if (this.error !== null || bytes[end - 1] !== LF) return end;
    this.#read(this.#partial.take(), 0);
    return this.error !== null || this.head !== null ? end : this.#read(bytes, end);
  }

  /** Reads whole lines, makes text of them in one piece, and keeps what is behind the last. */
  #read(bytes: Buffer, at: number): number {
    let position = at;
    while (position < bytes.length && !this.#isComplete) {
      const next = this.#line(bytes, position);
      if (next < 0) {
        const end = this.#keep(bytes, position);
        if (this.error === null && bytes[end - 1] === LF) this.error = this.#reason(this.#partial.take());
        if (this.error !== null) return end;
        this.#toText(bytes, at, position);
        return end;
      }
      this.#size += next - position;
      if (this.#size > this.#bytesMax) this.error = 'head_too_large';
      else if (this.#fields.length + this.#lines.count > limits.headFieldsMax) this.error = 'fields_too_many';
      if (this.error !== null) return next;
      position = next;
    }
    this.#toText(bytes, at, position);
    if (this.#isComplete) this.head = this.#started;
    return position;
  }

  /** @returns position after the line, or -1 when it is not one, or not complete */
  #line(bytes: Buffer, at: number): number {
    if (!this.#isStarted) {
      const next = this.#startLine.scan(bytes, at);
      this.#isStarted = next >= 0;
      return next;
    }
    if (bytes[at] === CR && at + 1 < bytes.length && isLineEnd(bytes, at)) {
      this.#isComplete = true;
      return at + 2;
    }
    return this.#lines.scan(bytes, at);
  }

  /** Adds to the partial line, up to its end. @returns position after what was added */
  #keep(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(LF, at);
    const end = lineFeed < 0 ? bytes.length : lineFeed + 1;
    if (this.#size + this.#partial.length + end - at > this.#bytesMax) this.error = 'head_too_large';
    else this.#partial.push(bytes, at, end);
    return end;
  }

  #reason(line: Buffer): Http1Reason {
    if (line[line.length - 2] !== CR) return 'bare_lf';
    const text = line.toString(HEAD_ENCODING, 0, line.length - 2);
    return this.#isStarted ? fieldLineReason(text) : this.#startLine.reason(text);
  }

  /** @param end of the lines that were accepted since `start` */
  #toText(bytes: Buffer, start: number, end: number): void {
    if (end === start) return;
    const text = bytes.toString(HEAD_ENCODING, start, end);
    this.#started ??= this.#startLine.head(text, start, this.#fields);
    this.#lines.moveTo(this.#fields, bytes, text, start);
  }
}

export const requestHeadReader = (): HeadReader<RequestHead> =>
  new HeadReader(new RequestLine(), limits.requestHeadBytesMax);
export const responseHeadReader = (): HeadReader<ResponseHead> =>
  new HeadReader(new StatusLine(), limits.responseHeadBytesMax);
