/**
 * Reading typed values out of a tree. Every reader reports what it refuses and returns undefined, so that a
 * caller can go on and find the next mistake.
 */
import { characterName, forbiddenCharacter, type ListNode, type MapNode, type Node } from './tree.ts';
import type { Complaint, Position, Report } from './report.ts';

/** A value and the path that leads to it. */
export interface Cursor {
  readonly node: Node;
  readonly path: string;
}

/** A map of which every key is known. */
export interface Fields {
  readonly at: Position;
  readonly path: string;
  get(key: string): Cursor | undefined;
  /** Where the key itself stands; the map's place when it is absent. */
  keyAt(key: string): Position;
  /** Like `get`, but an absent key is an error. */
  need(key: string, expected: string): Cursor | undefined;
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

/** A map with no other keys than `known`. */
export function readFields(cursor: Cursor, known: readonly string[], report: Report): Fields | undefined {
  const { node, path } = cursor;
  if (node.kind !== 'map') return wrongType(cursor, `a map with the keys ${known.join(', ')}`, report);
  for (const [key, entry] of node.entries) {
    if (known.includes(key)) continue;
    if (report.full) break;
    const near = nearest(key, known);
    report.error(entry.keyAt, join(path, key), {
      code: 'manifest_unknown_key',
      message: `the key ${JSON.stringify(key)} is unknown${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`,
      expected: `one of ${known.join(', ')}`,
    });
  }
  return fieldsOf(node, path, report);
}

function fieldsOf(node: MapNode, path: string, report: Report): Fields {
  const get = (key: string): Cursor | undefined => {
    const entry = node.entries.get(key);
    return entry === undefined ? undefined : { node: entry.value, path: join(path, key) };
  };
  return {
    at: node.at,
    path,
    get,
    keyAt: (key) => node.entries.get(key)?.keyAt ?? node.at,
    need(key, expected) {
      const found = get(key);
      if (found !== undefined) return found;
      report.error(node.at, join(path, key), {
        code: 'manifest_missing_key',
        message: `the key ${JSON.stringify(key)} is missing`,
        expected,
      });
      return undefined;
    },
  };
}

/** A map with free keys, in the order of the text. */
export function readEntries(
  cursor: Cursor,
  expected: string,
  report: Report,
): readonly { key: string; keyAt: Position; value: Cursor }[] | undefined {
  const { node, path } = cursor;
  if (node.kind !== 'map') return wrongType(cursor, expected, report);
  return [...node.entries].map(([key, entry]) => ({
    key,
    keyAt: entry.keyAt,
    value: { node: entry.value, path: join(path, key) },
  }));
}

/** A string. A bare number or boolean is refused, because what was meant may not be what was read (1.10, 0x10). */
export function readText(cursor: Cursor | undefined, expected: string, report: Report): string | undefined {
  if (cursor === undefined) return undefined;
  const { node } = cursor;
  if (node.kind === 'scalar' && typeof node.value === 'string') {
    const forbidden = forbiddenCharacter(node.value);
    if (forbidden === null) return node.value;
    const message = `the text holds the character ${characterName(forbidden[0])}`;
    return refuse(cursor, { code: 'manifest_control_character', message, expected }, report);
  }
  if (node.kind === 'scalar' && node.value !== null && node.plain !== undefined) {
    return wrongType(cursor, `${expected}; in quotes: ${JSON.stringify(node.plain)}`, report);
  }
  return wrongType(cursor, expected, report);
}

/** A whole number within bounds, both included. */
export function readInteger(
  cursor: Cursor | undefined,
  bounds: { min: number; max: number },
  report: Report,
): number | undefined {
  if (cursor === undefined) return undefined;
  const expected = `a whole number from ${bounds.min} to ${bounds.max}`;
  const { node } = cursor;
  if (node.kind !== 'scalar' || typeof node.value !== 'number') return wrongType(cursor, expected, report);
  if (Number.isSafeInteger(node.value) && node.value >= bounds.min && node.value <= bounds.max)
    return node.value;
  return refuse(
    cursor,
    { code: 'manifest_number_out_of_range', message: `${node.value} is not possible here`, expected },
    report,
  );
}

/** A number with at most one decimal. */
export function readTenths(
  cursor: Cursor | undefined,
  bounds: { min: number; max: number },
  report: Report,
): number | undefined {
  if (cursor === undefined) return undefined;
  const expected = `a number from ${bounds.min} to ${bounds.max} with at most one decimal`;
  const { node } = cursor;
  if (node.kind !== 'scalar' || typeof node.value !== 'number') return wrongType(cursor, expected, report);
  const { value } = node;
  if (value >= bounds.min && value <= bounds.max && Math.round(value * 10) / 10 === value) return value;
  return refuse(
    cursor,
    { code: 'manifest_number_out_of_range', message: `${value} is not possible here`, expected },
    report,
  );
}

export function readFlag(cursor: Cursor | undefined, report: Report): boolean | undefined {
  if (cursor === undefined) return undefined;
  const { node } = cursor;
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
  return wrongType(cursor, 'true or false', report);
}

/** One of a few words. */
export function readChoice<Word extends string>(
  cursor: Cursor | undefined,
  words: readonly Word[],
  report: Report,
): Word | undefined {
  const expected = words.length === 1 ? words.join() : `one of ${words.join(', ')}`;
  const text = readText(cursor, expected, report);
  if (cursor === undefined || text === undefined) return undefined;
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  const near = nearest(text, words);
  const message = `${JSON.stringify(text)} is not a choice here${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`;
  return refuse(cursor, { code: 'manifest_unknown_choice', message, expected }, report);
}

/** The items of a list. */
export function readList(
  cursor: Cursor | undefined,
  expected: string,
  report: Report,
): readonly Cursor[] | undefined {
  if (cursor === undefined) return undefined;
  const { node, path } = cursor;
  if (node.kind !== 'list') return wrongType(cursor, expected, report);
  return itemsOf(node, path);
}

export const itemsOf = (node: ListNode, path: string): readonly Cursor[] =>
  node.items.map((item, index) => ({ node: item, path: `${path}[${index}]` }));

/**
 * A list of which every item was read; undefined when one was not.
 *
 * @param read reads one item, having reported what is wrong when it returns undefined
 */
export function readEach<T>(
  cursors: readonly Cursor[] | undefined,
  read: (cursor: Cursor) => T | undefined,
): readonly T[] | undefined {
  if (cursors === undefined) return undefined;
  const values: T[] = [];
  for (const cursor of cursors) {
    const value = read(cursor);
    if (value !== undefined) values.push(value);
  }
  return values.length === cursors.length ? values : undefined;
}

/** Reports a broken rule at a value. Returns undefined for the caller to return in turn. */
export function refuse(cursor: Cursor, complaint: Complaint, report: Report): undefined {
  report.error(cursor.node.at, cursor.path, complaint);
  return undefined;
}

function wrongType(cursor: Cursor, expected: string, report: Report): undefined {
  return refuse(
    cursor,
    { code: 'manifest_wrong_type', message: `this is ${nameOf(cursor.node)}`, expected },
    report,
  );
}

function nameOf(node: Node): string {
  if (node.kind === 'map') return 'a map';
  if (node.kind === 'list') return 'a list';
  if (node.value === null) return 'empty';
  if (typeof node.value === 'string') return 'text';
  return typeof node.value === 'number' ? `the number ${node.value}` : `the boolean ${node.value}`;
}

/** Longest word that is worth comparing; keys and choices are shorter. */
const WORD_CHARS_MAX = 40;

/** The candidate that differs by case, or by few enough letters to be what was meant. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > WORD_CHARS_MAX) return undefined;
  const lower = word.toLowerCase();
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(lower, candidate.toLowerCase());
    if (
      distance <= Math.max(1, Math.floor(candidate.length / 3)) &&
      distance < (best?.distance ?? Infinity)
    ) {
      best = { candidate, distance };
    }
  }
  return best?.candidate;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
