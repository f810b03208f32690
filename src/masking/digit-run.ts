/**
 * Numbers as people write them: digits in groups, with one separator between groups. What stands at the beginning of a group
 * is looked at once for all detectors of numbers, and cheaply, because most numbers are none of theirs.
 */
import { isAlphanumeric, isDigit, isLetter } from './char-class.ts';
import type { Place } from './place.ts';

/** More letters before the digits than anything has that is looked for. */
const LETTERS_MAX = 7;
const HYPHEN = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const PLUS = 0x2b;
const SPACE = 0x20;
/** One that keeps a number in one line. */
const FIXED_SPACE = 0xa0;
const UNDERSCORE = 0x5f;
const ZERO = 0x30;

/** Longer groups are all alike: no number has as many digits. */
const LENGTHS = 24;
/** What may follow a group: anything else, a separator and another group, a letter. */
const FOLLOWS = 3;
const GROUP_FOLLOWS = 1;
const LETTER_FOLLOWS = 2;
/** How many tables there are. */
export const SHAPES = LENGTHS * FOLLOWS;
/** The shortest contiguous number that is looked for, in digits. */
const CONTIGUOUS_MIN = 6;

/** By how many digits the first group has: how many the second may have, with each separator. */
const DOTTED = ['', '123', '123', '1234', '24'];
const SPACED = ['', '2', '23', '234', '2456'];
const HYPHENED = ['', '3', '3', '234', '46'];

const isSeparator = (code: number): boolean =>
  code === SPACE || code === HYPHEN || code === DOT || code === SLASH || code === FIXED_SPACE;

/** The beginning of a group of digits. One for all: filled anew for each. */
export class DigitRun {
  /** Where the group begins, and just past it. */
  start = 0;
  end = 0;
  /** Letters just before it, at most so many that nothing looked for has more. */
  lettersBefore = 0;
  /** Its length and what follows it, as a number: see `tablesOf`. */
  shape = 0;
  /** The group itself; read once it is asked for. */
  #digits: string | null = null;
  #text = '';

  get digits(): string {
    this.#digits ??= this.#text.slice(this.start, this.end);
    return this.#digits;
  }

  /** @returns whether anything that is looked for may begin here, or at the letters before */
  read({ text, bytes, from, to }: Place, at: number): boolean {
    let end = at + 1;
    while (end < to && isDigit(bytes[end] ?? 0)) end += 1;
    this.start = at;
    this.end = end;
    this.#digits = null;
    this.#text = text;
    const after = end < to ? text.charCodeAt(end) : 0;
    this.lettersBefore = 0;
    const before = at > from ? text.charCodeAt(at - 1) : SPACE;
    if (isLetter(before)) {
      if (!this.#isBehindLetters(text, from)) return false;
    } else if (!isCleanBefore(text, at, from)) return false;
    const follows = isLetter(after) ? LETTER_FOLLOWS : isGrouping(text, end, after, to) ? GROUP_FOLLOWS : 0;
    this.shape = Math.min(end - at, LENGTHS - 1) * FOLLOWS + follows;
    if (this.lettersBefore > 0 || end - at >= CONTIGUOUS_MIN) return true;
    return follows === GROUP_FOLLOWS && this.#isGrouped(bytes, after, to);
  }

  /** Fewer digits are the beginning of a number only if groups follow as they do in one. */
  #isGrouped(bytes: Uint8Array, separator: number, to: number): boolean {
    let end = this.end + 1;
    while (end < to && isDigit(bytes[end] ?? 0)) end += 1;
    const first = this.end - this.start;
    const second = end - this.end - 1;
    if (second >= CONTIGUOUS_MIN) return true;
    const next = bytes[end] ?? 0;
    const isThird = end + 1 < to && isSeparator(next) && isDigit(bytes[end + 1] ?? 0);
    // Telephone numbers, of which nothing but the zero is known.
    if (bytes[this.start] === ZERO && first > 1 && (isThird || first + second >= 8)) return true;
    const seconds =
      (separator === DOT ? DOTTED : separator === SPACE || separator === FIXED_SPACE ? SPACED : HYPHENED)[
        first
      ] ?? '';
    return seconds.includes(String(second)) && (isThird || (second === 2 && next === SPACE));
  }

  /** An account number, or a national number that begins with letters. */
  #isBehindLetters(text: string, from: number): boolean {
    let before = this.start - 1;
    while (before > from && this.start - before < LETTERS_MAX && isLetter(text.charCodeAt(before - 1)))
      before -= 1;
    this.lettersBefore = this.start - before;
    const digits = this.end - this.start;
    const isLongEnough =
      digits >= CONTIGUOUS_MIN ||
      ((this.lettersBefore === 2 || this.lettersBefore === 6) && digits >= 2) ||
      (this.lettersBefore === 5 && digits === 4);
    return isLongEnough && this.lettersBefore < LETTERS_MAX && isCleanBefore(text, before, from);
  }
}

/** A separator, and something that it separates. */
function isGrouping(text: string, at: number, code: number, to: number): boolean {
  if (at + 1 >= to) return false;
  const next = text.charCodeAt(at + 1);
  if (code === HYPHEN || code === SLASH || code === PLUS) return isAlphanumeric(next);
  return (code === SPACE || code === DOT || code === FIXED_SPACE) && isDigit(next);
}

/** Nothing follows the group that might belong to it. */
export const isBare = (shape: number): boolean => shape % FOLLOWS === 0;

/**
 * Numbers of the tables that a shape, as detectors declare it, belongs into.
 *
 * @param shape `11`, `4s` or `8l`
 */
export function tablesOf(shape: string): readonly number[] {
  const first = Number.parseInt(shape, 10) * FOLLOWS;
  if (shape.endsWith('s')) return [first + GROUP_FOLLOWS];
  return shape.endsWith('l') ? [first + LETTER_FOLLOWS] : [first, first + GROUP_FOLLOWS];
}

/** Whether what begins at `at` is not a part of something longer, such as the fraction of a number, or an identifier. */
function isCleanBefore(text: string, at: number, from: number): boolean {
  if (at <= from) return true;
  const code = text.charCodeAt(at - 1);
  if (isAlphanumeric(code) || code === UNDERSCORE) return false;
  if (code !== HYPHEN && code !== DOT) return true;
  return at - 1 <= from || !isAlphanumeric(text.charCodeAt(at - 2));
}

/** The same for what ends at `at`. */
export function isCleanAfter(text: string, at: number, to: number): boolean {
  if (at >= to) return true;
  const code = text.charCodeAt(at);
  if (isAlphanumeric(code) || code === UNDERSCORE) return false;
  if (code !== HYPHEN && code !== DOT) return true;
  return at + 1 >= to || !isAlphanumeric(text.charCodeAt(at + 1));
}

/** Without anything between its letters and digits, in upper case. */
export function compact(text: string): string {
  let kept = '';
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isAlphanumeric(code)) kept += text[at];
  }
  return kept.toUpperCase();
}

/** What a pattern matches at a place, when nothing that it might be a part of goes on before or after. */
export function matchAt(
  pattern: RegExp,
  { text, from, to }: { readonly text: string; readonly from: number; readonly to: number },
  at: number,
): string | null {
  if (at < from) return null;
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (match === null || pattern.lastIndex > to) return null;
  return isCleanBefore(text, at, from) && isCleanAfter(text, pattern.lastIndex, to) ? match[0] : null;
}
