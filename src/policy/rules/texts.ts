/** What conditions find in texts of arguments: all of them at any depth, words, numbers. Each reads a text once. */
import { charge, Unjudged } from './meter.ts';
import type { Value } from './hostile-values.ts';

/** By the value that they are in: many rules ask for those of the same arguments. */
const known = new WeakMap<object, readonly string[]>();

/** Every text in a value, at any depth; not the names of fields. */
export function textsOf(value: unknown): readonly string[] {
  if (!(value instanceof Map)) return collected(value);
  const found = known.get(value) ?? collected(value);
  known.set(value, found);
  return found;
}

function collected(value: unknown): readonly string[] {
  const found: string[] = [];
  const open: unknown[] = [value];
  for (let next = open.pop(); next !== undefined || open.length > 0; next = open.pop()) {
    charge(typeof next === 'string' ? next.length : 0);
    if (typeof next === 'string') found.push(next);
    else if (Array.isArray(next)) open.push(...childrenOf(next));
    else if (next instanceof Map) open.push(...childrenOf(next.values()));
  }
  return found;
}

function* childrenOf(values: Iterable<unknown>): Generator {
  yield* values;
}

/** The value at `message.to`, a number standing for a place in a list; null where there is none. */
export function valueAt(value: unknown, path: string): Value {
  let at: unknown = value;
  for (const step of path.split('.')) {
    if (at instanceof Map) at = at.get(step);
    else if (Array.isArray(at)) at = at[Number(step)];
    else return null;
  }
  return isValue(at) ? at : null;
}

const isValue = (value: unknown): value is Value => value !== undefined;

/** As few spellings of the same words as can be: compatibility forms, letter case, and characters that nobody sees. */
export function folded(text: string): string {
  charge(text.length);
  return text.normalize('NFKC').toLowerCase().replaceAll(UNSEEN, '');
}

const UNSEEN = /\p{Default_Ignorable_Code_Point}/gu;
const ENDS_IN_WORD = /[\p{L}\p{N}\p{M}_]$/u;
const BEGINS_WITH_WORD = /^[\p{L}\p{N}\p{M}_]/u;

/** Whether a text in a value holds one of the words: as a word of its own, however it is written. */
export function mentions(value: unknown, words: readonly unknown[]): boolean {
  const wanted = words.filter((word) => typeof word === 'string').map(folded);
  return textsOf(value).some((text) => {
    const plain = folded(text);
    return wanted.some((word) => holdsWord(plain, word));
  });
}

function holdsWord(text: string, word: string): boolean {
  charge(text.length);
  for (let at = text.indexOf(word); at >= 0 && word !== ''; at = text.indexOf(word, at + 1)) {
    const before = text.slice(Math.max(0, at - 2), at).toWellFormed();
    const after = text.slice(at + word.length, at + word.length + 2).toWellFormed();
    if (!ENDS_IN_WORD.test(before) && !BEGINS_WITH_WORD.test(after)) return true;
  }
  return false;
}

/** Characters of all texts in a value. */
export const charactersOf = (value: unknown): bigint =>
  BigInt(textsOf(value).reduce((sum, text) => sum + text.length, 0));

const PLAIN_NUMBER = /^[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?$/;
const GROUPED_NUMBER = /^[+-]?[0-9]{1,3}(?:[,_' ][0-9]{3}){1,10}(?:\.[0-9]{1,30})?$/;

/** A number, or a text that is one: `1000`, `1,000.50`. @throws Unjudged for anything else */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  const text = typeof value === 'string' ? value.slice(0, 100).trim() : '';
  if (PLAIN_NUMBER.test(text)) return Number(text);
  if (GROUPED_NUMBER.test(text)) return Number(text.replaceAll(/[,_' ]/g, ''));
  throw new Unjudged('this is no number');
}
