/** The parameters of an operation: what it calls them, where they go, how they are written. Pure. */
import { type Json, type JsonObject, err, ok, type Result } from '../../kernel/index.ts';
import { isList, isObject, objectAt, own, textAt } from '../json-values.ts';
import type { ArgumentNames } from '../names.ts';
import type { ParamPlace, ParamPlan, Style, Taken } from '../plan.ts';
import { fieldKey, isFieldName, isOwnField } from '../serialise/fields.ts';
import { spansOf } from './path-holes.ts';
import { found } from './references.ts';
import type { ToolSchemas } from './schema.ts';

export interface ToolParam {
  readonly plan: ParamPlan;
  readonly schema: Json;
}

interface Context {
  readonly root: JsonObject;
  readonly taken: Taken;
  readonly names: ArgumentNames;
  readonly schemas: ToolSchemas;
}

const PLACES: readonly ParamPlace[] = ['path', 'query', 'header', 'cookie'];
/** Said by other parts of a document, which parameters of these names must not (OpenAPI 3.1 section 4.8.12.2). */
const NOT_PARAMETERS: ReadonlySet<string> = new Set(['accept', 'content-type', 'authorization']);

/** @param lists of the path and of the operation, whose own come first. @returns or why no request can be made */
export function parametersOf(
  lists: readonly (readonly Json[])[],
  context: Context,
): Result<readonly ToolParam[], string> {
  const byKey = new Map<string, JsonObject>();
  for (const one of lists.flat()) {
    const param = found(context.root, one);
    if (param === undefined) return err('a parameter is defined nowhere in the document');
    byKey.set(`${textAt(param, 'in') ?? ''} ${textAt(param, 'name') ?? ''}`, param);
  }
  const sorted = [...byKey.values()].sort((a, b) => placeIndex(a) - placeIndex(b));
  const params: ToolParam[] = [];
  for (const param of sorted) {
    const made = parameter(param, context);
    if (!made.ok) return made;
    if (made.value !== null) params.push(made.value);
  }
  return ok(params);
}

const placeIndex = (param: JsonObject): number => PLACES.findIndex((place) => place === own(param, 'in'));

/** Null for one that is not the caller's to give. */
function parameter(
  param: JsonObject,
  { root, taken, names, schemas }: Context,
): Result<ToolParam | null, string> {
  const name = textAt(param, 'name');
  const place = PLACES.find((one) => one === own(param, 'in'));
  if (name === undefined || place === undefined)
    return err('a parameter has no name, or no place that is known');
  if (isTaken(name, place, taken)) return ok(null);
  if (place === 'header' && !isFieldName(name)) return err(`no header can be called ${JSON.stringify(name)}`);
  const [mediaType] = Object.entries(objectAt(param, 'content') ?? {});
  const style = mediaType === undefined ? styleOf(param, place) : 'json';
  if (style === null) return err(`the style of ${JSON.stringify(name)} is not supported`);
  const content = mediaType?.[1];
  const schema =
    content === undefined ? own(param, 'schema') : isObject(content) ? own(content, 'schema') : {};
  const plan: ParamPlan = {
    argument: names.take(name, place),
    name,
    in: place,
    style,
    explode: explodeOf(param, style),
    reserved: place === 'query' && own(param, 'allowReserved') === true,
    spans: place === 'path' ? spansOf(param, found(root, schema) ?? {}) : null,
    required: place === 'path' || own(param, 'required') === true,
  };
  return ok({ plan, schema: described(schemas.of(schema), textAt(param, 'description')) });
}

function isTaken(name: string, place: ParamPlace, taken: Taken): boolean {
  if (place === 'header') {
    const key = fieldKey(name);
    return NOT_PARAMETERS.has(key) || key === 'cookie' || isOwnField(name) || taken.headers.has(key);
  }
  if (place === 'query') return taken.query.has(name);
  // With a credential among the cookies, the whole field is the gateway's.
  return place === 'cookie' && (taken.cookies.size > 0 || taken.headers.has('cookie'));
}

const STYLES: Readonly<Record<ParamPlace, readonly Style[]>> = {
  path: ['simple', 'label'],
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  header: ['simple'],
  cookie: ['form'],
};

/** Null for one that no request can be written in: `matrix` makes segments that upstreams read differently. */
function styleOf(param: JsonObject, place: ParamPlace): Style | null {
  const said = own(param, 'style');
  const allowed = STYLES[place];
  return said === undefined ? (allowed[0] ?? null) : (allowed.find((style) => style === said) ?? null);
}

export const explodeOf = (value: JsonObject, style: Style): boolean => {
  const said = own(value, 'explode');
  return typeof said === 'boolean' ? said : style === 'form' || style === 'deepObject';
};

/** A schema with a description, unless it has one of its own and there is no other. */
function described(schema: Json, description: string | undefined): Json {
  if (description === undefined || isList(schema)) return schema;
  return isObject(schema) ? { ...schema, description } : { description };
}
