/**
 * Telephone numbers: international ones (ITU E.164), those of North America in the forms that are used for nothing else, and
 * any other near a word that says what they are.
 */
import { isAlphanumeric } from '../char-class.ts';
import { isNaming, isNear, isUnnamed, naming } from '../context.ts';
import type { DigitDetector, Match, WordDetector } from '../detector.ts';
import type { Place } from '../place.ts';
import { compact, isBare, isCleanAfter, matchAt } from '../digit-run.ts';

const DIGITS_MIN = 9;
/** E.164 section 6.2.1. */
const DIGITS_MAX = 15;
const WORDS = naming(
  'phone',
  'phones',
  'tel',
  'telephone',
  'telefon',
  'telefonnummer',
  'mobile',
  'mobil',
  'handy',
  'handynummer',
  'cell',
  'cellphone',
  'fax',
  'msisdn',
  'whatsapp',
  'sms',
  'call',
  'dial',
  'rufnummer',
  'téléphone',
  'teléfono',
  'telefono',
  'phone number',
  'mobile number',
);

const INTERNATIONAL =
  /\+(?:1|7|2(?:0|7|[1-69]\d)|3(?:[0-469]|[578]\d)|4(?:[013-9]|2\d)|5(?:[1-8]|[09]\d)|6(?:[0-6]|[789]\d)|8(?:[1246]|[058]\d)|9(?:[0-58]|[679]\d))(?:[ .\-/\xa0]?\(?\d{1,5}\)?){2,7}/y;

export const internationalPhone: WordDetector = {
  name: 'phone',
  kind: 'personal',
  isJoined: false,
  words: Array.from('123456789', (digit) => `+${digit}`),
  match: (place, at) => {
    const { text, from, to } = place;
    if (at > from && (isAlphanumeric(text.charCodeAt(at - 1)) || '+/='.includes(text.charAt(at - 1))))
      return null;
    INTERNATIONAL.lastIndex = at;
    const match = INTERNATIONAL.exec(text);
    return match === null || INTERNATIONAL.lastIndex > to
      ? null
      : trimmed(place, at, INTERNATIONAL.lastIndex);
  },
};

/** Numbers that stand behind another are not a part of it. */
function trimmed({ text, to }: Place, start: number, matchEnd: number): Match | null {
  let end = matchEnd;
  for (;;) {
    const digits = compact(text.slice(start, end)).length;
    if (digits <= DIGITS_MAX)
      return digits >= DIGITS_MIN && isCleanAfter(text, end, to) ? { start, end } : null;
    const shorter = text.slice(start, end).search(/[ .\-/\xa0][^ .\-/\xa0]*$/);
    if (shorter <= 0) return null;
    end = start + shorter;
  }
}

const PARENTHESES = /\([2-9]\d{2}\)[ ]?[2-9]\d{2}[-. ]\d{4}/y;

export const areaCodePhone: WordDetector = {
  name: 'phone',
  kind: 'personal',
  isJoined: false,
  words: Array.from('23456789', (digit) => `(${digit}`),
  match: (place, at) => {
    const written = matchAt(PARENTHESES, place, at);
    return written === null ? null : { start: at, end: at + written.length };
  },
};

const NORTH_AMERICAN = /(?:1[-.])?[2-9]\d{2}([-.])[2-9]\d{2}\1\d{4}/y;
const NATIONAL = /(?:0|00[1-9])?\d{1,5}(?:[ .\-/]?\(?\d{2,5}\)?){1,5}/y;

export const nationalPhone: DigitDetector = {
  name: 'phone',
  kind: 'personal',
  letters: 0,
  shapes: [
    '1s',
    '2s',
    '3s',
    '4s',
    '5s',
    '6s',
    '7s',
    ...Array.from({ length: 7 }, (_, index) => `${index + 9}`),
  ],
  mayBegin: (key, shape) => !isBare(shape) || (key !== '' && isNaming(key, WORDS)),
  matchDigits: (place, { start, shape }) => {
    const northAmerican = isBare(shape) ? null : matchAt(NORTH_AMERICAN, place, start);
    if (northAmerican !== null) return { start, end: start + northAmerican.length };
    if (isUnnamed(place, start, WORDS)) return null;
    const national = matchAt(NATIONAL, place, start);
    if (national === null) return null;
    const digits = compact(national).length;
    if (digits < DIGITS_MIN || digits > DIGITS_MAX || !isNear(place, start, WORDS)) return null;
    return { start, end: start + national.length };
  },
};
