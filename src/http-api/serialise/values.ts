/** Values of arguments as single texts, and as the pairs that their style makes of them. Pure. */
import type { Json } from '../../kernel/index.ts';
import { jsonItems, jsonMembers } from '../../wire/index.ts';
import { isList, isObject } from '../json-values.ts';
import type { Style } from '../plan.ts';

/** An argument: what it says, and how it was written, which is exact for numbers of any size. */
export interface Argument {
  readonly value: Json;
  readonly text: string;
}

/** One text for a value that is not taken apart any further. */
export function textOf({ value, text }: Argument): string {
  if (typeof value === 'string') return value;
  // 1.0 is a whole number; what no double holds exactly stays as it was written.
  if (typeof value === 'number') return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? String(value) : text;
  return text;
}

/** As they were written: a number inside of a list is as exact as one outside. */
const itemsOf = ({ value, text }: Argument): readonly Argument[] => {
  const spans = jsonItems(text);
  return isList(value) ? value.map((item, index) => ({ value: item, text: slice(text, spans[index]) })) : [];
};

/** The members of a map, in the order in which they were written. */
export const membersOf = ({ value, text }: Argument): readonly (readonly [string, Argument])[] =>
  isObject(value)
    ? jsonMembers(text).map((span) => [span.key, { value: value[span.key] ?? null, text: slice(text, span) }])
    : [];

const slice = (text: string, span: { start: number; end: number } | undefined): string =>
  span === undefined ? '' : text.slice(span.start, span.end);

/** How a style writes lists and maps in one text. */
interface Joined {
  readonly style: Style;
  readonly explode: boolean;
  /** Applied to each part before it is joined. */
  readonly encode: (text: string) => string;
}

const DELIMITERS: Readonly<Record<string, string>> = {
  spaceDelimited: '%20',
  pipeDelimited: '%7C',
};

/** One text, for places that take one: a path segment, a header. */
export function joined(argument: Argument, { style, explode, encode }: Joined): string {
  const { value } = argument;
  if (style === 'json') return encode(argument.text);
  const inner = (one: Argument): string => encode(textOf(one));
  const between = style === 'label' && explode ? '.' : ',';
  const before = style === 'label' ? '.' : '';
  if (isList(value)) return before + itemsOf(argument).map(inner).join(between);
  if (!isObject(value)) return before + inner(argument);
  const members = membersOf(argument).map(
    ([key, member]) => `${encode(key)}${explode ? '=' : between}${inner(member)}`,
  );
  return before + members.join(between);
}

/** A name and a value, both encoded already. */
export type Pair = readonly [name: string, value: string];

/**
 * What a value is in a query, a form or a cookie: one pair, several, or none for an empty list.
 *
 * @param name not encoded
 */
export function pairs(name: string, argument: Argument, { style, explode, encode }: Joined): Pair[] {
  const { value } = argument;
  const key = encode(name);
  if (style === 'json') return [[key, encode(argument.text)]];
  if (style === 'deepObject') return deep(key, argument, encode);
  const delimiter = DELIMITERS[style] ?? ',';
  if (isList(value)) {
    if (value.length === 0) return [];
    const items = itemsOf(argument).map((item) => encode(textOf(item)));
    return explode ? items.map((item) => [key, item]) : [[key, items.join(delimiter)]];
  }
  if (isObject(value)) {
    const members = membersOf(argument).map(([member, one]): Pair => [encode(member), encode(textOf(one))]);
    if (members.length === 0) return [];
    return explode ? members : [[key, members.flat().join(delimiter)]];
  }
  return [[key, encode(textOf(argument))]];
}

/** `filter[a][b]=1`, `ids[]=1`, `items[0][price]=5`: what the frameworks that know brackets agree on. */
function deep(key: string, argument: Argument, encode: (text: string) => string): Pair[] {
  const { value } = argument;
  if (isList(value)) {
    const isFlat = value.every((item) => typeof item !== 'object' || item === null);
    return itemsOf(argument).flatMap((item, index) =>
      deep(`${key}%5B${isFlat ? '' : index}%5D`, item, encode),
    );
  }
  if (isObject(value)) {
    return membersOf(argument).flatMap(([member, one]) => deep(`${key}%5B${encode(member)}%5D`, one, encode));
  }
  return [[key, encode(textOf(argument))]];
}
