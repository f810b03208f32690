/**
 * Incremental reader of HTTP/1.1 bodies: by length, chunked with trailers, or up to the end of the
 * connection. Hands out slices of what it was given, copies nothing, and holds nothing but one line.
 */
import { limits } from '../../kernel/index.ts';
import { HEAD_ENCODING } from './encode.ts';
import { FieldLines, fieldLineReason } from './field-line.ts';
import { Fields } from './fields.ts';
import type { BodyFraming } from './framing.ts';
import { CR, isLineEnd, LF } from './line-bytes.ts';
import { LineBuffer } from './line-buffer.ts';
import type { Http1Reason } from './reasons.ts';

export interface BodySink {
  /** A piece of the body: a view of the caller's buffer, not a copy. Never empty. */
  onBody(data: Buffer): void;
}

export interface BodyOptions {
  /** Responses may carry chunk extensions, which nobody uses and which are dropped; requests may not. */
  readonly extensions: 'refuse' | 'drop';
}

type State = 'length' | 'close' | 'size' | 'data' | 'data-end' | 'trailer' | 'done';

const SIZE = /^[0-9A-Fa-f]+$/;
/** Twelve hexadecimal digits stay below 2^53. */
const SIZE_DIGITS_MAX = 12;
const NOT_HEX = 16;
const HEX_VALUE: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? NOT_HEX : value;
});
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const EXTENSIONS = new RegExp(`^(?:;${TOKEN}(?:=(?:${TOKEN}|"[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]*"))?)+$`);

/** What decides framing, routing, authentication or payload handling has no place after the payload. */
const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set(
  (
    'transfer-encoding content-length host connection keep-alive proxy-connection upgrade te trailer expect ' +
    'authorization proxy-authorization www-authenticate proxy-authenticate cookie set-cookie ' +
    'content-encoding content-type content-range max-forwards range age cache-control expires date location vary'
  ).split(' '),
);

export class BodyReader {
  error: Http1Reason | null = null;
  readonly trailers = new Fields();
  readonly #extensions: 'refuse' | 'drop';
  #state: State;
  /** Bytes left of the body or of the chunk. */
  #left = 0;
  /** The beginning of a line whose end has not arrived. */
  readonly #partial = new LineBuffer();
  #trailerBytes = 0;

  constructor(framing: BodyFraming, options: BodyOptions) {
    this.#extensions = options.extensions;
    switch (framing.kind) {
      case 'none':
        this.#state = 'done';
        break;
      case 'length':
        this.#left = framing.bytes;
        this.#state = framing.bytes === 0 ? 'done' : 'length';
        break;
      case 'chunked':
        this.#state = 'size';
        break;
      case 'close':
        this.#state = 'close';
        break;
    }
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** The connection ended. @returns whether the body is complete */
  end(): boolean {
    if (this.#state === 'close') this.#state = 'done';
    return this.#state === 'done';
  }

  /** @returns position after the last byte taken; stops at the end of the body, or with `error` set */
  read(bytes: Buffer, at: number, sink: BodySink): number {
    let position = at;
    while (position < bytes.length && this.#state !== 'done' && this.error === null) {
      switch (this.#state) {
        case 'length':
        case 'data':
          position = this.#data(bytes, position, sink);
          break;
        case 'close':
          sink.onBody(position === 0 ? bytes : bytes.subarray(position));
          position = bytes.length;
          break;
        case 'size':
          position = this.#size(bytes, position);
          break;
        case 'data-end':
          position = this.#dataEnd(bytes, position);
          break;
        case 'trailer':
          position = this.#line(bytes, position);
          break;
      }
    }
    return position;
  }

  #data(bytes: Buffer, at: number, sink: BodySink): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = this.#state === 'length' ? 'done' : 'data-end';
    sink.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    return end;
  }

  /** The usual line, plain digits that arrive whole, without making text of it. */
  #size(bytes: Buffer, at: number): number {
    if (this.#partial.length > 0) return this.#line(bytes, at);
    let size = 0;
    let position = at;
    for (; position < bytes.length; position += 1) {
      const value = HEX_VALUE[bytes[position] ?? 0] ?? NOT_HEX;
      if (value === NOT_HEX) break;
      size = size * 16 + value;
    }
    const digits = position - at;
    if (
      digits === 0 ||
      digits > SIZE_DIGITS_MAX ||
      position + 1 >= bytes.length ||
      !isLineEnd(bytes, position)
    ) {
      return this.#line(bytes, at);
    }
    this.#left = size;
    this.#state = size === 0 ? 'trailer' : 'data';
    return position + 2;
  }

  #dataEnd(bytes: Buffer, at: number): number {
    if (this.#partial.length > 0 || at + 1 >= bytes.length || !isLineEnd(bytes, at))
      return this.#line(bytes, at);
    this.#state = 'size';
    return at + 2;
  }

  /** Takes bytes up to a line feed; a full line moves the state on. */
  #line(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(LF, at);
    const end = lineFeed < 0 ? bytes.length : lineFeed + 1;
    if (this.#partial.length + end - at > this.#lineMax()) {
      this.error = this.#tooLong();
      return end;
    }
    this.#partial.push(bytes, at, end);
    if (lineFeed < 0) return end;
    const line = this.#partial.take();
    this.error = line[line.length - 2] === CR ? this.#lineDone(line) : this.#notCrlf();
    return end;
  }

  #lineMax(): number {
    if (this.#state === 'data-end') return 2;
    return this.#state === 'size' ? limits.chunkLineBytesMax : limits.trailerBytesMax - this.#trailerBytes;
  }

  #tooLong(): Http1Reason {
    if (this.#state === 'data-end') return 'chunk_end_missing';
    return this.#state === 'size' ? 'chunk_line_too_long' : 'trailer_too_large';
  }

  #notCrlf(): Http1Reason {
    return this.#state === 'data-end' ? 'chunk_end_missing' : 'bare_lf';
  }

  #lineDone(line: Buffer): Http1Reason | null {
    if (this.#state === 'trailer') return this.#trailerLine(line);
    const text = line.toString(HEAD_ENCODING, 0, line.length - 2);
    if (this.#state === 'size') return this.#sizeLine(text);
    this.#state = 'size';
    return text === '' ? null : 'chunk_end_missing';
  }

  #trailerLine(line: Buffer): Http1Reason | null {
    this.#trailerBytes += line.length;
    if (line.length === 2) {
      this.#state = 'done';
      return null;
    }
    const text = line.toString(HEAD_ENCODING, 0, line.length - 2);
    const lines = new FieldLines();
    if (lines.scan(line, 0) < 0) return fieldLineReason(text);
    if (this.trailers.length >= limits.headFieldsMax) return 'fields_too_many';
    lines.moveTo(this.trailers, line, text, 0);
    return FORBIDDEN_TRAILERS.has(this.trailers.keys.at(-1) ?? '') ? 'trailer_forbidden' : null;
  }

  #sizeLine(line: string): Http1Reason | null {
    const semicolon = line.indexOf(';');
    const digits = semicolon < 0 ? line : line.slice(0, semicolon);
    if (!SIZE.test(digits)) return 'chunk_size_invalid';
    if (digits.length > SIZE_DIGITS_MAX) return 'chunk_size_overflow';
    if (semicolon >= 0 && (this.#extensions === 'refuse' || !EXTENSIONS.test(line.slice(semicolon)))) {
      return 'chunk_extension';
    }
    this.#left = Number.parseInt(digits, 16);
    this.#state = this.#left === 0 ? 'trailer' : 'data';
    return null;
  }
}
