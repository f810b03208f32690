/**
 * What a JSON Schema asks of a single value: whether one fits. Written by servers, so nothing in it is trusted: patterns are
 * searched in linear time, references lead a bounded way, and what is not understood asks for nothing.
 */
import { RE2JS } from 're2js';
import { limits } from '../../kernel/index.ts';
import { FORMATS } from './formats.ts';

export type Schema = Readonly<Record<string, unknown>>;

/** A whole schema, and what may still be spent on it: servers write schemas that lead everywhere at once. */
export class SchemaDocument {
  readonly root: Schema;
  readonly #patterns = new Map<string, RE2JS | null>();
  #left = limits.maskingSchemaWorkMax;

  constructor(root: Schema) {
    this.root = root;
  }

  /** @returns whether there was so much left */
  spend(work = 1): boolean {
    this.#left -= work;
    return this.#left >= 0;
  }

  /** A pattern that RE2 does not know, or that is too much, is taken for one that does not match. */
  matches(pattern: string, value: string): boolean {
    let engine = this.#patterns.get(pattern);
    if (engine === undefined) {
      engine = this.spend(PATTERN_WORK) ? engineOf(pattern) : null;
      this.#patterns.set(pattern, engine);
    }
    if (engine === null) return false;
    return this.spend((value.length * engine.programSize()) >> WORK_SHIFT) && engine.matcher(value).find();
  }
}

/** What a pattern costs to compile, in steps; and so many times two steps of its search are one. */
const PATTERN_WORK = 500;
const WORK_SHIFT = 4;

function engineOf(pattern: string): RE2JS | null {
  if (pattern.length > limits.maskingPatternCharsMax) return null;
  try {
    const engine = RE2JS.compile(pattern);
    return engine.programSize() <= limits.maskingPatternStepsMax ? engine : null;
  } catch {
    return null;
  }
}

/** A schema that stands somewhere; `true`, and what is none, asks for nothing. */
export const schemaAt = (value: unknown): Schema | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;

export const schemasAt = (value: unknown): readonly Schema[] =>
  Array.isArray(value) ? value.map(schemaAt).filter((each) => each !== null) : [];

/** What `$ref` means, within the same document. */
export function referred(root: Schema, { $ref }: Schema): Schema | null {
  if (typeof $ref !== 'string' || !$ref.startsWith('#')) return null;
  let at: unknown = root;
  for (const step of decoded($ref.slice(1)).split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return null;
    at = Reflect.get(at, key);
  }
  return schemaAt(at);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether a value that is no object and no array fits. @param steps that may still be gone into parts of the schema */
export function fits(
  value: unknown,
  schema: Schema,
  document: SchemaDocument,
  steps = limits.maskingSchemaStepsMax,
): boolean {
  // What leads on and on is not understood.
  if (steps === 0 || !document.spend()) return false;
  const within = (each: Schema): boolean => fits(value, each, document, steps - 1);
  const target = referred(document.root, schema);
  const all = schemasAt(schema['allOf']);
  const any = schemasAt(schema['anyOf']);
  const one = schemasAt(schema['oneOf']);
  const not = schemaAt(schema['not']);
  return (
    hasType(value, schema['type']) &&
    isAmong(value, schema) &&
    (typeof value !== 'string' || isText(value, schema, document)) &&
    (typeof value !== 'number' || isNumber(value, schema)) &&
    (target === null || within(target)) &&
    all.every(within) &&
    (any.length === 0 || any.some(within)) &&
    (one.length === 0 || one.filter(within).length === 1) &&
    (not === null || !within(not))
  );
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  object: () => false,
  array: () => false,
};

function hasType(value: unknown, type: unknown): boolean {
  const names: readonly unknown[] = Array.isArray(type) ? type : type === undefined ? [] : [type];
  return (
    names.length === 0 || names.some((name) => typeof name === 'string' && (TYPES[name]?.(value) ?? false))
  );
}

function isAmong(value: unknown, schema: Schema): boolean {
  const words: unknown = schema['enum'];
  if (Array.isArray(words) && !words.includes(value)) return false;
  return !('const' in schema) || schema['const'] === value;
}

const numberAt = (schema: Schema, key: string, absent: number): number => {
  const value = schema[key];
  return typeof value === 'number' ? value : absent;
};

function isText(value: string, schema: Schema, document: SchemaDocument): boolean {
  const { length } = Array.from(value);
  if (length < numberAt(schema, 'minLength', 0) || length > numberAt(schema, 'maxLength', Infinity))
    return false;
  const { pattern, format } = schema;
  if (typeof pattern === 'string' && !document.matches(pattern, value)) return false;
  return typeof format !== 'string' || (FORMATS[format]?.fits(value) ?? true);
}

function isNumber(value: number, schema: Schema): boolean {
  const step = numberAt(schema, 'multipleOf', 0);
  return (
    value >= numberAt(schema, 'minimum', -Infinity) &&
    value <= numberAt(schema, 'maximum', Infinity) &&
    value > numberAt(schema, 'exclusiveMinimum', -Infinity) &&
    value < numberAt(schema, 'exclusiveMaximum', Infinity) &&
    (step <= 0 || Number.isInteger(value / step))
  );
}
