/**
 * Published documents of large APIs, from the npm packages that carry them, and whether a request fits one. That is read from
 * the document as it was published, by other means than the code's: it is neither upgraded nor pruned here, and its paths are
 * taken apart by pattern.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { parse } from 'yaml';

const resolve = createRequire(import.meta.url).resolve;
const beside = (entry: string, file: string): string => join(dirname(resolve(entry)), file);

export const DOCUMENTS = [
  {
    name: 'Figma (3.1, YAML)',
    file: beside('@figma/rest-api-spec', '../openapi/openapi.yaml'),
    operations: 54,
  },
  { name: 'Netlify (2.0)', file: beside('@netlify/open-api', 'swagger.json'), operations: 181 },
  {
    name: 'Directus (3.0)',
    file: join(import.meta.dirname, '../../node_modules/@directus/openapi/dist/oas.json'),
    operations: 206,
  },
] as const;

export function readPublished(file: string): { readonly text: string; readonly root: unknown } {
  const text = readFileSync(file, 'utf8');
  return { text, root: file.endsWith('.yaml') ? parse(text) : JSON.parse(text) };
}

type Value = Record<string, unknown>;
const isMap = (value: unknown): value is Value =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const at = (value: unknown, key: string): unknown => (isMap(value) ? value[key] : undefined);
const map = (value: unknown): Value => (isMap(value) ? value : {});
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function lookUp(root: unknown, value: unknown): Value {
  const reference = at(value, '$ref');
  if (typeof reference !== 'string') return map(value);
  const steps = reference
    .slice(2)
    .split('/')
    .map((step) => step.replaceAll('~1', '/'));
  return lookUp(root, steps.reduce<unknown>(at, root));
}

/** A value of this schema, as small as it may be but with all of its first level. */
function sample(schema: unknown, definitions: Value, depth = 0): unknown {
  const one = lookUp({ $defs: definitions }, schema);
  const [choice] = [...list(one['enum']), ...(one['const'] === undefined ? [] : [one['const']])];
  if (choice !== undefined) return choice;
  const [part] = [...list(one['allOf']), ...list(one['anyOf']), ...list(one['oneOf'])];
  const type = [one['type']].flat()[0];
  if (type === 'integer' || type === 'number') return 7;
  if (type === 'boolean') return true;
  if (type === 'array') return depth > 3 ? [] : [sample(one['items'], definitions, depth + 1)];
  if (type === 'object' || one['properties'] !== undefined) {
    const names = depth === 0 ? Object.keys(map(one['properties'])) : list(one['required']).map(String);
    return depth > 3
      ? {}
      : Object.fromEntries(
          names.map((name) => [name, sample(at(one['properties'], name), definitions, depth + 1)]),
        );
  }
  return part === undefined || depth > 3 ? 'a/b?c=%&d é' : sample(part, definitions, depth + 1);
}

/** A path in the document with what stands at its holes. */
function takenApart(template: string, path: string): Record<string, string> | null {
  const names: string[] = [];
  const pattern = template.replaceAll(/[.*+?^$()|[\]\\]|\{([^}]*)\}/g, (match, name?: string) => {
    if (name === undefined) return `\\${match}`;
    names.push(name);
    return '([^/]+)';
  });
  const match = new RegExp(`^${pattern}$`).exec(path);
  return match === null
    ? null
    : Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? '')]));
}

/** Arguments for a tool, from its own schema, each with characters that would end their place. */
export function sampleArguments(definition: unknown): Record<string, unknown> {
  const schema = map(at(definition, 'inputSchema'));
  const definitions = map(schema['$defs']);
  return Object.fromEntries(
    Object.entries(map(schema['properties'])).map(([name, one]) => [
      name,
      at(one, 'contentEncoding') === 'base64'
        ? Buffer.from('bytes').toString('base64')
        : sample(one, definitions),
    ]),
  );
}

/** A request as it was made, or as it arrived. */
export interface Sent {
  readonly method: string;
  /** Below the base of the API. */
  readonly target: string;
  readonly contentType: string | undefined;
  readonly body: string | null;
}

interface Entry {
  readonly item: Value;
  readonly operation: Value;
}

