/**
 * Steps over a JSON text, value by value, without making anything of it. Strings and scalars are where it is told to look; what
 * it cannot step over is no JSON. Trusts nothing: positions never leave the text.
 */
import { bytesOf } from './text-bytes.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** Where a string stands. */
export interface StringSpan {
  /** Of what stands between the quotes. */
  readonly start: number;
  readonly end: number;
  readonly isEscaped: boolean;
}

/** What a scalar is; `other` is nothing that JSON has. */
export type ScalarKind = 'number' | 'true' | 'false' | 'null' | 'other';

/** Larger numbers are not written in digits. */
const DIGITS_BEYOND = 1e21;
/** Up to so many characters a string is read one by one. */
const NEAR_CHARS = 48;

/** By byte: 1 for what ends a string, or goes on with an escape. */
const ENDS_OR_ESCAPES = new Uint8Array(256);
ENDS_OR_ESCAPES[QUOTE] = 1;
ENDS_OR_ESCAPES[BACKSLASH] = 1;
/** By byte: 1 for what numbers and words are made of. */
const IN_SCALAR = Uint8Array.from({ length: 256 }, (_, code) =>
  /[0-9a-z\-+.E]/.test(String.fromCharCode(code)) ? 1 : 0,
);
/** By byte: 1 for what may stand between values. */
const SPACES = Uint8Array.from({ length: 256 }, (_, code) =>
  code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09 ? 1 : 0,
);

export class JsonCursor {
  readonly raw: string;
  readonly bytes: Uint8Array;
  at = 0;
  /** The string or scalar that was stepped over last. */
  start = 0;
  end = 0;
  isEscaped = false;
  /** Where the digits stand that a number begins with, but for its sign. */
  digitsStart = 0;
  digitsEnd = 0;
  /** Whether a number is written with a power of ten. */
  hasExponent = false;
  /** The first backslash behind what was searched for one. */
  #backslash = -1;

  constructor(raw: string) {
    this.raw = raw;
    this.bytes = bytesOf(raw);
  }

  /** @returns what stands at `at`; 0 at the end */
  peek(): number {
    return this.bytes[this.at] ?? 0;
  }

  space(): void {
    const { bytes } = this;
    let { at } = this;
    while (SPACES[bytes[at] ?? 0] === 1) at += 1;
    this.at = at;
  }

  /** @returns false when it does not end */
  string(): boolean {
    const { bytes } = this;
    const start = this.at + 1;
    this.start = start;
    this.isEscaped = false;
    const near = Math.min(bytes.length, start + NEAR_CHARS);
    let at = start;
    while (at < near && ENDS_OR_ESCAPES[bytes[at] ?? 0] === 0) at += 1;
    if (at < near) return bytes[at] === QUOTE ? this.#ended(at) : this.#escaped(at);
    const quote = bytes.indexOf(QUOTE, near);
    if (quote < 0) return false;
    if (this.#backslash < near) {
      const found = bytes.indexOf(BACKSLASH, near);
      this.#backslash = found < 0 ? bytes.length : found;
    }
    return this.#backslash < quote ? this.#escaped(this.#backslash) : this.#ended(quote);
  }

  /** A string of which it is known what it says, if that is what stands at `at`. */
  known(raw: string): boolean {
    const text = this.raw;
    const start = this.at + 1;
    if (text.charCodeAt(start + raw.length) !== QUOTE || !text.startsWith(raw, start)) return false;
    this.start = start;
    this.isEscaped = raw.includes('\\');
    return this.#ended(start + raw.length);
  }

  #ended(quote: number): true {
    this.end = quote;
    this.at = quote + 1;
    return true;
  }

  /** @param backslash where the first of them is */
  #escaped(backslash: number): boolean {
    const { bytes } = this;
    const { length } = bytes;
    this.isEscaped = true;
    let at = backslash;
    while (at < length) {
      while (ENDS_OR_ESCAPES[bytes[at] ?? QUOTE] === 0) at += 1;
      if (at >= length) return false;
      if (bytes[at] === QUOTE) return this.#ended(at);
      at += 2;
    }
    return false;
  }

  /** A number, or a word. */
  scalar(): ScalarKind {
    const { bytes } = this;
    const start = this.at;
    let end = start;
    while (IN_SCALAR[bytes[end] ?? 0] === 1) end += 1;
    this.start = start;
    this.end = end;
    if (end === start) return 'other';
    const first = bytes[start] ?? 0;
    if (first === MINUS || isDigit(first)) {
      if (!this.#isNumber()) return 'other';
      this.at = end;
      return 'number';
    }
    const word = this.raw.slice(start, end);
    if (word !== 'true' && word !== 'false' && word !== 'null') return 'other';
    this.at = end;
    return word;
  }

  #isNumber(): boolean {
    const { bytes, start, end } = this;
    const whole = bytes[start] === MINUS ? start + 1 : start;
    let at = digitsFrom(bytes, whole);
    this.digitsStart = whole;
    this.digitsEnd = at;
    this.hasExponent = false;
    if (at === whole || (bytes[whole] === ZERO && at > whole + 1)) return false;
    if (bytes[at] === DOT) {
      const fraction = at + 1;
      at = digitsFrom(bytes, fraction);
      if (at === fraction) return false;
    }
    const exponent = bytes[at];
    if (exponent === 0x65 || exponent === 0x45) {
      const sign = bytes[at + 1];
      const digits = at + (sign === PLUS || sign === MINUS ? 2 : 1);
      at = digitsFrom(bytes, digits);
      if (at === digits) return false;
      this.hasExponent = true;
    }
    return at === end;
  }

  /** The digits of a number that is whole, however it is written; null where it is not, or they stand as they are. */
  wholeDigits(): string | null {
    const { bytes, start, end, digitsEnd } = this;
    const isPlain = digitsEnd === end || (!this.hasExponent && bytes[digitsEnd + 1] !== ZERO);
    const value = isPlain ? Number.NaN : Math.abs(Number(this.raw.slice(start, end)));
    return Number.isInteger(value) && value < DIGITS_BEYOND ? String(value) : null;
  }

  span(): StringSpan {
    return { start: this.start, end: this.end, isEscaped: this.isEscaped };
  }

  /** What a string says; null when no parser would take it. */
  said({ start, end, isEscaped }: StringSpan): string | null {
    return isEscaped ? parsedString(this.raw.slice(start - 1, end + 1)) : this.raw.slice(start, end);
  }
}

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE;

/** @returns where digits end */
function digitsFrom(bytes: Uint8Array, start: number): number {
  let at = start;
  while (isDigit(bytes[at] ?? 0)) at += 1;
  return at;
}

/** @param literal with its quotes. @returns null when no parser would take it */
export function parsedString(literal: string): string | null {
  try {
    const value: unknown = JSON.parse(literal);
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}
