/**
 * Characters in a definition that a person who reads it does not see, or sees as others: those that are invisible,
 * that turn the direction of text, that control a terminal, and letters that look like those of another script.
 * What writing needs stays free of this: joiners in scripts that have them, emoji, signs such as µ.
 */

import { isBlank, showUnseen } from '../../kernel/index.ts';

export type CharacterFlag = 'invisible' | 'direction' | 'control' | 'private' | 'look-alike';

const NON_JOINER = 0x200c;
const JOINER = 0x200d;
const EMOJI_SELECTOR = 0xfe0f;
/** Judged by what stands before them. */
const JOINING = new Set([NON_JOINER, JOINER, EMOJI_SELECTOR]);

const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const CONTROL = /(?![\t\n\r])[\p{Cc}\p{Cs}\u2028\u2029]/u;
const PRIVATE = /[\p{Co}\p{Cn}]/u;
/** Flags of three countries are written with tags behind a black flag. */
const FLAG_OF_TAGS = /\u{1f3f4}[\u{e0061}-\u{e007a}]{2,6}\u{e007f}/gu;
const EMOJI = /^(?:\p{Emoji}|\p{Emoji_Modifier})$/u;
/** What else may be shown in colour. */
const SIGN = /^[\p{So}\p{Sm}\p{Po}]$/u;
/** Scripts whose spelling uses the joiners. */
const JOINING_SCRIPT =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Which kinds of such characters are in a text. */
export function characterFlags(text: string): readonly CharacterFlag[] {
  const flags: CharacterFlag[] = [];
  const plain = text.replaceAll(FLAG_OF_TAGS, '');
  if (hasInvisible(plain)) flags.push('invisible');
  if (DIRECTION.test(plain)) flags.push('direction');
  if (CONTROL.test(plain)) flags.push('control');
  if (PRIVATE.test(plain)) flags.push('private');
  if (hasMixedWord(plain)) flags.push('look-alike');
  return flags;
}

function hasInvisible(text: string): boolean {
  let before = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (JOINING.has(code) ? isStray(code, before) : isBlank(character) && !DIRECTION.test(character))
      return true;
    before = character;
  }
  return false;
}

/** Whether a joiner or selector has nothing to do behind that character. */
function isStray(code: number, before: string): boolean {
  if (code === EMOJI_SELECTOR) return !EMOJI.test(before) && !SIGN.test(before);
  if (JOINING_SCRIPT.test(before)) return false;
  const behindEmoji = EMOJI.test(before) || before.codePointAt(0) === EMOJI_SELECTOR;
  return code === NON_JOINER || !behindEmoji;
}

const WORD = /[\p{L}\p{M}]+/gu;
const LATIN = /\p{Script=Latin}/u;
/** Letters of other scripts that most type shows as Latin ones. */
const LIKE_LATIN =
  /[ΑΒΕ-ΗΙΚΜΝΟΡΤΥΧικνορυϲϳ\p{Script=Cyrillic}\p{Script=Cherokee}\p{Script=Armenian}\p{Script=Lisu}\p{Script=Coptic}]/u;

/** Whether one word has Latin letters and others that look like them. */
function hasMixedWord(text: string): boolean {
  if (!LIKE_LATIN.test(text)) return false;
  for (const [word] of text.matchAll(WORD)) if (LATIN.test(word) && LIKE_LATIN.test(word)) return true;
  return false;
}

/** The text with every character that does not show itself written as `{U+202E}`. */
export const madeVisible = (text: string): string =>
  showUnseen(text, (character) =>
    character === '\n'
      ? character
      : `{U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}}`,
  );
