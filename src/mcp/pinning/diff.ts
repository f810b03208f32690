/**
 * What differs between two definitions, member by member in the order of their names, in words that a person can read: long texts are shown around
 * their first difference, and characters that do not show themselves are written out. Pure.
 */
import { limits } from '../../kernel/index.ts';
import { canonicalJson, jsonItems, jsonMembers, type JsonSpan } from '../../wire/index.ts';
import { madeVisible } from './deceptive-characters.ts';

export interface DefinitionChange {
  /** `inputSchema.properties.to.description`; empty for the whole. */
  readonly place: string;
  /** Null: it was not there. */
  readonly before: string | null;
  /** Null: it is not there any more. */
  readonly after: string | null;
}

/** @returns the first `definitionChangesMax` of them */
export function definitionDiff(before: string, after: string): readonly DefinitionChange[] {
  const changes: DefinitionChange[] = [];
  // Each is written in the one way first: where parts of them say the same, they are the same text.
  const [old, fresh] = [canonicalJson(before), canonicalJson(after)];
  compare({ text: old, span: whole(old) }, { text: fresh, span: whole(fresh) }, '', changes);
  return changes.slice(0, limits.definitionChangesMax);
}

interface Value {
  readonly text: string;
  readonly span: JsonSpan;
}

const whole = (text: string): JsonSpan => ({ start: 0, end: text.length });

const textOf = ({ text, span }: Value): string => text.slice(span.start, span.end);

function compare(before: Value, after: Value, place: string, changes: DefinitionChange[]): void {
  const [old, fresh] = [textOf(before), textOf(after)];
  if (old === fresh || changes.length >= limits.definitionChangesMax) return;
  const [left, right] = [partsOf(before), partsOf(after)];
  if (left === null || right === null) {
    changes.push({ place, ...around(shown(old), shown(fresh)) });
    return;
  }
  const listed = changes.length;
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const [one, other] = [left.get(name), right.get(name)];
    const below = place === '' ? madeVisible(name) : `${place}.${madeVisible(name)}`;
    if (one !== undefined && other !== undefined) compare(one, other, below, changes);
    else changes.push({ place: below, before: written(one), after: written(other) });
  }
  // A member that is named twice: as a map both are the same.
  if (changes.length === listed) changes.push({ place, ...around(shown(old), shown(fresh)) });
}

/** Members by name, or items by position; null for what has no parts. */
function partsOf({ text, span }: Value): ReadonlyMap<string, Value> | null {
  if (text[span.start] === '{') {
    return new Map(jsonMembers(text, span).map((member) => [member.key, { text, span: member }]));
  }
  if (text[span.start] !== '[') return null;
  return new Map(jsonItems(text, span).map((item, index) => [String(index), { text, span: item }]));
}

const written = (value: Value | undefined): string | null =>
  value === undefined ? null : cut(shown(textOf(value)));

const shown = (canonical: string): string =>
  madeVisible(canonical.startsWith('"') ? String(JSON.parse(canonical)) : canonical);

const cut = (text: string): string =>
  text.length <= limits.definitionShownCharsMax ? text : `${text.slice(0, limits.definitionShownCharsMax)}…`;

/** Both texts from shortly before their first difference. */
function around(before: string, after: string): { readonly before: string; readonly after: string } {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same += 1;
  const from = Math.max(0, same - limits.definitionContextChars);
  const part = (text: string): string => (from === 0 ? cut(text) : `…${cut(text.slice(from))}`);
  return { before: part(before), after: part(after) };
}
