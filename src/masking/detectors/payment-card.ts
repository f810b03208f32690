/** Numbers of payment cards: a length and a beginning that an issuer has (ISO/IEC 7812), and the check digit. */
import { isLuhn } from '../checksum.ts';
import type { DigitDetector } from '../detector.ts';
import { compact, matchAt } from '../digit-run.ts';

const WRITTEN = [
  /\d{4}([ \xa0-]?)\d{4}\1\d{4}\1\d{4}\1\d{3}/y,
  /\d{4}([ \xa0-]?)\d{4}\1\d{4}\1\d{4}/y,
  /\d{4}([ \xa0-]?)\d{6}\1\d{5}/y,
  /\d{4}([ \xa0-]?)\d{6}\1\d{4}/y,
  /\d{17,18}/y,
];

/** Visa, Mastercard, Mir, American Express, Diners, JCB, Discover, UnionPay, Maestro, RuPay, Troy. */
const ISSUED: readonly RegExp[] = [
  /^4(?:\d{15}|\d{18})$/,
  /^(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}$/,
  /^220[0-4]\d{12}$/,
  /^3[47]\d{13}$/,
  /^3(?:0[0-5]|095|[689]\d)\d{11}$/,
  /^35(?:2[89]|[3-8]\d)\d{12}$/,
  /^(?:6011|64[4-9]\d|65\d{2})\d{12}$/,
  /^(?:62|81)\d{14,17}$/,
  /^(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{12}$/,
  /^(?:508[5-9]|60[68]\d|82\d{2})\d{12}$/,
  /^9792\d{12}$/,
];

export const paymentCard: DigitDetector = {
  name: 'payment-card',
  kind: 'personal',
  letters: 0,
  shapes: ['4s', '14', '15', '16', '17', '18', '19'],
  matchDigits: (place, { start }) => {
    for (const pattern of WRITTEN) {
      const written = matchAt(pattern, place, start);
      if (written !== null && isCard(compact(written))) return { start, end: start + written.length };
    }
    return null;
  },
};

const isCard = (digits: string): boolean =>
  isLuhn(digits) && !/^(\d)\1+$/.test(digits) && ISSUED.some((issued) => issued.test(digits));
