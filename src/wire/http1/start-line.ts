/**
 * Request line and status line (RFC 9112 sections 3 and 4). As for field lines, one scan accepts and remembers, and
 * only a refused line is looked at again, to say why.
 */
import { HEAD_ENCODING } from './encode.ts';
import type { Fields } from './fields.ts';
import { isLineEnd, SPACE, sameBytes, TARGET_BYTE, VALUE_BYTE } from './line-bytes.ts';
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

export interface StartLine<Head> {
  /** @returns position after the line, or -1 when it is not one, or not complete */
  scan(bytes: Buffer, at: number): number;
  /** What the last accepted line said. @param text of the bytes in Latin-1, beginning with the byte at `textStart` */
  head(text: string, textStart: number, fields: Fields): Head;
  /** Why a line was not accepted. @param line without its CRLF */
  reason(line: string): Http1Reason;
}

const SLASH = 47;
const ZERO = 48;
const HTTP_1 = Buffer.from('HTTP/1.', HEAD_ENCODING);
/** `HTTP/1.x` */
const VERSION_BYTES = 8;

/** @returns the minor version whose text ends the line, or begins it; null when it is another */
function minorAt(bytes: Uint8Array, at: number): 0 | 1 | null {
  if (!sameBytes(bytes, at, HTTP_1)) return null;
  const digit = bytes[at + HTTP_1.length];
  if (digit === ZERO + 1) return 1;
  return digit === ZERO ? 0 : null;
}

const isVersion = (text: string): boolean => text === 'HTTP/1.1' || text === 'HTTP/1.0';

/** Methods of the IANA registry that a client sends over HTTP/1.1 today; llhttp knows no others either. */
const METHODS: readonly string[] = (
  'GET POST HEAD PUT PATCH DELETE OPTIONS CONNECT TRACE ACL BIND CHECKOUT COPY LINK LOCK MERGE MKACTIVITY ' +
  'MKCALENDAR MKCOL MOVE PROPFIND PROPPATCH REBIND REPORT SEARCH UNBIND UNLINK UNLOCK'
).split(' ');

interface Method {
  readonly name: string;
  /** The name and the space behind it. */
  readonly bytes: Uint8Array;
}

/** By first letter: the usual ones come first. */
const METHODS_BY_LETTER: readonly (readonly Method[])[] = Array.from({ length: 256 }, (_, letter) =>
  METHODS.filter((name) => name.charCodeAt(0) === letter).map((name) => ({
    name,
    bytes: Buffer.from(`${name} `, HEAD_ENCODING),
  })),
);

function methodAt(bytes: Uint8Array, at: number): Method | null {
  for (const method of METHODS_BY_LETTER[bytes[at] ?? 0] ?? []) {
    if (sameBytes(bytes, at, method.bytes)) return method;
  }
  return null;
}

const TARGET = /^[\x21-\x7e]+$/;
/** What an authority is made of (RFC 3986 section 3.2), `@` apart. */
const AUTHORITY = "[A-Za-z0-9\\-._~!$&'()*+,;=:%[\\]]";
/** Origin form, absolute form, or asterisk form (RFC 9112 section 3.2). */
const TARGET_FORM = new RegExp(`^(?:/|https?://(?:${AUTHORITY}*@)?${AUTHORITY}+(?:[/?]|$)|\\*$)`, 'i');
/** Authority form: of CONNECT, and of no other method. */
const CONNECT_FORM = new RegExp(`^${AUTHORITY}+$`);

const isTarget = (method: string, target: string): boolean =>
  (method === 'CONNECT' ? CONNECT_FORM : TARGET_FORM).test(target);

export class RequestLine implements StartLine<RequestHead> {
  #method = '';
  #targetStart = 0;
  #targetEnd = 0;
  #minor: 0 | 1 = 1;

  scan(bytes: Buffer, at: number): number {
    const method = methodAt(bytes, at);
    if (method === null) return -1;
    const start = at + method.bytes.length;
    let end = start;
    while (end < bytes.length && TARGET_BYTE[bytes[end] ?? 0] === 1) end += 1;
    const lineEnd = end + 1 + VERSION_BYTES;
    if (end === start || lineEnd + 1 >= bytes.length || bytes[end] !== SPACE) return -1;
    const minor = minorAt(bytes, end + 1);
    if (minor === null || !isLineEnd(bytes, lineEnd)) return -1;
    /* Almost every target is a path, which needs no further look. */
    const isPath = bytes[start] === SLASH && method.name !== 'CONNECT';
    if (!isPath && !isTarget(method.name, bytes.toString(HEAD_ENCODING, start, end))) return -1;
    this.#method = method.name;
    this.#targetStart = start;
    this.#targetEnd = end;
    this.#minor = minor;
    return lineEnd + 2;
  }

  head(text: string, textStart: number, fields: Fields): RequestHead {
    const target = text.slice(this.#targetStart - textStart, this.#targetEnd - textStart);
    return { method: this.#method, target, minor: this.#minor, fields };
  }

  reason(line: string): Http1Reason {
    if (line.includes('\r')) return 'bare_cr';
    const first = line.indexOf(' ');
    const second = line.indexOf(' ', first + 1);
    if (first <= 0 || second <= first + 1 || line.includes(' ', second + 1)) return 'request_line_malformed';
    const method = line.slice(0, first);
    if (!METHODS.includes(method)) return 'method_unknown';
    const target = line.slice(first + 1, second);
    if (!TARGET.test(target)) return 'target_invalid';
    return isTarget(method, target) ? 'version_unsupported' : 'target_form_unknown';
  }
}

const STATUS = /^[1-5][0-9][0-9]$/;

const digit = (byte: number | undefined): number => (byte ?? 0) - ZERO;
const isDigit = (value: number): boolean => value >= 0 && value <= 9;

export class StatusLine implements StartLine<ResponseHead> {
  #status = 0;
  #phraseStart = 0;
  #phraseEnd = 0;
  #minor: 0 | 1 = 1;

  scan(bytes: Buffer, at: number): number {
    const minor = minorAt(bytes, at);
    const code = at + VERSION_BYTES + 1;
    if (minor === null || code + 3 >= bytes.length || bytes[code - 1] !== SPACE) return -1;
    const hundreds = digit(bytes[code]);
    const tens = digit(bytes[code + 1]);
    const ones = digit(bytes[code + 2]);
    if (hundreds < 1 || hundreds > 5 || !isDigit(tens) || !isDigit(ones)) return -1;
    /* Some servers leave out the space before an empty phrase; nothing can be confused by that. */
    const start = bytes[code + 3] === SPACE ? code + 4 : code + 3;
    let end = start;
    if (start === code + 4) while (end < bytes.length && VALUE_BYTE[bytes[end] ?? 0] === 1) end += 1;
    if (end + 1 >= bytes.length || !isLineEnd(bytes, end)) return -1;
    this.#status = 100 * hundreds + 10 * tens + ones;
    this.#phraseStart = start;
    this.#phraseEnd = end;
    this.#minor = minor;
    return end + 2;
  }

  head(text: string, textStart: number, fields: Fields): ResponseHead {
    const phrase = text.slice(this.#phraseStart - textStart, this.#phraseEnd - textStart);
    return { status: this.#status, phrase, minor: this.#minor, fields };
  }

  reason(line: string): Http1Reason {
    if (line.includes('\r')) return 'bare_cr';
    if (line.charCodeAt(8) !== SPACE) return 'status_line_malformed';
    if (!isVersion(line.slice(0, 8))) return 'version_unsupported';
    return STATUS.test(line.slice(9, 12)) ? 'status_line_malformed' : 'status_invalid';
  }
}
