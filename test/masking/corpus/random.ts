/** Random values that are the same in every run, and texts made from templates. */

export type Draw = (below: number) => number;

/** Mulberry32. */
export function drawer(seed: number): Draw {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const UPPER = LOWER.toUpperCase();

/** By letter of a template. */
const ALPHABETS: Readonly<Record<string, string>> = {
  a: LOWER + UPPER + DIGITS,
  l: LOWER + UPPER,
  u: `${UPPER}${DIGITS}`,
  U: UPPER,
  s: LOWER + DIGITS,
  d: DIGITS,
  n: '123456789',
  h: `${DIGITS}abcdef`,
  b: `${LOWER}${UPPER}${DIGITS}+/`,
  w: `${LOWER}${UPPER}${DIGITS}-_`,
  2: `${UPPER}234567`,
  z: 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L',
};

export const pick = <T>(draw: Draw, list: readonly T[]): T => {
  const one = list[draw(list.length)];
  if (one === undefined) throw new Error('an empty list');
  return one;
};

export const characters = (draw: Draw, alphabet: string, count: number): string =>
  Array.from({ length: count }, () => pick(draw, Array.from(ALPHABETS[alphabet] ?? alphabet))).join('');

/** `{h:32}` is 32 characters of the alphabet `h`; `{x|y}` is one of both; `{uuid}` is one. */
export function fill(draw: Draw, template: string): string {
  return template.replaceAll(/\{([^{}]+)\}/g, (_, said: string) => {
    if (said === 'uuid') return fill(draw, '{h:8}-{h:4}-4{h:3}-a{h:3}-{h:12}');
    const repeated = /^(\w):(\d+)$/.exec(said);
    return repeated === null
      ? pick(draw, said.split('|'))
      : characters(draw, repeated[1] ?? 'a', Number(repeated[2]));
  });
}
