/** Check digits. Each takes digits only and says whether the last of them follow from the others. */

/** ISO/IEC 7812: payment cards, and many national numbers. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, isSecond = false; at >= 0; at -= 1, isSecond = !isSecond) {
    const digit = digits.charCodeAt(at) - 0x30;
    sum += isSecond ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return sum % 10 === 0;
}

/** The rest of a long number. */
export function modulo(digits: string, divisor: number): number {
  let rest = 0;
  for (let at = 0; at < digits.length; at += 1) rest = (rest * 10 + digits.charCodeAt(at) - 0x30) % divisor;
  return rest;
}

/** The sum of digits, each with its weight. Weights beyond the digits count nothing. */
export function weighted(digits: string, weights: readonly number[]): number {
  let sum = 0;
  const length = Math.min(digits.length, weights.length);
  for (let at = 0; at < length; at += 1) sum += (weights[at] ?? 0) * (digits.charCodeAt(at) - 0x30);
  return sum;
}

/** ISO/IEC 7064, MOD 11,10. */
export function isMod11And10(digits: string): boolean {
  let product = 10;
  for (let at = 0; at < digits.length - 1; at += 1) {
    const sum = (digits.charCodeAt(at) - 0x30 + product) % 10;
    product = ((sum === 0 ? 10 : sum) * 2) % 11;
  }
  return (11 - product) % 10 === digits.charCodeAt(digits.length - 1) - 0x30;
}

/** The multiplication table of the dihedral group of order 10. */
const DIHEDRAL = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
];
const PERMUTATIONS = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
];

/** Verhoeff (1969). */
export function isVerhoeff(digits: string): boolean {
  let check = 0;
  for (let place = 0; place < digits.length; place += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - place) - 0x30;
    const permuted = Number(PERMUTATIONS[place % 8]?.[digit]);
    check = Number(DIHEDRAL[check]?.[permuted]);
  }
  return check === 0;
}

/** Whether `YYMMDD` may be a day. */
export const isDay = (month: number, day: number): boolean =>
  month >= 1 && month <= 12 && day >= 1 && day <= 31;

/** The number that two digits make. */
export const pairAt = (digits: string, at: number): number =>
  (digits.charCodeAt(at) - 0x30) * 10 + digits.charCodeAt(at + 1) - 0x30;
