/** The body of an operation: which of its forms is used, and what of it are arguments. Pure. */
import type { Json, JsonObject } from '../../kernel/index.ts';
import { isObject, objectAt, own, textAt } from '../json-values.ts';
import type { ArgumentNames } from '../names.ts';
import type { BodyField, BodyPlan, Style, Taken } from '../plan.ts';
import { explodeOf } from './parameters.ts';
import { found } from './references.ts';
import { plainMembers, type ToolSchemas } from './schema.ts';

export interface ToolBody {
  readonly plan: BodyPlan;
  readonly properties: readonly (readonly [string, Json])[];
  readonly required: readonly string[];
}

interface Context {
  readonly root: JsonObject;
  readonly taken: Taken;
  readonly names: ArgumentNames;
  readonly schemas: ToolSchemas;
}

type Encoding = BodyPlan['encoding'];

/** In the order of preference. */
const ENCODINGS: readonly (readonly [Encoding, RegExp])[] = [
  ['json', /^application\/(?:[\w.+-]+\+)?json\b/i],
  ['form', /^application\/x-www-form-urlencoded\b/i],
  ['multipart', /^multipart\/form-data\b/i],
  ['text', /^(?:text\/|application\/(?:[\w.+-]+\+)?(?:xml|yaml|graphql)\b)/i],
  ['binary', /^[\w.+-]+\/[\w.+-]+/],
];

/** Null where the operation takes none. */
export function bodyOf(operation: JsonObject, context: Context): ToolBody | null {
  const body = found(context.root, own(operation, 'requestBody'));
  const types = Object.entries(objectAt(body ?? {}, 'content') ?? {});
  if (body === undefined || types.length === 0) return null;
  const [encoding, contentType, media] = chosen(types);
  const required = own(body, 'required') === true;
  const schema = own(media, 'schema') ?? {};
  const members = encoding === 'text' || encoding === 'binary' ? null : membersOf(schema, context.root);
  if (members === null)
    return wholeBody({ encoding, contentType, schema, required }, textAt(body, 'description'), context);

  const properties: [string, Json][] = [];
  const fields: BodyField[] = [];
  for (const member of members) {
    if (context.taken.body.has(member.name)) continue;
    const field = fieldOf(member, { encoding, media, names: context.names, root: context.root });
    fields.push(field);
    properties.push([field.argument, field.file ? FILE : context.schemas.of(member.schema)]);
  }
  return {
    plan: { encoding, contentType, required, content: { fields } },
    properties,
    // Of a body that may be left out, nothing is needed unless another part of it is there: that is the API's to judge.
    required: required ? fields.filter((field) => field.required).map(({ argument }) => argument) : [],
  };
}

function chosen(types: readonly (readonly [string, Json])[]): readonly [Encoding, string, JsonObject] {
  for (const [encoding, pattern] of ENCODINGS) {
    const match = types.find(([type]) => pattern.test(type));
    if (match === undefined) continue;
    const [type, media] = match;
    // A range is no type to send.
    return [encoding, type.split(';')[0]?.trim() ?? type, isObject(media) ? media : {}];
  }
  const [, media] = types[0] ?? ['', {}];
  return ['json', 'application/json', isObject(media) ? media : {}];
}

const membersOf = (schema: Json, root: JsonObject): ReturnType<typeof plainMembers> => {
  const target = found(root, schema);
  return target === undefined ? null : plainMembers(target);
};

interface Whole {
  readonly encoding: Encoding;
  readonly contentType: string;
  readonly schema: Json;
  readonly required: boolean;
}

function wholeBody(
  { encoding, contentType, schema, required }: Whole,
  description: string | undefined,
  { names, schemas }: Context,
): ToolBody {
  const argument = names.take('body', 'body');
  // A form whose members are not known is written from whatever object is given: as JSON, where it may be.
  const copied = encoding === 'binary' ? FILE : encoding === 'text' ? { type: 'string' } : schemas.of(schema);
  const shown =
    isObject(copied) && description !== undefined && own(copied, 'description') === undefined
      ? { ...copied, description }
      : copied;
  return {
    plan: { encoding, contentType, required, content: { argument } },
    properties: [[argument, shown]],
    required: required ? [argument] : [],
  };
}

const FILE: JsonObject = {
  type: 'string',
  contentEncoding: 'base64',
  description: 'The bytes of the file, as base64.',
};

interface FieldContext {
  readonly encoding: Encoding;
  readonly media: JsonObject;
  readonly names: ArgumentNames;
  readonly root: JsonObject;
}

function fieldOf(
  { name, schema, required }: { readonly name: string; readonly schema: Json; readonly required: boolean },
  { encoding, media, names, root }: FieldContext,
): BodyField {
  const said = objectAt(objectAt(media, 'encoding') ?? {}, name) ?? {};
  const type = found(root, schema) ?? {};
  const style = encoding === 'form' ? formStyle(said, type) : 'json';
  return {
    argument: names.take(name, 'body'),
    name,
    required,
    style,
    explode: explodeOf(said, style),
    file: encoding === 'multipart' && isFile(type),
    contentType: encoding === 'multipart' ? plainType(textAt(said, 'contentType')) : null,
  };
}

/** Forms write maps as JSON where nothing else is said (OpenAPI 3.1 section 4.8.15.1.1). */
function formStyle(said: JsonObject, schema: JsonObject): Style {
  const named = FORM_STYLES.find((style) => style === own(said, 'style'));
  if (named !== undefined) return named;
  const isMap = own(schema, 'type') === 'object' || isObject(own(schema, 'properties'));
  return isMap && own(said, 'explode') === undefined ? 'json' : 'form';
}

const FORM_STYLES = ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'] as const;

/** Bytes have no type in JSON Schema; what says where they come from is left. */
const isFile = (schema: JsonObject): boolean =>
  own(schema, 'contentMediaType') === 'application/octet-stream' || own(schema, 'format') === 'binary';

/** The first that is no range. */
const plainType = (types: string | undefined): string | null =>
  types
    ?.split(',')
    .map((type) => type.trim())
    .find((type) => /^[\w.+-]+\/[\w.+-]+(?:;[\x20-\x7e]*)?$/.test(type)) ?? null;
