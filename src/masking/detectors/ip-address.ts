/** Addresses of the internet protocol. Those that say nothing of anybody (unspecified, loopback, broadcast) are left. */
import { isHex } from '../char-class.ts';
import type { DigitDetector, WordDetector } from '../detector.ts';
import { isCleanAfter, matchAt } from '../digit-run.ts';
import { addressFamily } from '../../wire/index.ts';

const V4 = /(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)/y;
const SAYS_NOTHING = /^(?:127\.|0\.0\.0\.0$|255\.255\.255\.)/;
/** A version of a product has four numbers as well. */
const VERSION_BEFORE =
  /(?:[A-Za-z]\/|\b(?:v|ver|version|release|build|revision|firmware|driver)[\s.:="'v]{0,4})$/i;
const VERSION_KEY = /version|release|build/i;
const BEFORE_CHARS = 16;

export const ipv4: DigitDetector = {
  name: 'ip-address',
  kind: 'personal',
  letters: 0,
  shapes: ['1s', '2s', '3s'],
  matchDigits: (place, { start }) => {
    const written = matchAt(V4, place, start);
    if (written === null || SAYS_NOTHING.test(written)) return null;
    const before = place.text.slice(Math.max(place.from, start - BEFORE_CHARS), start);
    const isVersion = VERSION_BEFORE.test(before) || VERSION_KEY.test(place.key);
    return isVersion ? null : { start, end: start + written.length };
  },
};

const V6 = /(?:[0-9A-Fa-f]{1,4}|:)(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?/y;
/** Fewer groups are a word of a program, or a time. */
const GROUPS_MIN = 3;

export const ipv6: WordDetector = {
  name: 'ip-address',
  kind: 'personal',
  isJoined: false,
  words: Array.from('0123456789abcdef:', (next) => `:${next}`),
  match: ({ text, from, to }, at) => {
    if (!hasColonNear(text, at + 1, to)) return null;
    let start = at;
    while (start > from && at - start < 5 && isHex(text.charCodeAt(start - 1))) start -= 1;
    if (start > from && /[\w:.-]/.test(text.charAt(start - 1))) return null;
    V6.lastIndex = start;
    const match = V6.exec(text);
    if (match === null || V6.lastIndex > to) return null;
    const address = match[0].replace(/(?<!:):$/, '');
    const groups = address.split(':').filter((group) => group !== '');
    if (!address.includes('::') && groups.length !== 8 && !address.includes('.')) return null;
    if (groups.length < GROUPS_MIN || !/\d/.test(address) || addressFamily(address) !== 6) return null;
    const stop = start + address.length;
    return isCleanAfter(text, stop, to) ? { start, end: stop } : null;
  },
};

/** A colon is followed by another, at most four digits on. */
function hasColonNear(text: string, at: number, to: number): boolean {
  const last = Math.min(to, at + 5);
  for (let next = at; next < last; next += 1) {
    if (text.charCodeAt(next) === 0x3a) return true;
    if (!isHex(text.charCodeAt(next))) return false;
  }
  return false;
}
