/**
 * Data of persons, none of whom there is, by detector. Numbers with check digits are completed by trying: the formulas here are
 * written from the standards, apart from those that are tested, and the published examples in `national.test.ts` hold both to them.
 */
import { characters, type Draw, fill, pick } from './random.ts';

const names = ['jane.doe', 'b.o-neil', 'max_muster', 'x', 'info+tag', 'anna.maria.schmidt', 'j99', "o'brien"];
const hosts = [
  'example.org',
  'mail.example.co.uk',
  'corp.example',
  'sub.dept.example.de',
  'example.museum',
  'xn--bcher-kva.example',
];

const digitSum = (product: number): number => (product > 9 ? product - 9 : product);

/** The digit that makes a number pass Luhn's check. */
function luhnDigit(digits: string): string {
  let sum = 0;
  for (const [index, digit] of Array.from(digits).toReversed().entries())
    sum += index % 2 === 0 ? digitSum(Number(digit) * 2) : Number(digit);
  return String((10 - (sum % 10)) % 10);
}

const cards = ['4{d:14}', '5{n:1}{d:13}', '22{d:1}', '37{d:12}', '6011{d:11}', '35{d:1}', '62{d:13}'];

function card(draw: Draw): string {
  const template = pick(draw, cards);
  const start =
    template === '22{d:1}'
      ? fill(draw, '23{d:13}')
      : template === '35{d:1}'
        ? fill(draw, '354{d:12}')
        : template.startsWith('5')
          ? fill(draw, '5{1|2|3|4|5}{d:13}')
          : fill(draw, template);
  const digits = start + luhnDigit(start);
  const separator = pick(draw, ['', '', ' ', '-']);
  return digits.length === 15
    ? [digits.slice(0, 4), digits.slice(4, 10), digits.slice(10)].join(separator)
    : (digits.match(/.{4}/g) ?? []).join(separator);
}

const accounts = [
  'DE{d:18}',
  'GB{U:4}{d:14}',
  'FR{d:10}{u:11}{d:2}',
  'NL{U:4}{d:10}',
  'ES{d:20}',
  'IT{U:1}{d:10}{u:12}',
  'CH{d:5}{u:12}',
  'PL{d:24}',
  'AT{d:16}',
  'BE{d:12}',
  'SE{d:20}',
];

function iban(draw: Draw): string {
  const made = fill(draw, pick(draw, accounts));
  const [country, rest] = [made.slice(0, 2), made.slice(2)];
  const number = Array.from(`${rest}${country}00`, (character) => Number.parseInt(character, 36)).join('');
  const check = String(98n - (BigInt(number) % 97n)).padStart(2, '0');
  const whole = country + check + rest;
  return draw(2) === 0 ? whole : (whole.match(/.{1,4}/g) ?? []).join(' ');
}

const phones = [
  '+1 {n:1}{d:2} 555 {d:4}',
  '+1{2|3|4|5}{d:2}555{d:4}',
  '({2|3|4}{d:2}) 555-{d:4}',
  '{2|3|4}{d:2}-555-{d:4}',
  '{2|3|4}{d:2}.555.{d:4}',
  '+44 20 7946 0{d:3}',
  '+44 (0)20 7946 0{d:3}',
  '+49 30 {n:1}{d:7}',
  '+49-171-{n:1}{d:6}',
  '+33 1 {d:2} {d:2} {d:2} {d:2}',
  '+91 {9|8|7}{d:4} {d:5}',
  '+86 138 {d:4} {d:4}',
  '+55 11 9{d:4}-{d:4}',
  '+81-3-{n:1}{d:3}-{d:4}',
  '+61 4{d:2} {d:3} {d:3}',
  'tel: 030 {n:1}{d:6}',
  'Phone 0{n:1}{d:8}',
  'mobile: 0171/{n:1}{d:6}',
  'call 415 555 {d:4}',
];

function withWord(draw: Draw, words: readonly string[], value: string): string {
  return `${pick(draw, words)}${pick(draw, [': ', ' ', '=', ' is '])}${value}`;
}

const day = (draw: Draw): string => String(draw(28) + 1).padStart(2, '0');
const month = (draw: Draw): string => String(draw(12) + 1).padStart(2, '0');
const year = (draw: Draw): string => String(draw(60) + 40);

/** Draws until a number passes: every formula below is that of the authority that gives the numbers. */
function passing(draw: Draw, make: (draw: Draw) => string, passes: (value: string) => boolean): string {
  for (;;) {
    const value = make(draw);
    if (passes(value)) return value;
  }
}

const sum = (value: string, weights: readonly number[]): number =>
  weights.reduce((total, weight, index) => total + weight * Number(value.charAt(index)), 0);

const luhn = (value: string): boolean => luhnDigit(value.slice(0, -1)) === value.slice(-1);

const dniLetters = 'TRWAGMYFPDXBNJZSQVHLCKE';

