/** National numbers of northern and eastern Europe. */
import { isDay, isLuhn, isMod11And10, modulo, pairAt, weighted } from '../../checksum.ts';
import { naming } from '../../context.ts';
import type { IdFormat } from './id-format.ts';

const isPesel = (id: string): boolean =>
  weighted(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0 && isDay(pairAt(id, 2) % 20, pairAt(id, 4));

const isSwedish = (id: string): boolean => {
  const day = pairAt(id, id.length - 6);
  // 60 is added to the day of a coordination number. Most numbers of so many digits have no month.
  const isDated = isDay(pairAt(id, id.length - 8), day > 60 ? day - 60 : day);
  return isDated && isLuhn(id.slice(-10));
};

const HETU_CHECKS = '0123456789ABCDEFHJKLMNPRSTUVWXY';
const isHetu = (id: string): boolean => {
  // The sign of the century is a hyphen, a plus, or a letter, and counts nothing.
  const number = id.slice(0, 6) + id.slice(-4, -1);
  return isDay(pairAt(id, 2), pairAt(id, 0)) && HETU_CHECKS.charAt(modulo(number, 31)) === id.slice(-1);
};

const isNorwegian = (id: string): boolean =>
  weighted(id, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
  weighted(id, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0 &&
  isDay(pairAt(id, 2) % 40, pairAt(id, 0) % 40);

const isDanish = (id: string): boolean => isDay(pairAt(id, 2), pairAt(id, 0));

/** Estonia and Lithuania: a second set of weights where the first leaves ten. */
const isBaltic = (id: string): boolean => {
  const first = weighted(id, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
  const second = weighted(id, [3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
  const check = first < 10 ? first : second < 10 ? second : 0;
  return Number(id.charAt(10)) === check && isDay(pairAt(id, 3), pairAt(id, 5));
};

/** Women's months have 50 more, and 20 more when a day's numbers were all given. */
const isBirthNumber = (id: string): boolean =>
  id.length === 10 && modulo(id, 11) === 0 && isDay((pairAt(id, 2) % 50) % 20, pairAt(id, 4));

const isCnp = (id: string): boolean => {
  const rest = weighted(id, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
  return Number(id.charAt(12)) === (rest === 10 ? 1 : rest) && isDay(pairAt(id, 3), pairAt(id, 5));
};

const isEgn = (id: string): boolean =>
  (weighted(id, [2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11) % 10 === Number(id.charAt(9)) &&
  isDay(pairAt(id, 2) % 20, pairAt(id, 4));

export const northEastEuropeanIds: readonly IdFormat[] = [
  { name: 'pl-pesel', shapes: '11', likely: /\d{11}/y, words: naming('pesel'), check: isPesel },
  {
    name: 'se-personnummer',
    shapes: '6s 8s 10 12',
    certain: /(?:19|20)?\d{6}[-+]\d{4}/y,
    likely: /(?:19|20)?\d{10}/y,
    words: naming('personnummer', 'person nummer', 'personnr', 'pnr', 'samordningsnummer'),
    check: isSwedish,
  },
  { name: 'fi-hetu', shapes: '6s 6l', certain: /\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]/y, check: isHetu },
  {
    name: 'no-fodselsnummer',
    shapes: '6s 11',
    certain: /\d{6} \d{5}/y,
    likely: /\d{11}/y,
    words: naming('fødselsnummer', 'fodselsnummer', 'personnummer', 'fnr'),
    check: isNorwegian,
  },
  {
    name: 'dk-cpr',
    shapes: '6s 10',
    likely: /\d{6}-?\d{4}/y,
    words: naming('cpr', 'personnummer', 'cpr nummer'),
    check: isDanish,
  },
  {
    name: 'ee-lt-personal-code',
    shapes: '11',
    likely: /[1-6]\d{10}/y,
    words: naming('isikukood', 'asmens kodas', 'personal code'),
    check: isBaltic,
  },
  { name: 'cz-sk-birth-number', shapes: '6s', certain: /\d{6}\/\d{4}/y, check: isBirthNumber },
  {
    name: 'ro-cnp',
    shapes: '13',
    likely: /[1-9]\d{12}/y,
    words: naming('cnp', 'cod numeric personal'),
    check: isCnp,
  },
  { name: 'bg-egn', shapes: '10', likely: /\d{10}/y, words: naming('egn', 'егн'), check: isEgn },
  { name: 'hr-oib', shapes: '11', likely: /\d{11}/y, words: naming('oib'), check: isMod11And10 },
  { name: 'gr-amka', shapes: '11', likely: /\d{11}/y, words: naming('amka', 'αμκα'), check: isLuhn },
];
