/**
 * Parameters of a tool that its definition wants repeated in `Mcp-Param-*` headers (revision 2026-07-28, over HTTP
 * only): what a definition declares, and whether a call's headers say the same as its arguments. Whoever stands
 * between client and gateway may route by these headers, so they must not be able to say something else.
 *
 * Trusts neither side: definitions are the server's, headers and arguments the client's.
 */
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import type { Carried } from '../client/client-facts.ts';
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';
import { printable } from './printable.ts';

/** One parameter that a header repeats. */
interface Declaration {
  /** Keys of `properties` from the schema's root to the parameter. */
  readonly path: readonly string[];
  /** What follows `Mcp-Param-`, as the server wrote it. */
  readonly header: string;
}

const KEY = 'x-mcp-header';
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const DECIMAL = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const TYPES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean']);
/** Keywords whose schemas say nothing about one certain place in the arguments: a schema, or several. */
const ELSEWHERE =
  'items prefixItems contains additionalItems unevaluatedItems additionalProperties unevaluatedProperties ' +
  'propertyNames contentSchema oneOf anyOf allOf not if then else';
/** The same, where the keyword's members are schemas by name. */
const ELSEWHERE_BY_NAME = 'patternProperties dependentSchemas dependencies $defs definitions';
const NAME_SHOWN_CHARS_MAX = 80;

/** Why a client must not be shown this definition over HTTP; null where it may. */
export function headerDeclarationFault(toolText: string): string | null {
  const declared = declarationsOf(toolText);
  return declared.ok ? null : declared.error;
}

/**
 * Where the headers beside a call and its arguments disagree; null where they do not, and for a definition that is
 * faulty itself, whose headers nobody can rely on.
 *
 * @param argumentsText the call's `arguments`; null where it has none
 */
export function paramHeaderFault(
  toolText: string,
  argumentsText: string | null,
  carried: Carried,
): string | null {
  const declared = declarationsOf(toolText);
  if (!declared.ok || declared.value.length === 0) return null;
  const given: unknown = argumentsText === null ? null : JSON.parse(argumentsText);
  for (const { path, header } of declared.value) {
    const sent = carried.paramHeaders.get(header.toLowerCase());
    const why = disagreement(valueAt(given, path), sent);
    if (why !== null) return `the Mcp-Param-${header} header ${why}`;
  }
  return null;
}

/**
 * What a definition wants repeated of a call, for a server elsewhere: names in lower case, values as they are sent.
 *
 * @param argumentsText as in `paramHeaderFault`
 */
export function paramHeadersOf(toolText: string, argumentsText: string | null): ReadonlyMap<string, string> {
  const declared = declarationsOf(toolText);
  const headers = new Map<string, string>();
  if (!declared.ok || declared.value.length === 0) return headers;
  const given: unknown = argumentsText === null ? null : JSON.parse(argumentsText);
  for (const { path, header } of declared.value) {
    const value = valueAt(given, path);
    if (isRepeatable(value)) headers.set(header.toLowerCase(), encodeHeaderValue(String(value)));
  }
  return headers;
}

/** @param sent the header's value; undefined where it is absent */
function disagreement(value: unknown, sent: string | undefined): string | null {
  const given = value !== undefined && value !== null;
  if (sent === undefined) return given && isRepeatable(value) ? 'is absent' : null;
  if (!given) return 'repeats a parameter that the body does not have';
  const decoded = decodeHeaderValue(sent);
  if (decoded === null) return 'has characters or base64 that no value is written with';
  return says(decoded, value) ? null : 'says something else than the body';
}

/** A value of another type cannot be repeated; that it is wrong is the server's to say. */
const isRepeatable = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);

function says(header: string, value: unknown): boolean {
  if (typeof value === 'string') return header === value;
  if (typeof value === 'boolean') return header === String(value);
  return Number.isSafeInteger(value) && DECIMAL.test(header) && Number(header) === value;
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const key of path) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

interface Visit {
  readonly schema: unknown;
  /** Null below a keyword that leads to no certain place, and deeper than anybody's parameters are. */
  readonly path: readonly string[] | null;
}

function declarationsOf(toolText: string): Result<readonly Declaration[], string> {
  // Almost every definition has none, and is not parsed at each call; the escape is how else the key can be written.
  if (!toolText.includes(KEY) && !toolText.includes('\\u')) return ok([]);
  const tool: unknown = JSON.parse(toolText);
  const found = new Map<string, Declaration>();
  const rest: Visit[] = [{ schema: isObject(tool) ? tool['inputSchema'] : null, path: [] }];
  for (let visit = rest.pop(); visit !== undefined; visit = rest.pop()) {
    const { schema, path } = visit;
    if (!isObject(schema)) continue;
    if (Object.hasOwn(schema, KEY)) {
      const fault = declarationFault(schema, path);
      if (fault !== null) return err(fault);
      const header = String(schema[KEY]);
      if (found.has(header.toLowerCase())) return err(`two parameters are repeated in "${header}"`);
      found.set(header.toLowerCase(), { path: path ?? [], header });
    }
    for (const [key, child] of entriesOf(schema['properties'])) {
      const reached = path !== null && path.length < limits.mcpParamHeaderDepthMax;
      rest.push({ schema: child, path: reached ? [...path, key] : null });
    }
    for (const keyword of ELSEWHERE.split(' ')) {
      const below = schema[keyword];
      for (const child of Array.isArray(below) ? below : [below]) rest.push({ schema: child, path: null });
    }
    for (const keyword of ELSEWHERE_BY_NAME.split(' '))
      for (const [, child] of entriesOf(schema[keyword])) rest.push({ schema: child, path: null });
  }
  return ok([...found.values()]);
}

function declarationFault(schema: Record<string, unknown>, path: readonly string[] | null): string | null {
  if (path === null || path.length === 0)
    return `${KEY} stands where it names no certain parameter of the call`;
  const header = schema[KEY];
  const of = `of "${printable(path.join('.'), NAME_SHOWN_CHARS_MAX)}"`;
  if (typeof header !== 'string' || !TOKEN.test(header)) return `the ${KEY} ${of} is no header name`;
  return TYPES.has(schema['type']) ? null : `the ${KEY} ${of} is on no string, integer or boolean`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const entriesOf = (value: unknown): readonly (readonly [string, unknown])[] =>
  isObject(value) ? Object.entries(value) : [];