/** By detector: a text that says one. */
export const personal: Readonly<Record<string, (draw: Draw) => string>> = {
  email: (draw) => `${pick(draw, names)}@${pick(draw, hosts)}`,
  'payment-card': card,
  iban,
  phone: (draw) => fill(draw, pick(draw, phones)),
  'ip-address': (draw) =>
    draw(3) === 0
      ? fill(
          draw,
          pick(draw, [
            '2001:db8:{h:4}:{n:1}{h:3}:{h:4}:{h:4}:{h:4}:{h:4}',
            '2001:db8::{n:1}{h:3}:{h:2}',
            'fe80::{n:1}{h:3}:{n:1}ff:fe{h:2}:{h:4}',
          ]),
        )
      : [10 + draw(100), draw(256), draw(256), draw(256)].join('.'),
  'us-ssn': (draw) =>
    draw(2) === 0
      ? `${100 + draw(500)}-${10 + draw(89)}-${1000 + draw(8999)}`
      : withWord(
          draw,
          ['SSN', 'social security number'],
          `${100 + draw(500)}${10 + draw(89)}${1000 + draw(8999)}`,
        ),
  'us-itin': (draw) => fill(draw, '9{d:2}-{7|8}{1|2|3|4|5}-{d:4}'),
  'ca-sin': (draw) =>
    withWord(
      draw,
      ['SIN', 'social insurance'],
      passing(draw, (d) => fill(d, '{1|2|4|5|6|7}{d:8}'), luhn),
    ),
  'br-cpf': (draw) => {
    const start = fill(draw, '{d:8}{n:1}');
    const digit = (value: string): string => {
      const rest =
        (sum(
          value,
          Array.from(value, (_, index) => value.length + 1 - index),
        ) *
          10) %
        11;
      return String(rest % 10);
    };
    const first = start + digit(start);
    const id = first + digit(first);
    return draw(2) === 0
      ? id.replace(/(...)(...)(...)(..)/, '$1.$2.$3-$4')
      : withWord(draw, ['CPF', 'cpf_number'], id);
  },
  'de-steuer-id': (draw) =>
    passing(
      draw,
      (d) => {
        const left = Array.from('0123456789');
        let id = fill(d, '{n:1}');
        while (id.length < 10) id += left.splice(d(left.length), 1).join('');
        return withWord(d, ['Steuer-ID', 'steueridentifikationsnummer', 'tax_id'], id + fill(d, '{d:1}'));
      },
      (text) => {
        const id = text.slice(-11);
        const counts = Array.from('0123456789', (digit) => id.slice(0, 10).split(digit).length - 1);
        if (counts.filter((count) => count > 1).length !== 1 || Math.max(...counts) > 3) return false;
        let product = 10;
        for (const digit of id.slice(0, 10)) {
          const next = (Number(digit) + product) % 10;
          product = ((next === 0 ? 10 : next) * 2) % 11;
        }
        return (11 - product) % 10 === Number(id.slice(-1));
      },
    ),
  'fr-nir': (draw) => {
    const start = `${1 + draw(2)}${year(draw)}${month(draw)}${fill(draw, '{1|2|3|4|5|6|7}{n:1}{d:3}{d:3}')}`;
    const id = start + String(97n - (BigInt(start) % 97n)).padStart(2, '0');
    return draw(2) === 0 ? id : id.replace(/(.)(..)(..)(..)(...)(...)(..)/, '$1 $2 $3 $4 $5 $6 $7');
  },
  'es-dni': (draw) => {
    const digits = fill(draw, '{d:8}');
    return digits + pick(draw, ['', '-']) + dniLetters.charAt(Number(digits) % 23);
  },
  'es-nie': (draw) => {
    const digits = fill(draw, '{d:7}');
    const first = draw(3);
    return 'XYZ'.charAt(first) + digits + dniLetters.charAt(Number(`${first}${digits}`) % 23);
  },
  'uk-nino': (draw) =>
    fill(
      draw,
      pick(draw, [
        '{A|C|E|H|J|K|L|M}{A|B|C|E|G|H}{d:6}{A|B|C|D}',
        '{A|C|E|H|J}{A|B|C|E} {d:2} {d:2} {d:2} {A|B|C|D}',
      ]),
    ),
  'uk-nhs': (draw) =>
    withWord(
      draw,
      ['NHS number', 'NHS No'],
      passing(
        draw,
        (d) => fill(d, '{n:1}{d:9}'),
        (id) => sum(id, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
      ),
    ),
  'nl-bsn': (draw) =>
    withWord(
      draw,
      ['BSN', 'burgerservicenummer'],
      passing(
        draw,
        (d) => fill(d, '{n:1}{d:8}'),
        (id) => sum(id, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
      ),
    ),
  'be-national-number': (draw) => {
    const start = `${year(draw)}${month(draw)}${day(draw)}${fill(draw, '{d:3}')}`;
    const id = start + String(97 - (Number(start) % 97)).padStart(2, '0');
    return id.replace(/(..)(..)(..)(...)(..)/, '$1.$2.$3-$4.$5');
  },
  'ch-ahv': (draw) => {
    const start = `756${fill(draw, '{d:9}')}`;
    const check = (10 - (sum(start, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10)) % 10;
    return `${start}${check}`.replace(/(...)(....)(....)(..)/, '$1.$2.$3.$4');
  },
  'pl-pesel': (draw) =>
    withWord(
      draw,
      ['PESEL', 'pesel_number'],
      passing(
        draw,
        (d) => `${year(d)}${month(d)}${day(d)}${fill(d, '{d:5}')}`,
        (id) => sum(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0,
      ),
    ),
  'se-personnummer': (draw) => {
    const start = `${year(draw)}${month(draw)}${day(draw)}${fill(draw, '{d:3}')}`;
    return `${start.slice(0, 6)}-${start.slice(6)}${luhnDigit(start)}`;
  },
  'fi-hetu': (draw) => {
    const start = `${day(draw)}${month(draw)}${year(draw)}`;
    const serial = fill(draw, '{1|2|3|4}{d:2}');
    return `${start}-${serial}${'0123456789ABCDEFHJKLMNPRSTUVWXY'.charAt(Number(start + serial) % 31)}`;
  },
  'no-fodselsnummer': (draw) =>
    withWord(
      draw,
      ['fødselsnummer', 'fnr'],
      passing(
        draw,
        (d) => `${day(d)}${month(d)}${year(d)}${fill(d, '{d:5}')}`,
        (id) =>
          sum(id, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
          sum(id, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
      ),
    ),
  'dk-cpr': (draw) =>
    withWord(draw, ['CPR', 'cpr-nummer'], `${day(draw)}${month(draw)}${year(draw)}-${fill(draw, '{d:4}')}`),
  'in-pan': (draw) => fill(draw, '{U:3}P{U:1}{d:4}{U:1}'),
  'kr-rrn': (draw) => `${year(draw)}${month(draw)}${day(draw)}-${fill(draw, '{1|2}{d:6}')}`,
  'cn-resident-id': (draw) => {
    const start = `11010519${year(draw)}${month(draw)}${day(draw)}${fill(draw, '{d:3}')}`;
    return (
      start + '10X98765432'.charAt(sum(start, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11)
    );
  },
  'za-id': (draw) =>
    withWord(
      draw,
      ['RSA ID', 'South African ID'],
      passing(draw, (d) => `${year(d)}${month(d)}${day(d)}${fill(d, '{d:4}08')}${d(10)}`, luhn),
    ),
};

export const secretTexts: Readonly<Record<string, (draw: Draw) => string>> = {
  'private-key': (draw) => {
    const kind = pick(draw, ['', 'RSA ', 'EC ', 'OPENSSH ', 'ENCRYPTED ']);
    const lines = Array.from({ length: 4 }, () => characters(draw, 'b', 64));
    const [first, last] = ['BEGIN', 'END'].map(
      (word) => `-----${word} ${kind}${['PRIVATE', 'KEY'].join(' ')}-----`,
    );
    return [first, ...lines, ...(draw(4) === 0 ? [] : [last])].join(
      pick(draw, ['\n', '\\n', '\r\n', '\n> ']),
    );
  },
  'putty-private-key': (draw) =>
    `Public-Lines: 2\n${characters(draw, 'b', 64)}\nPrivate-Lines: 2\n${characters(draw, 'b', 64)}\n${characters(draw, 'b', 40)}`,
  'json-web-token': (draw) => {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    return [
      part({ alg: 'RS256', typ: 'JWT' }),
      part({ sub: characters(draw, 's', 8), exp: 1_900_000_000 }),
      characters(draw, 'w', 86),
    ].join('.');
  },
  'url-password': (draw) =>
    `${pick(draw, ['postgres', 'redis', 'https', 'mongodb+srv'])}://svc:${characters(draw, 'a', 14)}@db.example.net:5432/app`,
  authorization: (draw) =>
    draw(2) === 0
      ? `Authorization: Bearer ${characters(draw, 'a', 40)}`
      : `Authorization: Basic ${Buffer.from(`user:${characters(draw, 'a', 12)}`).toString('base64')}`,
  'named-secret': (draw) =>
    fill(
      draw,
      pick(draw, [
        'API_KEY={a:32}',
        'client_secret: "{a:40}"',
        'DB_PASSWORD=Tr0ub{a:6}!',
        '"accessToken": "{a:36}"',
        "private_key => '{b:40}'",
        'AWS_SECRET_ACCESS_KEY={b:40}',
        'auth_token = {h:40}',
        '--api-key={a:24}',
        'signingKey: {b:44}',
        'dd_api_key={h:32}',
        'MASTER_KEY={h:32}',
        '<password>: P@ss{a:8}',
      ]),
    ),
};
