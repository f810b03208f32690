/** National numbers of the Americas. */
import { isDay, isLuhn, pairAt, weighted } from '../../checksum.ts';
import { naming } from '../../context.ts';
import type { IdFormat } from './id-format.ts';

/** The Social Security Administration gave none of these. */
const isSocialSecurity = (id: string): boolean =>
  !/^(?:000|666|9)/.test(id) && id.slice(3, 5) !== '00' && id.slice(5) !== '0000';

const isTaxpayer = (id: string): boolean => /^9\d{2}(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])\d{4}$/.test(id);

/** Brazil's check digit: 11 less the rest, and 0 for what is more than 9. */
const brazilian = (digits: string, weights: readonly number[]): number => {
  const rest = weighted(digits, weights) % 11;
  return rest < 2 ? 0 : 11 - rest;
};

function isCpf(id: string): boolean {
  if (/^(\d)\1{10}$/.test(id)) return false;
  const first = brazilian(id, [10, 9, 8, 7, 6, 5, 4, 3, 2]);
  const second = brazilian(id, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
  return id.endsWith(`${first}${second}`);
}

function isCnpj(id: string): boolean {
  if (/^(\d)\1{13}$/.test(id)) return false;
  const first = brazilian(id, [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
  const second = brazilian(id, [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
  return id.endsWith(`${first}${second}`);
}

const CURP_LETTERS = '0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ';

function isCurp(id: string): boolean {
  let sum = 0;
  for (let at = 0; at < 17; at += 1) sum += CURP_LETTERS.indexOf(id.charAt(at)) * (18 - at);
  return (10 - (sum % 10)) % 10 === Number(id.charAt(17)) && isDay(pairAt(id, 6), pairAt(id, 8));
}

const isCuil = (id: string): boolean => {
  const check = 11 - (weighted(id, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11);
  return Number(id.charAt(10)) === (check === 11 ? 0 : check);
};

function isRut(id: string): boolean {
  const digits = Array.from(id.slice(0, -1)).toReversed().join('');
  const check = 11 - (weighted(digits, [2, 3, 4, 5, 6, 7, 2, 3, 4]) % 11);
  return id.endsWith(check === 11 ? '0' : check === 10 ? 'K' : String(check));
}

export const americanIds: readonly IdFormat[] = [
  {
    name: 'us-ssn',
    shapes: '3s 9',
    certain: /\d{3}-\d{2}-\d{4}/y,
    likely: /\d{3} ?\d{2} ?\d{4}/y,
    words: naming('ssn', 'social security'),
    check: isSocialSecurity,
  },
  {
    name: 'us-itin',
    shapes: '3s 9',
    certain: /9\d{2}-\d{2}-\d{4}/y,
    likely: /9\d{2} ?\d{2} ?\d{4}/y,
    words: naming('itin', 'taxpayer'),
    check: isTaxpayer,
  },
  {
    name: 'ca-sin',
    shapes: '3s 9',
    likely: /\d{3}([ -]?)\d{3}\1\d{3}/y,
    words: naming('sin', 'nas', 'social insurance', 'assurance sociale'),
    check: isLuhn,
  },
  {
    name: 'br-cpf',
    shapes: '3s 11',
    certain: /\d{3}\.\d{3}\.\d{3}-\d{2}/y,
    likely: /\d{11}/y,
    words: naming('cpf'),
    check: isCpf,
  },
  {
    name: 'br-cnpj',
    shapes: '2s 14',
    certain: /\d{2}\.\d{3}\.\d{3}\/\d{4}-\d{2}/y,
    likely: /\d{14}/y,
    words: naming('cnpj'),
    check: isCnpj,
  },
  {
    name: 'mx-curp',
    shapes: '6l',
    letters: 4,
    certain: /[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d/y,
    check: isCurp,
  },
  {
    name: 'ar-cuil',
    shapes: '2s 11',
    certain: /(?:20|2[347]|3[034])-\d{8}-\d/y,
    likely: /(?:20|2[347]|3[034])\d{9}/y,
    words: naming('cuil', 'cuit'),
    check: isCuil,
  },
  {
    name: 'cl-rut',
    shapes: '1s 2s 7s 8s',
    certain: /\d{1,2}\.\d{3}\.\d{3}-[\dkK]/y,
    likely: /\d{7,8}-[\dkK]/y,
    words: naming('rut', 'run'),
    check: isRut,
  },
  {
    name: 'co-nit',
    shapes: '9s',
    likely: /\d{9}-\d/y,
    words: naming('nit'),
    check: (id) => {
      const rest = weighted(id, [41, 37, 29, 23, 19, 17, 13, 7, 3]) % 11;
      return Number(id.charAt(9)) === (rest < 2 ? rest : 11 - rest);
    },
  },
];
