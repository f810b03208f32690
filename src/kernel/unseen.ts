/**
 * Characters that whoever reads a text does not see, or that change what is seen around them. Whatever is shown to a person who
 * decides by it goes by this one list. It is the only definition: what is added here holds on terminals, in Slack and for what servers offer.
 */

/**
 * Shown as nothing at all, or as a blank that is no space: what Unicode has ignored where it cannot be shown (joiners, directions,
 * variation selectors, tags, fillers), marks around annotations, the empty Braille cell, the note without a head.
 */
const BLANKS = '\\p{Default_Ignorable_Code_Point}\\ufff9-\\ufffb\\u2800\\u{1d159}';
const BLANK = new RegExp(`^[${BLANKS}]$`, 'u');

/**
 * Those, and what controls a terminal, formats, separates lines and paragraphs, is half a character, or is of nobody's or no
 * meaning (private use, unassigned). Tabs and line feeds are among them: whoever wants to keep them says so.
 */
const UNSEEN = new RegExp(`[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}\\p{Cn}\\p{Zl}\\p{Zp}${BLANKS}]`, 'gu');

/** @param character one code point */
export const isBlank = (character: string): boolean => BLANK.test(character);

/** The text with something that can be seen in place of each of them. @param shown told one code point at a time */
export const showUnseen = (text: string, shown: (character: string) => string): string =>
  text.replaceAll(UNSEEN, shown);
