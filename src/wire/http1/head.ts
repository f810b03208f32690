/**
 * Incremental reader of HTTP/1.1 heads. It trusts nothing: lines end in CRLF, names are tokens, and
 * whatever two readers could understand differently is refused (RFC 9112, ATTACKS 11). The same bytes
 * give the same result however they are split. It never looks at what comes after the empty line.
 */
import { limits } from '../../kernel/index.ts';
import { HEAD_ENCODING } from './encode.ts';
import { readFieldLine } from './field-line.ts';
import { Fields } from './fields.ts';
import type { Http1Reason } from './reasons.ts';

export interface RequestHead {
  readonly method: string;
  /** The request target as received: visible ASCII, not yet understood. */
  readonly target: string;
  /** Minor version: 1.0 or 1.1. */
  readonly minor: 0 | 1;
  readonly fields: Fields;
}

export interface ResponseHead {
  /** 100 to 599. */
  readonly status: number;
  /** Reason phrase as received, possibly empty. */
  readonly phrase: string;
  readonly minor: 0 | 1;
  readonly fields: Fields;
}

type StartLine<Head> = (line: string, fields: Fields) => Head | Http1Reason;

const CRLFCRLF = Buffer.from('\r\n\r\n');

/** Reads one head of either kind; `reset` makes it ready for the next. */
export class HeadReader<Head extends object> {
  /** Set once the empty line was read. */
  head: Head | null = null;
  /** Set once the bytes were refused; the reader is of no further use. */
  error: Http1Reason | null = null;
  readonly #startLine: StartLine<Head>;
  readonly #bytesMax: number;
  #fields = new Fields();
  #started: Head | null = null;
  /** Bytes of complete lines so far. */
  #size = 0;
  /** The beginning of a line whose end has not arrived. */
  #partial = '';

  constructor(startLine: StartLine<Head>, bytesMax: number) {
    this.#startLine = startLine;
    this.#bytesMax = bytesMax;
  }

  /** Whether any byte of a head has arrived. */
  get begun(): boolean {
    return this.#size > 0 || this.#partial !== '';
  }

  reset(): void {
    this.head = null;
    this.error = null;
    this.#fields = new Fields();
    this.#started = null;
    this.#size = 0;
    this.#partial = '';
  }

  /**
   * Reads from `bytes`, beginning at `at`.
   *
   * @returns position after the last byte taken; what follows a complete head is left alone
   */
  read(bytes: Buffer, at: number): number {
    const known = this.#partial.length;
    const text = this.#partial + bytes.toString(HEAD_ENCODING, at, this.#textEnd(bytes, at));
    let lineStart = 0;
    while (this.head === null) {
      const lineFeed = text.indexOf('\n', lineStart);
      if (lineFeed < 0) {
        this.#partial = text.slice(lineStart);
        if (this.#size + this.#partial.length > this.#bytesMax) this.error = 'head_too_large';
        return at + text.length - known;
      }
      this.#size += lineFeed + 1 - lineStart;
      this.error = this.#size > this.#bytesMax ? 'head_too_large' : this.#line(text, lineStart, lineFeed);
      if (this.error !== null) break;
      lineStart = lineFeed + 1;
    }
    this.#partial = '';
    return at + lineStart - known;
  }

  /** Most heads arrive whole: converting them in one piece, and not the body behind them, is what makes this fast. */
  #textEnd(bytes: Buffer, at: number): number {
    const room = at + this.#bytesMax + 1;
    const end = bytes.indexOf(CRLFCRLF, at);
    return Math.min(end < 0 ? bytes.length : end + CRLFCRLF.length, room);
  }

  #line(text: string, start: number, lineFeed: number): Http1Reason | null {
    if (lineFeed === start || text.charCodeAt(lineFeed - 1) !== 13) return 'bare_lf';
    const line = text.slice(start, lineFeed - 1);
    if (this.#started === null) {
      const started = this.#startLine(line, this.#fields);
      if (typeof started === 'string') return started;
      this.#started = started;
      return null;
    }
    if (line === '') {
      this.head = this.#started;
      return null;
    }
    return readFieldLine(line, this.#fields, limits.headFieldsMax);
  }
}

/** Methods of the IANA registry that a client sends over HTTP/1.1 today; llhttp knows no others either. */
const METHODS: ReadonlySet<string> = new Set(
  (
    'GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE ACL BIND CHECKOUT COPY LINK LOCK MERGE MKACTIVITY ' +
    'MKCALENDAR MKCOL MOVE PROPFIND PROPPATCH REBIND REPORT SEARCH UNBIND UNLINK UNLOCK'
  ).split(' '),
);
const TARGET = /^[\x21-\x7e]+$/;
/** Origin form, absolute form, or asterisk form (RFC 9112 section 3.2). */
const TARGET_FORM = /^(?:\/|https?:\/\/[^/?#]|\*$)/i;

function minorVersion(text: string): 0 | 1 | null {
  if (text === 'HTTP/1.1') return 1;
  return text === 'HTTP/1.0' ? 0 : null;
}

function requestLine(line: string, fields: Fields): RequestHead | Http1Reason {
  if (line.includes('\r')) return 'bare_cr';
  const first = line.indexOf(' ');
  const second = line.indexOf(' ', first + 1);
  if (first <= 0 || second <= first + 1 || line.includes(' ', second + 1)) return 'request_line_malformed';
  const method = line.slice(0, first);
  if (!METHODS.has(method)) return 'method_unknown';
  const target = line.slice(first + 1, second);
  if (!TARGET.test(target)) return 'target_invalid';
  if (method !== 'CONNECT' && !TARGET_FORM.test(target)) return 'target_form_unknown';
  const minor = minorVersion(line.slice(second + 1));
  return minor === null ? 'version_unsupported' : { method, target, minor, fields };
}

const STATUS = /^[1-5][0-9][0-9]$/;
const PHRASE = /^[\t\x20-\x7e\x80-\xff]*$/;

function statusLine(line: string, fields: Fields): ResponseHead | Http1Reason {
  if (line.includes('\r')) return 'bare_cr';
  if (line.charCodeAt(8) !== 32) return 'status_line_malformed';
  const minor = minorVersion(line.slice(0, 8));
  if (minor === null) return 'version_unsupported';
  const digits = line.slice(9, 12);
  if (!STATUS.test(digits)) return 'status_invalid';
  /* Some servers leave out the space before an empty phrase; nothing can be confused by that. */
  if (line.length > 12 && line.charCodeAt(12) !== 32) return 'status_line_malformed';
  const phrase = line.slice(13);
  return PHRASE.test(phrase) ? { status: Number(digits), phrase, minor, fields } : 'status_line_malformed';
}

export const requestHeadReader = (): HeadReader<RequestHead> =>
  new HeadReader(requestLine, limits.requestHeadBytesMax);
export const responseHeadReader = (): HeadReader<ResponseHead> =>
  new HeadReader(statusLine, limits.responseHeadBytesMax);
