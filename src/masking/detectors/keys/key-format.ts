/** How providers write their keys: a beginning that says whose it is, and a rest of known characters and length. */
import { isAlphanumeric } from '../../char-class.ts';
import type { Match, WordDetector } from '../../detector.ts';
import type { Place } from '../../place.ts';

export interface KeyFormat {
  /** Whose, and what: `github-token`. */
  readonly name: string;
  /** Beginnings as they are written, or words in the middle where `before` says what precedes. */
  readonly words: readonly string[];
  /** Source of a regular expression for what follows a word; every repetition in it has a bound. */
  readonly rest: string;
  /** What stands before a word and belongs to the key: a set of characters, and how many. */
  readonly before?: { readonly of: RegExp; readonly min: number; readonly max: number };
}

export const ALNUM = '[A-Za-z0-9]';
export const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

/** Fewer different characters than any key has; what documentation puts in a key's place has as few. */
const DIFFERENT_MIN = 5;

/** A row of the tables. */
export const key = (name: string, words: string, rest: string): KeyFormat => ({
  name,
  words: words.split(' '),
  rest,
});

/** A row for keys that do not begin with what they are recognised by. */
export const keyAround = (
  name: string,
  word: string,
  before: { readonly of: RegExp; readonly min: number; readonly max: number },
  rest: string,
): KeyFormat => ({ name, words: [word], rest, before });

export function keyDetector(format: KeyFormat): WordDetector {
  const { name, words, before } = format;
  const rest = new RegExp(`(?:${format.rest})(?![A-Za-z0-9])`, 'y');
  return {
    name,
    kind: 'secret',
    isJoined: true,
    words: [...new Set(words.map((word) => word.toLowerCase()))],
    match: (place, at, end) => {
      const { text, from, to } = place;
      if (!words.includes(text.slice(at, end))) return null;
      const start = before === undefined ? at : startBefore(place, at, before);
      if (start < 0 || (isAlphanumeric(text.charCodeAt(start)) && isInWord(text, start, from))) return null;
      rest.lastIndex = end;
      if (!rest.test(text) || rest.lastIndex > to) return null;
      const stop = rest.lastIndex;
      const restMin = Math.min(DIFFERENT_MIN, stop - end);
      return hasDifferent(text, start, stop, DIFFERENT_MIN + DIFFERENT_MIN) &&
        hasDifferent(text, end, stop, restMin)
        ? { start, end: stop }
        : null;
    },
  };
}

/** When each ASCII character was seen last, by a count of questions: nothing has to be cleared for the next. */
const seenIn = new Uint32Array(128);
let questions = 0;

/** Whether so many different characters stand in a range. */
function hasDifferent(text: string, start: number, end: number, least: number): boolean {
  questions = (questions + 1) % 0x1_0000_0000;
  let count = 0;
  for (let at = start; at < end && count < least; at += 1) {
    const code = text.charCodeAt(at) % 128;
    if (seenIn[code] === questions) continue;
    seenIn[code] = questions;
    count += 1;
  }
  return count >= least;
}

const isInWord = (text: string, at: number, from: number): boolean =>
  at > from && isAlphanumeric(text.charCodeAt(at - 1));

/** Where the key begins that has a word at `at`; negative when it has too little before it. */
function startBefore(
  { text, from }: Place,
  at: number,
  { of, min, max }: NonNullable<KeyFormat['before']>,
): Match['start'] {
  let start = at;
  while (start > from && at - start < max && of.test(text.charAt(start - 1))) start -= 1;
  return at - start < min ? -1 : start;
}
