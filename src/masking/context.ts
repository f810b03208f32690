/** Words near a number that say what it is. Many numbers have a check digit that one in ten passes by accident. */
import { limits } from '../kernel/index.ts';
import type { Place } from './place.ts';

/** Words that say what a number is. */
export interface Words {
  readonly pattern: RegExp;
  /** Keys of JSON that were asked about. */
  readonly keys: Map<string, boolean>;
}

/**
 * Words however names write them: `social security`, `social_security`, `socialSecurity`, `SOCIAL-SECURITY`.
 *
 * @param words in lower case; several of them apart by a space
 */
export function naming(...words: readonly string[]): Words {
  const forms = (transform: (word: string) => string): string =>
    words.map((word) => word.split(' ').map(transform).join('[ _.-]?')).join('|');
  const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
  const all = [forms((word) => word), forms(capital), forms((word) => word.toUpperCase())].join('|');
  const camel = words
    .map((word) =>
      word
        .split(' ')
        .map((part, index) => (index === 0 ? part : capital(part)))
        .join(''),
    )
    .join('|');
  const pattern = `(?:(?<!\\p{L})(?:${all}|${camel})|(?<=\\p{Ll})(?:${forms(capital)}))(?!\\p{Ll})`;
  return { pattern: new RegExp(pattern, 'u'), keys: new Map() };
}

/** Whether a word stands in the key of the value, or shortly before it in its text. */
export function isNear({ text, from, key }: Place, at: number, words: Words): boolean {
  if (key !== '' && isNaming(key, words)) return true;
  return at > from && words.pattern.test(text.slice(Math.max(from, at - limits.maskingContextChars), at));
}

/** Nothing stands before a number that could say what it is, and its key says nothing. */
export const isUnnamed = ({ from, key }: Place, start: number, words: Words): boolean =>
  start === from && (key === '' || !isNaming(key, words));

/** The same keys come again and again. */
export function isNaming(key: string, { pattern, keys }: Words): boolean {
  const known = keys.get(key);
  if (known !== undefined) return known;
  if (keys.size >= limits.maskingContextKeysKept) keys.clear();
  const answer = pattern.test(key);
  keys.set(key, answer);
  return answer;
}
