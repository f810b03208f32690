/** National numbers of Asia, Africa and the Pacific. */
import { isDay, isLuhn, isVerhoeff, pairAt, weighted } from '../../checksum.ts';
import { naming } from '../../context.ts';
import type { IdFormat } from './id-format.ts';

const isResident = (id: string): boolean => {
  const sum = weighted(id, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
  return '10X98765432'.charAt(sum % 11) === id.charAt(17) && isDay(pairAt(id, 10), pairAt(id, 12));
};

/** Numbers given since October 2020 have no check digit. */
const isKorean = (id: string): boolean => isDay(pairAt(id, 2), pairAt(id, 4));

const isTurkish = (id: string): boolean => {
  const tenth = ((weighted(id, [7, -1, 7, -1, 7, -1, 7, -1, 7]) % 10) + 10) % 10;
  return (
    tenth === Number(id.charAt(9)) &&
    weighted(
      id,
      Array.from({ length: 10 }, () => 1),
    ) %
      10 ===
      Number(id.charAt(10))
  );
};

const SINGAPORE_LETTERS = { S: 'JZIHGFEDCBA', F: 'XWUTRQPNMLK', M: 'XWUTRQPNJLK' };

const isSingaporean = (id: string): boolean => {
  const series = id.charAt(0);
  const offset = 'TG'.includes(series) ? 4 : series === 'M' ? 3 : 0;
  const rest = (weighted(id.slice(1), [2, 7, 6, 5, 4, 3, 2]) + offset) % 11;
  const letters = SINGAPORE_LETTERS['ST'.includes(series) ? 'S' : series === 'M' ? 'M' : 'F'];
  return letters.charAt(rest) === id.charAt(8);
};

const isMyNumber = (id: string): boolean => {
  const rest = weighted(id, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
  return Number(id.charAt(11)) === (rest <= 1 ? 0 : 11 - rest);
};

const isSouthAfrican = (id: string): boolean =>
  isLuhn(id) && isDay(pairAt(id, 2), pairAt(id, 4)) && '012'.includes(id.charAt(10));

export const asianAfricanPacificIds: readonly IdFormat[] = [
  {
    name: 'in-aadhaar',
    shapes: '4s 12',
    certain: /[2-9]\d{3}([ -])\d{4}\1\d{4}/y,
    likely: /[2-9]\d{11}/y,
    words: naming('aadhaar', 'aadhar', 'uidai', 'uid'),
    check: isVerhoeff,
  },
  {
    name: 'in-pan',
    shapes: '4l',
    letters: 5,
    certain: /[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]/y,
    check: () => true,
  },
  {
    name: 'cn-resident-id',
    shapes: '18 17l',
    certain: /[1-8]\d{5}(?:18|19|20)\d{9}[\dX]/y,
    check: isResident,
  },
  { name: 'kr-rrn', shapes: '6s', certain: /\d{6}-[1-8]\d{6}/y, check: isKorean },
  {
    name: 'tr-tckn',
    shapes: '11',
    likely: /[1-9]\d{10}/y,
    words: naming('tc', 'tckn', 'kimlik', 'tc kimlik'),
    check: isTurkish,
  },
  { name: 'sg-nric', shapes: '7l', letters: 1, certain: /[STFGM]\d{7}[A-Z]/y, check: isSingaporean },
  {
    name: 'jp-my-number',
    shapes: '4s 12',
    likely: /\d{4}([ -]?)\d{4}\1\d{4}/y,
    words: naming('my number', 'mynumber', 'individual number', 'マイナンバー', '個人番号'),
    check: isMyNumber,
  },
  {
    name: 'il-id',
    shapes: '9',
    likely: /\d{9}/y,
    words: naming('teudat zehut', 'israeli id', 'tz', 'תעודת זהות'),
    check: isLuhn,
  },
  {
    name: 'za-id',
    shapes: '6s 13',
    likely: /\d{6} ?\d{4} ?\d{3}/y,
    words: naming(
      'south african',
      'south africa',
      'rsa id',
      'sa id',
      'id number',
      'identity',
      'identity number',
    ),
    check: isSouthAfrican,
  },
  {
    name: 'au-tfn',
    shapes: '3s 9',
    likely: /\d{3} ?\d{3} ?\d{3}/y,
    words: naming('tfn', 'tax file'),
    check: (id) => weighted(id, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
  },
  {
    name: 'au-medicare',
    shapes: '4s 10',
    likely: /[2-6]\d{3} ?\d{5} ?\d/y,
    words: naming('medicare'),
    check: (id) => weighted(id, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === Number(id.charAt(8)),
  },
  {
    name: 'nz-ird',
    shapes: '2s 3s',
    likely: /\d{2,3}-\d{3}-\d{3}/y,
    words: naming('ird'),
    check: (id) => isNewZealander(id.padStart(9, '0')),
  },
];

function isNewZealander(id: string): boolean {
  for (const weights of [
    [3, 2, 7, 6, 5, 4, 3, 2],
    [7, 4, 3, 2, 5, 2, 7, 6],
  ]) {
    const rest = weighted(id, weights) % 11;
    const check = rest === 0 ? 0 : 11 - rest;
    if (check < 10) return check === Number(id.charAt(8));
  }
  return false;
}
