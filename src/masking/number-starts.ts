/**
 * Where numbers begin that may be looked for: at the first digit of a word, with at most six letters before it in that word, and
 * not behind a hyphen or dot that joins it to another. A small automaton, which steps along with the one for words.
 */

const SEPARATOR = 0;
const LETTER = 1;
const DIGIT = 2;
/** Joins words to one that no number begins within. */
const UNDERSCORE = 3;
/** A hyphen or a dot: joins what stands on both sides of it. */
const JOINT = 4;
const KINDS = 8;

/** States: nothing before, so many letters, a number that just began, something that none begins in, a joint. */
const NOTHING = 0;
const LETTERS_MAX = 6;
const BEGUN = LETTERS_MAX + 1;
const WITHIN = BEGUN + 1;
const JOINED = WITHIN + 1;
const STATES = JOINED + 1;

/** By byte: its kind. */
export const NUMBER_COLUMNS = Uint8Array.from({ length: 256 }, (_, code) =>
  kindOf(String.fromCharCode(code)),
);
/** By state and kind: the next state. States are positions of their row. */
export const NUMBER_STATES = Uint8Array.from(
  { length: STATES * KINDS },
  (_, at) => KINDS * after(Math.floor(at / KINDS), at % KINDS),
);
/** The state at the first digit of a number. */
export const NUMBER_BEGUN = BEGUN * KINDS;

function kindOf(character: string): number {
  if (/[A-Za-z]/.test(character)) return LETTER;
  if (/[0-9]/.test(character)) return DIGIT;
  if (character === '_') return UNDERSCORE;
  return /[-.]/.test(character) ? JOINT : SEPARATOR;
}

function after(state: number, kind: number): number {
  const isInWord = state !== NOTHING && state !== JOINED;
  switch (kind) {
    case LETTER:
      return state < LETTERS_MAX ? state + 1 : WITHIN;
    case DIGIT:
      return state <= LETTERS_MAX ? BEGUN : WITHIN;
    case UNDERSCORE:
      return WITHIN;
    case JOINT:
      return isInWord ? JOINED : NOTHING;
    default:
      return NOTHING;
  }
}
