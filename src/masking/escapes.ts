/** Texts written with escapes, as they are meant, with the way back to where each character stands. */
import { isHex } from './char-class.ts';

/** A text without its escapes. */
export interface Unescaped {
  readonly text: string;
  /** Position in the escaped text of a character; of the length, the end. */
  readonly sourceOf: (position: number) => number;
}

/** Reads the escape at a place. @returns the character that it stands for and how long it is, as one number; 0: it is none */
type Read = (text: string, at: number) => number;

const LENGTHS = 0x10000;
const SPACE = 0x20;
const BRACE = 0x7b;
const ZERO = 0x30;
const SEVEN = 0x37;
const REFERENCE = /&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos|nbsp));/y;

/** By letter behind a backslash: what it stands for. */
const LETTERS: ReadonlyMap<number, number> = new Map(
  Object.entries({
    b: '\b',
    f: '\f',
    n: '\n',
    r: '\r',
    t: '\t',
    '"': '"',
    "'": "'",
    '\\': '\\',
    '/': '/',
    '`': '`',
  }).map(([letter, said]) => [letter.charCodeAt(0), said.charCodeAt(0)]),
);
const NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }),
);

/** Of strings in programs and in JSON. */
export const withoutBackslashes = (text: string): Unescaped | null =>
  unescape(text, '\\', (source, at) => {
    const next = source.charCodeAt(at + 1);
    if (next === 0x75)
      return source.charCodeAt(at + 2) === BRACE ? inBraces(source, at) : ofHex(source, at, 2, 4);
    if (next === 0x78) return ofHex(source, at, 2, 2);
    if (next >= ZERO && next <= SEVEN) return ofOctal(source, at);
    const letter = LETTERS.get(next);
    return letter === undefined ? 0 : 2 * LENGTHS + letter;
  });

/** Of URLs and forms. Each is taken for a character: what is looked for is ASCII. */
export const withoutPercents = (text: string): Unescaped | null =>
  unescape(text, '%', (source, at) => ofHex(source, at, 1, 2));

/** Of HTML and XML. */
export const withoutReferences = (text: string): Unescaped | null =>
  unescape(text, '&', (source, at) => {
    REFERENCE.lastIndex = at;
    const match = REFERENCE.exec(source);
    if (match === null) return 0;
    const [{ length }, decimal, hex, name] = match;
    const named = name === undefined ? null : (NAMES.get(name) ?? ' ').charCodeAt(0);
    const code = named ?? (decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal));
    return length * LENGTHS + (code < LENGTHS ? code : SPACE);
  });

/** UTF-16 that was taken for bytes: every other character is zero. */
export function withoutZeros(text: string): Unescaped | null {
  const parts = text.split('\0');
  if (parts.length === 1) return null;
  /** Positions just past each zero, without and with them. */
  const plain: number[] = [];
  const source: number[] = [];
  let length = 0;
  for (const part of parts.slice(0, -1)) {
    length += part.length;
    plain.push(length);
    source.push(length + plain.length);
  }
  return { text: parts.join(''), sourceOf: (position) => sourceOf(plain, source, position) };
}

/** @returns the text with a zero behind each character, if what it stands for has them */
export function withZerosLike(source: string, text: string): string {
  if (!source.includes('\0')) return text;
  return Array.from(text).join('\0') + (source.endsWith('\0') ? '\0' : '');
}

/** `\u{67}`, of ECMAScript and Rust. */
function inBraces(text: string, at: number): number {
  let end = at + 3;
  while (end < at + 9 && isHex(text.charCodeAt(end))) end += 1;
  if (end === at + 3 || text.charAt(end) !== '}') return 0;
  const code = Number.parseInt(text.slice(at + 3, end), 16);
  return (end + 1 - at) * LENGTHS + (code < LENGTHS ? code : SPACE);
}

/** `\147` and `\63`, of C and shells. */
function ofOctal(text: string, at: number): number {
  let code = 0;
  let end = at + 1;
  for (; end < at + 4; end += 1) {
    const digit = text.charCodeAt(end) - ZERO;
    if (!(digit >= 0 && digit < 8) || code * 8 + digit > 0xff) break;
    code = code * 8 + digit;
  }
  return end < at + 3 ? 0 : (end - at) * LENGTHS + code;
}

/** @param before how many characters stand before so many digits */
function ofHex(text: string, at: number, before: number, digits: number): number {
  let code = 0;
  const end = at + before + digits;
  for (let index = at + before; index < end; index += 1) {
    const unit = text.charCodeAt(index);
    if (!isHex(unit)) return 0;
    code = code * 16 + (unit < 0x3a ? unit - 0x30 : (unit | 0x20) - 0x57);
  }
  return (before + digits) * LENGTHS + code;
}

/** @returns null when there is no escape */
function unescape(text: string, begin: string, read: Read): Unescaped | null {
  const parts: string[] = [];
  /** Positions just past each escape, in the plain and in the escaped text. */
  const plain: number[] = [];
  const source: number[] = [];
  let at = 0;
  let length = 0;
  for (let next = text.indexOf(begin); next >= 0; ) {
    const found = read(text, next);
    if (found === 0) {
      next = text.indexOf(begin, next + 1);
      continue;
    }
    if (next > at) parts.push(text.slice(at, next));
    parts.push(String.fromCharCode(found % LENGTHS));
    length += next - at + 1;
    at = next + Math.floor(found / LENGTHS);
    plain.push(length);
    source.push(at);
    next = text.indexOf(begin, at);
  }
  if (plain.length === 0) return null;
  parts.push(text.slice(at));
  return { text: parts.join(''), sourceOf: (position) => sourceOf(plain, source, position) };
}

/** Every escape stands for one character: a position just before one is the one where the escape begins. */
function sourceOf(plain: readonly number[], source: readonly number[], position: number): number {
  let low = 0;
  let high = plain.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((plain[middle] ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? position : (source[low - 1] ?? 0) + position - (plain[low - 1] ?? 0);
}

/** Where characters of a JSON string stand in its raw text; positions must ascend. One pass, however many there are. */
export class JsonPositions {
  readonly #raw: string;
  /** The first backslash that was not passed yet, and which character it writes. */
  #escape: number;
  #position: number;
  /** Where the character stands that follows the last escape that was passed, and which it is. */
  #plain: number;
  #plainPosition = 0;

  /** @param start of what stands between the quotes */
  constructor(raw: string, start: number) {
    this.#raw = raw;
    this.#plain = start;
    this.#escape = backslashFrom(raw, start);
    this.#position = this.#escape - start;
  }

  of(position: number): number {
    const raw = this.#raw;
    while (this.#position < position) {
      const end = this.#escape + (raw.charCodeAt(this.#escape + 1) === 0x75 ? 6 : 2);
      this.#plain = end;
      this.#plainPosition = this.#position + 1;
      this.#escape = backslashFrom(raw, end);
      this.#position = this.#plainPosition + this.#escape - end;
    }
    return this.#plain + position - this.#plainPosition;
  }
}

/** Infinity where there is none. */
function backslashFrom(raw: string, start: number): number {
  const found = raw.indexOf('\\', start);
  return found < 0 ? Number.POSITIVE_INFINITY : found;
}
