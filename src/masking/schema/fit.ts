/**
 * Masked JSON that still is what its schema asks: clients refuse what is not, and with it all the rest. What does not fit any
 * more becomes `null` or something of its form, is left out where it may be, or becomes a value that the schema itself
 * names. Whatever takes its place is made of the schema alone, and says nothing of what was there.
 */
import { limits } from '../../kernel/index.ts';
import { type JsonSpan, jsonItems, jsonMembers } from '../../wire/index.ts';
import { FORMATS } from './formats.ts';
import { fits, referred, type Schema, schemaAt, SchemaDocument, schemasAt } from './schema-facts.ts';

/** @returns the masked text as it fits; null where nothing of it would */
export function fitToSchema(before: string, masked: string, schemaText: string): string | null {
  if (before === masked) return masked;
  if (masked.length > limits.maskingFitCharsMax) return null;
  const root = schemaAt(JSON.parse(schemaText));
  if (root === null) return masked;
  const whole = (text: string): JsonSpan => ({ start: 0, end: text.length });
  return new Fitting(before, masked, root).value(whole(before), whole(masked), [root])?.text ?? null;
}

interface Fitted {
  readonly text: string;
  /** Somebody may take it for a value. */
  readonly misleads: boolean;
}

class Fitting {
  readonly #before: string;
  readonly #masked: string;
  readonly #document: SchemaDocument;

  constructor(before: string, masked: string, root: Schema) {
    this.#before = before;
    this.#masked = masked;
    this.#document = new SchemaDocument(root);
  }

