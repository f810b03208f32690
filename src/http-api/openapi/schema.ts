/**
 * The schemas of one tool: copied from the document as they are met, what they refer to beside them under `$defs`, so that
 * the tool's schema stands for itself. Circles stay circles. What would grow without end is cut to a schema for anything.
 */
import { type Json, type JsonObject, limits } from '../../kernel/index.ts';
import { isList, isObject, listAt, own } from '../json-values.ts';
import { follow, pointerSteps } from './references.ts';

/** Keywords whose value is a map of names to schemas, a list of schemas, or a schema (JSON Schema 2020-12). */
const MAPS: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas']);
const LISTS: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const SINGLE: ReadonlySet<string> = new Set([
  'items',
  'additionalProperties',
  'unevaluatedItems',
  'unevaluatedProperties',
  'contains',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
]);
/** Of no use to a caller, or with addresses that lead elsewhere here. */
const DROPPED: ReadonlySet<string> = new Set([
  '$id',
  '$schema',
  '$anchor',
  '$dynamicAnchor',
  '$dynamicRef',
  '$defs',
  '$comment',
  'discriminator',
  'xml',
  'externalDocs',
  'example',
]);

/** Lists and maps that are values, or are about names. */
const DATA: ReadonlySet<string> = new Set([
  'type',
  'enum',
  'const',
  'default',
  'examples',
  'dependentRequired',
]);
/** Of data in a schema, in characters: more of it says nothing that a caller could keep in mind. */
const DATA_CHARS_MAX = 16_384;
/** Text that counts as much as a map does. */
const CHARS_OF_A_NODE = 128;

export class ToolSchemas {
  readonly #root: JsonObject;
  /** Names under `$defs` by the references that lead there. */
  readonly #names = new Map<string, string>();
  readonly #schemas = new Map<string, Json>();
  readonly #taken = new Set<string>();
  #open: { readonly name: string; readonly value: Json }[] = [];
  #nodes = 0;

  constructor(root: JsonObject) {
    this.#root = root;
  }

  /** A schema of the document as one of the tool's. */
  of(schema: Json | undefined): Json {
    const copied = this.#copy(schema ?? {});
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) {
      this.#schemas.set(next.name, this.#copy(next.value));
    }
    return copied;
  }

  /** How many maps they have, with what they refer to. */
  get nodes(): number {
    return this.#nodes;
  }

  /** What the schemas so far refer to, by name. */
  get definitions(): JsonObject {
    return Object.fromEntries(this.#schemas);
  }

  #copy(schema: Json): Json {
    if (!isObject(schema)) return typeof schema === 'boolean' ? schema : {};
    this.#nodes += 1;
    if (this.#nodes > limits.apiToolSchemaNodesMax) return {};
    const hidden = hiddenProperties(schema);
    const members: [string, Json][] = [];
    for (const [key, value] of Object.entries(schema)) {
      if (DROPPED.has(key) || key.startsWith('x-')) continue;
      const copied = key === '$ref' ? this.#reference(value) : this.#keyword(key, value, hidden);
      if (copied !== undefined) members.push([key, copied]);
    }
    return Object.fromEntries(members);
  }

  #keyword(key: string, value: Json, hidden: ReadonlySet<string>): Json | undefined {
    if (MAPS.has(key) && isObject(value)) {
      const entries = Object.entries(value).filter(([name]) => key !== 'properties' || !hidden.has(name));
      return Object.fromEntries(entries.map(([name, one]) => [name, this.#copy(one)]));
    }
    if (LISTS.has(key) && isList(value)) return value.map((one) => this.#copy(one));
    if (SINGLE.has(key)) return isList(value) ? value.map((one) => this.#copy(one)) : this.#copy(value);
    if (key === 'required' && isList(value)) {
      const wanted = value.filter((name) => typeof name === 'string' && !hidden.has(name));
      return wanted.length === 0 ? undefined : wanted;
    }
    return this.#data(key, value);
  }

  /** What is no schema: kept where it says something of values. A map under any other name is not of JSON Schema. */
  #data(key: string, value: Json): Json | undefined {
    if (typeof value === 'string') this.#nodes += value.length / CHARS_OF_A_NODE;
    if (typeof value !== 'object' || value === null) return value;
    if (!DATA.has(key)) return undefined;
    const text = JSON.stringify(value);
    this.#nodes += text.length / CHARS_OF_A_NODE;
    return text.length > DATA_CHARS_MAX ? undefined : value;
  }

  /** Undefined where the reference is cut: the schema is then one for anything. */
  #reference(value: Json): Json | undefined {
    if (typeof value !== 'string') return undefined;
    const known = this.#names.get(value);
    if (known !== undefined) return `#/$defs/${known}`;
    const target = follow(this.#root, value);
    if (target === undefined || this.#names.size >= limits.apiToolSchemasMax) return undefined;
    const name = this.#nameFor(value);
    this.#names.set(value, name);
    this.#open.push({ name, value: target });
    return `#/$defs/${name}`;
  }

  #nameFor(reference: string): string {
    const last = pointerSteps(reference)?.at(-1) ?? '';
    const plain = last.replaceAll(/[^A-Za-z0-9_.-]+/g, '_') || 'schema';
    for (let number = 1; ; number += 1) {
      const name = number === 1 ? plain : `${plain}_${number}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}

/** Properties that only answers have. */
function hiddenProperties(schema: JsonObject): ReadonlySet<string> {
  const properties = own(schema, 'properties');
  if (!isObject(properties)) return NONE;
  const hidden = Object.entries(properties).filter(
    ([, one]) => isObject(one) && own(one, 'readOnly') === true,
  );
  return hidden.length === 0 ? NONE : new Set(hidden.map(([name]) => name));
}

const NONE: ReadonlySet<string> = new Set();

/** The members of an object schema that says all of them itself; null for any other schema. */
export function plainMembers(
  schema: JsonObject,
): readonly { name: string; schema: Json; required: boolean }[] | null {
  const properties = own(schema, 'properties');
  if (!isObject(properties) || !SAYS_ALL.every((key) => own(schema, key) === undefined)) return null;
  const open = own(schema, 'additionalProperties');
  if (open === true || isObject(open)) return null;
  const type = own(schema, 'type');
  if (type !== undefined && type !== 'object') return null;
  const hidden = hiddenProperties(schema);
  const required = new Set(listAt(schema, 'required'));
  return Object.entries(properties)
    .filter(([name]) => !hidden.has(name))
    .map(([name, one]) => ({ name, schema: one, required: required.has(name) }));
}

/** Keywords beside which `properties` is not all of it. */
const SAYS_ALL = [
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'patternProperties',
  'dependentSchemas',
  'propertyNames',
  'minProperties',
] as const;
