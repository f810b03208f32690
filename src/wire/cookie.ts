/** The pairs of a Cookie header (RFC 6265 section 4.2.1), where every server finds the same ones in it. */

export interface CookiePair {
  readonly name: string;
  readonly value: string;
  /** Where the value stands in the header's value. */
  readonly start: number;
}

const PAIR = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(.*)$/;
/** Some servers take a quoted value as one, whatever stands in it; others end it at a semicolon. */
const PLAIN = /^(?:[^"]*|"[^"\\]*")$/;

/** The pairs in their order; null when one of them could be read in two ways. */
export function parseCookiePairs(header: string): readonly CookiePair[] | null {
  const pairs: CookiePair[] = [];
  let at = 0;
  for (const part of header.split(';')) {
    const [from, to] = withoutBlanks(part);
    const [, name, value = ''] = PAIR.exec(part.slice(from, to)) ?? [];
    if (name === undefined || !PLAIN.test(value)) return null;
    pairs.push({ name, value, start: at + from + name.length + 1 });
    at += part.length + 1;
  }
  return pairs;
}

/** Where what is neither space nor tab begins and ends; `trim` takes a third character of Latin-1, as few servers do. */
function withoutBlanks(text: string): readonly [from: number, to: number] {
  let [from, to] = [0, text.length];
  while (from < to && isBlank(text[from])) from += 1;
  while (to > from && isBlank(text[to - 1])) to -= 1;
  return [from, to];
}

const isBlank = (character: string | undefined): boolean => character === ' ' || character === '\t';

/** What a cookie's value may be made of (RFC 6265 section 4.1.1: cookie-octet). */
export const isCookieValue = (value: string): boolean =>
  /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/.test(value);