  /** @param was the value before it was masked; null: there was none. @returns null where nothing fits */
  value(was: JsonSpan | null, now: JsonSpan, given: readonly Schema[]): Fitted | null {
    const text = this.#masked.slice(now.start, now.end);
    if (was !== null && this.#before.slice(was.start, was.end) === text) return { text, misleads: false };
    const schemas = given.flatMap((schema) => this.#parts(schema, was, limits.maskingSchemaStepsMax));
    if (text.startsWith('{')) return this.#object(was, now, schemas);
    if (text.startsWith('[')) return this.#array(was, now, schemas);
    return this.#leaf(text, given);
  }

  /** A schema with all that it refers to and is made of; of alternatives those that the value before may have been of. */
  #parts(schema: Schema, was: JsonSpan | null, steps: number): readonly Schema[] {
    if (steps === 0 || !this.#document.spend()) return [];
    const target = referred(this.#document.root, schema);
    const either = [...schemasAt(schema['anyOf']), ...schemasAt(schema['oneOf'])].filter((each) =>
      this.#mayBe(each, was),
    );
    const others = [...(target === null ? [] : [target]), ...schemasAt(schema['allOf']), ...either];
    return [schema, ...others.flatMap((each) => this.#parts(each, was, steps - 1))];
  }

  #mayBe(given: Schema, was: JsonSpan | null): boolean {
    if (was === null) return true;
    const schema = referred(this.#document.root, given) ?? given;
    const first = this.#before.charAt(was.start);
    if (first === '[') return schema['type'] === undefined || schema['type'] === 'array';
    if (first !== '{')
      return fits(JSON.parse(this.#before.slice(was.start, was.end)), schema, this.#document);
    if (schema['type'] !== undefined && schema['type'] !== 'object') return false;
    const members = new Map(jsonMembers(this.#before, was).map((member) => [member.key, member]));
    const named = schemaAt(schema['properties']) ?? {};
    // What tells alternatives apart is which members there are, and what they are.
    return (
      listed(schema['required']).every((key) => members.has(key)) &&
      Object.entries(named).every(([key, each]) => {
        const member = members.get(key);
        const inner = schemaAt(each);
        if (member === undefined || inner === null) return true;
        if ('[{'.includes(this.#before.charAt(member.start))) return true;
        return fits(JSON.parse(this.#before.slice(member.start, member.end)), inner, this.#document);
      })
    );
  }

  #object(was: JsonSpan | null, now: JsonSpan, schemas: readonly Schema[]): Fitted | null {
    const before = new Map(
      was === null || this.#before[was.start] !== '{'
        ? []
        : jsonMembers(this.#before, was).map((member) => [member.key, member]),
    );
    const required = new Set(schemas.flatMap((schema) => listed(schema['required'])));
    const kept: string[] = [];
    for (const member of jsonMembers(this.#masked, now)) {
      const { key } = member;
      const below = schemas.flatMap((schema) => ofMember(schema, key));
      const fitted = below.includes(null)
        ? null
        : this.value(
            before.get(key) ?? null,
            member,
            below.filter((each) => each !== null),
          );
      if (fitted !== null && !(fitted.misleads && !required.has(key)))
        kept.push(`${JSON.stringify(key)}:${fitted.text}`);
      else if (required.has(key)) return null;
    }
    return { text: `{${kept.join(',')}}`, misleads: false };
  }

  #array(was: JsonSpan | null, now: JsonSpan, schemas: readonly Schema[]): Fitted | null {
    const before = was === null || this.#before[was.start] !== '[' ? [] : jsonItems(this.#before, was);
    const isUnique = schemas.some((schema) => schema['uniqueItems'] === true);
    const least = Math.max(0, ...schemas.map((schema) => Number(schema['minItems'] ?? 0)));
    const kept: string[] = [];
    for (const [index, item] of jsonItems(this.#masked, now).entries()) {
      const below = schemas.flatMap((schema) => ofItem(schema, index));
      const fitted = this.value(before[index] ?? null, item, below);
      if (fitted === null && schemas.some((schema) => Array.isArray(schema['prefixItems']))) return null;
      if (fitted !== null && !(isUnique && kept.includes(fitted.text))) kept.push(fitted.text);
    }
    return kept.length < least ? null : { text: `[${kept.join(',')}]`, misleads: false };
  }

  #leaf(text: string, given: readonly Schema[]): Fitted | null {
    const isFit = (value: unknown): boolean => given.every((schema) => fits(value, schema, this.#document));
    const schemas = given.flatMap((schema) => this.#parts(schema, null, limits.maskingSchemaStepsMax));
    const now: unknown = JSON.parse(text);
    if (isFit(now)) return { text, misleads: false };
    const plain = [...constants(schemas), null, ...standIns(schemas, false), ...ofLength(schemas)];
    const found = plain.find(isFit);
    if (found !== undefined) return { text: JSON.stringify(found), misleads: false };
    const last = [...standIns(schemas, true), ...numbers(schemas), false, true, ...words(schemas)].find(
      isFit,
    );
    return last === undefined ? null : { text: JSON.stringify(last), misleads: true };
  }
}

const listed = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];

/** @returns null in it: no such member may be */
function ofMember(schema: Schema, key: string): readonly (Schema | null)[] {
  const named = schemaAt(schema['properties']);
  if (named !== null && Object.hasOwn(named, key))
    return [schemaAt(named[key])].filter((each) => each !== null);
  if (schema['patternProperties'] !== undefined) return [];
  const others = schema['additionalProperties'];
  if (others === false) return [null];
  const every = schemaAt(others);
  return every === null ? [] : [every];
}

function ofItem(schema: Schema, index: number): readonly Schema[] {
  const first = schema['prefixItems'];
  const own: unknown = Array.isArray(first) && index < first.length ? first[index] : schema['items'];
  const found = schemaAt(own);
  return found === null ? [] : [found];
}

const constants = (schemas: readonly Schema[]): readonly unknown[] =>
  schemas.flatMap((schema) => ('const' in schema ? [schema['const']] : []));

const words = (schemas: readonly Schema[]): readonly unknown[] =>
  schemas.flatMap((schema) => (Array.isArray(schema['enum']) ? schema['enum'] : []));

const standIns = (schemas: readonly Schema[], misleading: boolean): readonly string[] =>
  schemas.flatMap(({ format }) => {
    const known = typeof format === 'string' ? FORMATS[format] : undefined;
    return known === undefined || (known.misleads ?? false) !== misleading ? [] : [known.standIn];
  });

/** Texts of nothing but one character, as long as they have to be. */
function ofLength(schemas: readonly Schema[]): readonly string[] {
  const bounds = schemas.flatMap(({ minLength, maxLength }) => [minLength, maxLength]);
  const lengths = [0, 1, ...Array.from({ length: EVERY_LENGTH }, (_, index) => index), ...bounds].filter(
    (length): length is number =>
      typeof length === 'number' && length >= 0 && length <= limits.maskingPatternCharsMax,
  );
  return ['*', 'x', 'X', '0'].flatMap((character) => lengths.map((length) => character.repeat(length)));
}

/** Patterns ask for lengths without naming them elsewhere. */
const EVERY_LENGTH = 33;

function numbers(schemas: readonly Schema[]): readonly number[] {
  const named = schemas.flatMap((schema) =>
    ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'].map((key) => schema[key]),
  );
  return named
    .filter((each) => typeof each === 'number')
    .flatMap((each) => [each, Math.ceil(each), Math.floor(each), each + 1, each - 1]);
}
