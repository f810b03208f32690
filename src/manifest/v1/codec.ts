/**
 * Version 1 is defined by the structures of its reference tool: fields have an order, zero values, and a rule
 * whether an empty one is written. A codec is one such structure: it reads it from a tree, and writes the JSON
 * that the hash is taken over.
 */
import { type Cursor, itemsOf, readFields, refuse } from '../fields.ts';
import type { Report } from '../report.ts';
import { plainText, resolvePlain } from './plain-scalar.ts';

export interface Codec<T> {
  /** What an absent or null field holds. */
  readonly zero: T;
  /** Undefined after reporting that the value has the wrong type. */
  read(cursor: Cursor, report: Report): T | undefined;
  /** Its JSON, as the reference tool writes it. */
  json(value: T): string;
  /** Whether a field that leaves out empty values would leave it out. Structures never are. */
  isEmpty(value: T): boolean;
}

/** Whether a null stands here, which leaves any field at its zero value. */
const isNull = ({ node }: Cursor): boolean => node.kind === 'scalar' && node.value === null;

const wrongType = (cursor: Cursor, expected: string, report: Report): undefined =>
  refuse(cursor, { code: 'manifest_wrong_type', message: 'the value has another type', expected }, report);

export const text: Codec<string> = {
  zero: '',
  read(cursor, report) {
    const { node } = cursor;
    if (node.kind !== 'scalar') return wrongType(cursor, 'text', report);
    if (node.plain !== undefined) return plainText(resolvePlain(node.plain)) ?? '';
    return typeof node.value === 'string' ? node.value : wrongType(cursor, 'text', report);
  },
  json: jsonText,
  isEmpty: (value) => value === '',
};

export const integer: Codec<number> = {
  zero: 0,
  read(cursor, report) {
    if (isNull(cursor)) return 0;
    const { node } = cursor;
    const found = node.kind === 'scalar' && node.plain !== undefined ? resolvePlain(node.plain) : undefined;
    const value = found?.kind === 'integer' || found?.kind === 'float' ? Number(found.value) : undefined;
    return value !== undefined && Number.isSafeInteger(value)
      ? value
      : wrongType(cursor, 'a whole number', report);
  },
  json: (value) => String(value === 0 ? 0 : value),
  isEmpty: (value) => value === 0,
};

export const flag: Codec<boolean> = {
  zero: false,
  read(cursor, report) {
    if (isNull(cursor)) return false;
    const { node } = cursor;
    return node.kind === 'scalar' && typeof node.value === 'boolean'
      ? node.value
      : wrongType(cursor, 'true or false', report);
  },
  json: String,
  isEmpty: (value) => !value,
};

export function list<T>(item: Codec<T>): Codec<readonly T[]> {
  return {
    zero: [],
    read(cursor, report) {
      if (isNull(cursor)) return [];
      if (cursor.node.kind !== 'list') return wrongType(cursor, 'a list', report);
      const values: T[] = [];
      for (const itemAt of itemsOf(cursor.node, cursor.path)) {
        const value = isNull(itemAt) ? item.zero : item.read(itemAt, report);
        if (value !== undefined) values.push(value);
      }
      return values.length === cursor.node.items.length ? values : undefined;
    },
    json: (values) => `[${values.map((value) => item.json(value)).join(',')}]`,
    isEmpty: (values) => values.length === 0,
  };
}

/** A structure that may be missing altogether, which is not the same as being there with nothing in it. */
export function nullable<T>(inner: Codec<T>): Codec<T | null> {
  return {
    zero: null,
    read: (cursor, report) => (isNull(cursor) ? null : inner.read(cursor, report)),
    json: (value) => (value === null ? 'null' : inner.json(value)),
    isEmpty: (value) => value === null,
  };
}

/** A field of a structure; `omitEmpty` leaves an empty value out of the JSON. */
export interface Field<T> {
  readonly codec: Codec<T>;
  readonly omitEmpty: boolean;
}

export const always = <T>(codec: Codec<T>): Field<T> => ({ codec, omitEmpty: false });
export const unlessEmpty = <T>(codec: Codec<T>): Field<T> => ({ codec, omitEmpty: true });

/** A structure with fields in the order that the hash wants. */
export function struct<T extends object>(
  fields: { readonly [Key in keyof T & string]: Field<T[Key]> },
): Codec<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  // The loop fills every key of T with the type that its codec reads: the checker cannot see that.
  const collect = (each: (name: keyof T & string) => unknown): T =>
    Object.fromEntries(names.map((name) => [name, each(name)])) as T;
  const zero = collect((name) => fields[name].codec.zero);
  return {
    zero,
    read(cursor, report) {
      if (isNull(cursor)) return zero;
      const known = readFields(cursor, names, report);
      if (known === undefined) return undefined;
      let complete = [...(cursor.node.kind === 'map' ? cursor.node.entries.keys() : [])].every((key) =>
        Object.hasOwn(fields, key),
      );
      const value = collect((name) => {
        const at = known.get(name);
        const { codec } = fields[name];
        const read = at === undefined ? codec.zero : codec.read(at, report);
        if (read === undefined) complete = false;
        return read;
      });
      return complete ? value : undefined;
    },
    json(value) {
      const members = names
        .filter((name) => !(fields[name].omitEmpty && fields[name].codec.isEmpty(value[name])))
        .map((name) => `${jsonText(name)}:${fields[name].codec.json(value[name])}`);
      return `{${members.join(',')}}`;
    },
    isEmpty: () => false,
  };
}

/** JSON text as the reference tool escapes it: what could end a script element, and the two line separators, too. */
function jsonText(value: string): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