/** The document's entries for a method and a path. There may be two that are told apart by what is not sent. */
const operationsAt = (root: unknown, method: string, path: string): Entry[] =>
  Object.entries(map(at(root, 'paths')))
    .filter(
      ([one, item]) => one.replace(/\p{Cf}/gu, '') === path && at(item, method.toLowerCase()) !== undefined,
    )
    .map(([, item]) => ({ item: map(item), operation: map(at(item, method.toLowerCase())) }));

/**
 * Whether a request is one that the document allows for an operation, with the arguments where they belong.
 *
 * @param path of the operation, as the document writes it
 */
export function checkSent(root: unknown, path: string, args: Record<string, unknown>, sent: Sent): void {
  const [first, ...others] = operationsAt(root, sent.method, path);
  if (first === undefined) throw new Error(`the document has no ${sent.method} ${path}`);
  const fits = (entry: Entry): void => checkEntry(root, entry, { path, args, sent });
  try {
    fits(first);
  } catch (error) {
    if (others[0] === undefined) throw error;
    fits(others[0]);
  }
}

interface Call {
  readonly path: string;
  readonly args: Record<string, unknown>;
  readonly sent: Sent;
}

function checkEntry(root: unknown, { item, operation }: Entry, { path, args, sent }: Call): void {
  const url = new URL(`https://api.example.com${sent.target}`);
  const params = [...list(item['parameters']), ...list(operation['parameters'])].map((one) =>
    lookUp(root, one),
  );
  const inPath = takenApart(path, url.pathname);
  expect(inPath, `${path} ${url.pathname}`).not.toBeNull();
  for (const param of params) {
    const name = String(param['name']);
    const given = args[name];
    const isPlain = typeof given === 'string' || typeof given === 'number' || typeof given === 'boolean';
    if (param['in'] === 'path')
      expect(inPath?.[name]).toBe(isPlain ? String(given) : (inPath?.[name] ?? 'nothing'));
    if (param['in'] !== 'query') continue;
    if (param['required'] === true) expect([...url.searchParams.keys()]).toContain(name);
    if (isPlain && param['content'] === undefined)
      expect(url.searchParams.get(name), name).toBe(String(given));
  }
  checkQuery(root, params, url);
  checkBody(root, { ...operation, parameters: params }, args, sent);
}

/** Maps are written as their members where a style says so; all else has its own name. */
function checkQuery(root: unknown, params: readonly Value[], url: URL): void {
  const known = params.filter((param) => param['in'] === 'query');
  const isSpread = known.some((param) =>
    ['object', undefined].includes(typeNamed(lookUp(root, param['schema'] ?? param))),
  );
  const plain = (name: string): string => name.replace(/\[.*$/, '');
  if (isSpread) return;
  for (const name of url.searchParams.keys())
    expect(known.map((param) => plain(String(param['name'])))).toContain(plain(name));
}

const typeNamed = (schema: Value): string | undefined => {
  const type = [schema['type']].flat()[0];
  return typeof type === 'string' ? type : undefined;
};

function checkBody(root: unknown, operation: Value, args: Record<string, unknown>, sent: Sent): void {
  const types = Object.keys(map(lookUp(root, operation['requestBody'])['content']));
  const params = list(operation['parameters']).map(map);
  const isOld = params.some((param) => param['in'] === 'body');
  if (types.length === 0 && !isOld) {
    if (!params.some((param) => param['in'] === 'formData')) expect(sent.body).toBeNull();
    return;
  }
  const plain = (type: string | undefined): string => type?.split(';')[0] ?? '';
  if (types.length > 0) expect(types.map(plain)).toContain(plain(sent.contentType));
  if (plain(sent.contentType) !== 'application/json') return;
  const body: unknown = JSON.parse(sent.body ?? '');
  // The whole of it is an argument of its own, or each of its members is one.
  if (isDeepStrictEqual(body, args['body'])) return;
  for (const [name, value] of Object.entries(map(body)))
    expect([args[name], args[`body_${name}`], args[name.replaceAll(/[^\w.-]+/g, '_')]], name).toContainEqual(
      value,
    );
  expect(body).toBeTypeOf('object');
}
