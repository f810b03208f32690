/**
 * Replacing and adding values in a JSON text, on top of `wire`'s way of finding them: what is not named keeps
 * its bytes. Unknown fields, number precision and key order survive, because nothing is parsed and printed again.
 *
 * Trusts that the text is valid JSON (checked by whoever received it). Must never be used on unchecked text.
 */
import { type JsonSpan, jsonItems, jsonMembers } from '../../wire/index.ts';
import { foldedName, isPlainName } from './member-names.ts';

export type Span = JsonSpan;

/** A replacement of one range. */
export interface Edit extends Span {
  readonly text: string;
}

/** Members of an object by name, each with the range of its value. */
export type Members = ReadonlyMap<string, Span>;

/**
 * The members of the object that starts at `at`.
 *
 * @returns null when it is not an object, or names a member twice, in whatever case: which one counts would be
 *   anybody's guess
 */
export function membersOf(text: string, at = 0): Members | null {
  if (text[at] !== '{') return null;
  const members = new Map<string, Span>();
  let count = 0;
  let isPlain = true;
  for (const member of jsonMembers(text, { start: at, end: text.length })) {
    members.set(member.key, member);
    count += 1;
    isPlain &&= isPlainName(member.key);
  }
  if (members.size < count) return null;
  return isPlain || new Set([...members.keys()].map(foldedName)).size === count ? members : null;
}

/** The elements of the array at `span`; null when it is not an array. */
export const elementsOf = (text: string, span: Span): readonly Span[] | null =>
  text[span.start] === '[' ? jsonItems(text, span) : null;

export const slice = (text: string, span: Span): string => text.slice(span.start, span.end);

/** The value at a path of member names below the value at `at`; null where the path ends early. */
export function find(text: string, at: number, path: readonly string[]): Span | null {
  let span: Span | null = { start: at, end: at };
  for (const name of path) {
    span = membersOf(text, span.start)?.get(name) ?? null;
    if (span === null) return null;
  }
  return span;
}

/** The string at a span, decoded; null when it is not a string. */
export function stringAt(text: string, span: Span | null | undefined): string | null {
  if (span === null || span === undefined || text[span.start] !== '"') return null;
  const literal = slice(text, span);
  return literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1);
}

/** The text with ranges replaced. The ranges must not overlap; their order does not matter. */
export function splice(text: string, edits: readonly Edit[]): string {
  const ordered = edits.length > 1 ? edits.toSorted((a, b) => a.start - b.start) : edits;
  let result = '';
  let from = 0;
  for (const edit of ordered) {
    result += text.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return result + text.slice(from);
}

/** What follows the brace of an object that has no members. */
const NO_MEMBERS = /[\t\n\r ]*\}/y;

/** An edit that adds members to the object that starts at `at`, before its first one. */
export function insertMembers(text: string, at: number, members: string): Edit {
  NO_MEMBERS.lastIndex = at + 1;
  return { start: at + 1, end: at + 1, text: NO_MEMBERS.test(text) ? members : `${members},` };
}

/** An edit that leaves only some elements of an array, as they are. */
export const keepElements = (array: Span, kept: readonly string[]): Edit => ({
  start: array.start,
  end: array.end,
  text: `[${kept.join(',')}]`,
});

/**
 * An object of only some members of another, which keep the bytes of their values.
 *
 * @param isKept told the name and the value, a JSON text
 */
export function keepMembers(
  text: string,
  members: Members,
  isKept: (name: string, value: string) => boolean,
): string {
  const kept: string[] = [];
  for (const [name, span] of members) {
    const value = slice(text, span);
    if (isKept(name, value)) kept.push(`${JSON.stringify(name)}:${value}`);
  }
  return `{${kept.join(',')}}`;
}

/** An object without one of its members. */
export const withoutMember = (text: string, name: string): string =>
  keepMembers(text, membersOf(text) ?? NOTHING, (key) => key !== name);

const NOTHING: Members = new Map();
