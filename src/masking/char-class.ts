/** What kind of character a code unit is. Only ASCII has kinds: what is looked for is written in it. */

const WORD = 1;
const DIGIT = 2;
const LETTER = 4;
const HEX = 8;
const BASE64 = 16;
const LOCAL_PART = 32;
const HOST = 64;

const KINDS = new Uint8Array(256);
const mark = (characters: string, kind: number): void => {
  for (const character of characters) {
    const code = character.charCodeAt(0);
    KINDS[code] = (KINDS[code] ?? 0) | kind;
  }
};
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
mark(LOWER + UPPER + DIGITS, WORD | BASE64 | LOCAL_PART | HOST);
mark(DIGITS, DIGIT);
mark(LOWER + UPPER, LETTER);
mark(`${DIGITS}abcdefABCDEF`, HEX);
mark('+/-_', BASE64);
mark("!#$%&'*+-=?^_{|}~.", LOCAL_PART);
mark('.-', HOST);

const is = (code: number, kind: number): boolean => code < 256 && ((KINDS[code] ?? 0) & kind) !== 0;

export const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
export const isLetter = (code: number): boolean => is(code, LETTER);
/** A letter or a digit. */
export const isAlphanumeric = (code: number): boolean => is(code, WORD);
export const isHex = (code: number): boolean => is(code, HEX);
/** By byte: 1 for those of either alphabet of base64; its padding is not. */
export const BASE64_BYTES = KINDS.map((kinds) => ((kinds & BASE64) === 0 ? 0 : 1));
/** By byte: 1 for digits of hex. */
export const HEX_BYTES = KINDS.map((kinds) => ((kinds & HEX) === 0 ? 0 : 1));

/** May stand before the `@` of an e-mail address. */
export const isLocalPart = (code: number): boolean => is(code, LOCAL_PART);
/** May stand in a host name. */
export const isHost = (code: number): boolean => is(code, HOST);
