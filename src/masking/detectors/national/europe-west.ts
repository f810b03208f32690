/** National numbers of western and southern Europe. */
import { isDay, isMod11And10, modulo, pairAt, weighted } from '../../checksum.ts';
import { naming } from '../../context.ts';
import type { IdFormat } from './id-format.ts';

/** One digit of the first ten stands there twice or three times, at least one is missing. */
function isSteuerId(id: string): boolean {
  const counts = new Map<string, number>();
  for (const digit of id.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  const repeated = [...counts.values()].filter((count) => count > 1);
  return repeated.length === 1 && (repeated[0] ?? 0) <= 3 && isMod11And10(id);
}

/** The digits of products are added up: 12 counts 3. */
function isPensionNumber(id: string): boolean {
  const letter = String(id.charCodeAt(8) - 64).padStart(2, '0');
  const digits = id.slice(0, 8) + letter + id.slice(9, 11);
  let sum = 0;
  for (const [at, weight] of [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1].entries()) {
    const product = weight * Number(digits.charAt(at));
    sum += Math.floor(product / 10) + (product % 10);
  }
  return sum % 10 === Number(id.charAt(11)) && Number(id.slice(4, 6)) <= 12;
}

function isNir(id: string): boolean {
  const number = id.slice(0, 13).replace('2A', '19').replace('2B', '18');
  return 97 - modulo(number, 97) === Number(id.slice(13)) && Number(id.slice(3, 5)) > 0;
}

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';
const isDni = (id: string): boolean => DNI_LETTERS.charAt(modulo(id.slice(0, 8), 23)) === id.charAt(8);
const isNie = (id: string): boolean => isDni(String('XYZ'.indexOf(id.charAt(0))) + id.slice(1));

/** Values of characters at odd places, of digits and letters in their order. */
const FISCAL_ODD = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

function isFiscalCode(id: string): boolean {
  let sum = 0;
  for (let at = 0; at < 15; at += 1) {
    const code = id.charCodeAt(at);
    const value = code < 0x41 ? code - 0x30 : code - 0x41;
    sum += at % 2 === 0 ? (FISCAL_ODD[value] ?? 0) : value;
  }
  return (sum % 26) + 0x41 === id.charCodeAt(15);
}

const isBsn = (id: string): boolean =>
  Number(id) > 0 && (weighted(id, [9, 8, 7, 6, 5, 4, 3, 2]) - Number(id.charAt(8))) % 11 === 0;

const isBelgian = (id: string): boolean => {
  const number = id.slice(0, 9);
  const check = Number(id.slice(9));
  return (
    Number(id.slice(2, 4)) <= 12 &&
    (97 - modulo(number, 97) === check || 97 - modulo(`2${number}`, 97) === check)
  );
};

const isNif = (id: string): boolean => {
  const rest = weighted(id, [9, 8, 7, 6, 5, 4, 3, 2]) % 11;
  return Number(id.charAt(8)) === (rest < 2 ? 0 : 11 - rest);
};

/** As of an EAN-13. */
const isAhv = (id: string): boolean =>
  (10 - (weighted(id, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10)) % 10 === Number(id.charAt(12));

const isAustrian = (id: string): boolean =>
  weighted(id, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 === Number(id.charAt(3)) &&
  isDay(pairAt(id, 6), pairAt(id, 4));

const isNhs = (id: string): boolean => {
  const check = 11 - (weighted(id, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return Number(id.charAt(9)) === (check === 11 ? 0 : check);
};

const isPps = (id: string): boolean => {
  const extra = id.length === 9 ? (id.charCodeAt(8) - 0x40) * 9 : 0;
  const rest = (weighted(id, [8, 7, 6, 5, 4, 3, 2]) + extra) % 23;
  return 'WABCDEFGHIJKLMNOPQRSTUV'.charAt(rest) === id.charAt(7);
};

export const westEuropeanIds: readonly IdFormat[] = [
  {
    name: 'uk-nino',
    shapes: '6 2s 6l',
    letters: 2,
    certain: /(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{2}( ?)\d{2}\1\d{2}\1[A-D]/y,
    check: () => true,
  },
  {
    name: 'uk-nino',
    shapes: '2s',
    certain:
      /(?<=(?:^|[^A-Za-z0-9])(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] )\d{2} \d{2} \d{2} [A-D]/y,
    check: () => true,
  },
  {
    name: 'uk-nhs',
    shapes: '3s 10',
    likely: /\d{3}([ -]?)\d{3}\1\d{4}/y,
    words: naming('nhs', 'national health'),
    check: isNhs,
  },
  {
    name: 'de-steuer-id',
    shapes: '2s 11',
    certain: /[1-9]\d \d{3} \d{3} \d{3}/y,
    likely: /[1-9]\d{10}/y,
    words: naming(
      'steuer',
      'steuer id',
      'steuer nummer',
      'steuernummer',
      'steueridentifikationsnummer',
      'steuer identifikationsnummer',
      'tax',
      'tax id',
      'tin',
      'idnr',
      'id nr',
    ),
    check: isSteuerId,
  },
  {
    name: 'de-pension-number',
    shapes: '2s 8l',
    certain: /\d{2}( ?)\d{6}\1[A-Z]\1\d{3}/y,
    check: isPensionNumber,
  },
  {
    name: 'fr-nir',
    shapes: '1s 15 5l 6l',
    certain: /[12378]( ?)\d{2}\1(?:0[1-9]|1[0-2]|[2-9]\d)\1(?:\d{2}|2[AB])\1\d{3}\1\d{3}\1\d{2}/y,
    check: isNir,
  },
  { name: 'es-dni', shapes: '8l 8s', certain: /\d{8}-?[A-HJ-NP-TV-Z]/y, check: isDni },
  { name: 'es-nie', shapes: '7l 7s', letters: 1, certain: /[XYZ]\d{7}-?[A-HJ-NP-TV-Z]/y, check: isNie },
  {
    name: 'it-codice-fiscale',
    shapes: '2l',
    letters: 6,
    certain: /[A-Za-z]{6}\d{2}[A-EHLMPR-Ta-ehlmpr-t]\d{2}[A-Za-z]\d{3}[A-Za-z]/y,
    check: isFiscalCode,
  },
  {
    name: 'nl-bsn',
    shapes: '4s 9',
    likely: /\d{4}([ .]?)\d{2}\1\d{3}|\d{9}/y,
    words: naming('bsn', 'burgerservicenummer', 'sofi nummer', 'sofinummer', 'sofi'),
    check: isBsn,
  },
  {
    name: 'be-national-number',
    shapes: '2s 11',
    certain: /\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}/y,
    likely: /\d{11}/y,
    words: naming(
      'rijksregister',
      'rijksregisternummer',
      'registre national',
      'insz',
      'niss',
      'national number',
    ),
    check: isBelgian,
  },
  {
    name: 'pt-nif',
    shapes: '3s 9',
    likely: /[1-35689]\d{2} ?\d{3} ?\d{3}/y,
    words: naming('nif', 'contribuinte'),
    check: isNif,
  },
  { name: 'ch-ahv', shapes: '3s 13', certain: /756\.?\d{4}\.?\d{4}\.?\d{2}/y, check: isAhv },
  {
    name: 'at-svnr',
    shapes: '4s 10',
    likely: /\d{4} ?\d{6}/y,
    words: naming('svnr', 'sv nr', 'sozialversicherung', 'sozialversicherungsnummer', 'versicherungsnummer'),
    check: isAustrian,
  },
  {
    name: 'ie-pps',
    shapes: '7l',
    likely: /\d{7}[A-W][A-IW]?/y,
    words: naming('pps', 'ppsn', 'personal public service'),
    check: isPps,
  },
];
