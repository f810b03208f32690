/**
 * Published documents of large APIs, from the npm packages that carry them: each operation becomes a tool, and a call of it a
 * request that fits the document. Whether it fits is read from the document as it was published, by other means than the
 * code's: it is neither upgraded nor pruned here, and its paths are taken apart by pattern.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ApiTool } from '../../src/http-api/index.ts';
import { compile, requestOf, seen } from './compiled.ts';

const resolve = createRequire(import.meta.url).resolve;
const beside = (entry: string, file: string): string => join(dirname(resolve(entry)), file);

const DOCUMENTS = [
  {
    name: 'Figma (3.1, YAML)',
    file: beside('@figma/rest-api-spec', '../openapi/openapi.yaml'),
    operations: 54,
  },
  { name: 'Netlify (2.0)', file: beside('@netlify/open-api', 'swagger.json'), operations: 181 },
  {
    name: 'Directus (3.0)',
    file: join(dirname(import.meta.filename), '../../node_modules/@directus/openapi/dist/oas.json'),
    operations: 206,
  },
] as const;

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
  const match = new RegExp(`^/v1${pattern}$`).exec(path);
  return match === null
    ? null
    : Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? '')]));
}

describe.each(DOCUMENTS)('$name', ({ file, operations }) => {
  const text = readFileSync(file, 'utf8');
  const root: unknown = file.endsWith('.yaml') ? parse(text) : JSON.parse(text);
  const { tools, leftOut } = compile(text);

  it('becomes one tool for each operation, all with names that clients take', () => {
    expect(leftOut).toEqual([]);
    expect(tools).toHaveLength(operations);
    expect(new Set(tools.map(({ name }) => name)).size).toBe(operations);
    for (const { name } of tools) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  it('has calls that the document itself allows', () => {
    for (const tool of tools) checkCall(root, tool);
  });
});

function checkCall(root: unknown, tool: ApiTool): void {
  const { plan } = tool;
  if (plan.kind !== 'operation') throw new Error('no operation');
  const schema = map(seen(tool)['inputSchema']);
  const definitions = map(schema['$defs']);
  const args = Object.fromEntries(
    Object.entries(map(schema['properties'])).map(([name, one]) => [
      name,
      at(one, 'contentEncoding') === 'base64'
        ? Buffer.from('bytes').toString('base64')
        : sample(one, definitions),
    ]),
  );
  const request = requestOf(tool, args);
  const url = new URL(`https://api.example.com${request.target}`);
  const entry = Object.entries(map(at(root, 'paths'))).find(
    ([path, one]) =>
      path.replace(/\p{Cf}/gu, '') === plan.path && at(one, plan.method.toLowerCase()) !== undefined,
  );
  const item = map(entry?.[1]);
  const operation = map(item[plan.method.toLowerCase()]);
  const params = new Map(
    [...list(item['parameters']), ...list(operation['parameters'])].map((one) => {
      const param = lookUp(root, one);
      return [`${String(param['in'])} ${String(param['name'])}`, param];
    }),
  );
  const inPath = takenApart(plan.path, url.pathname);
  expect(inPath, `${plan.path} ${url.pathname}`).not.toBeNull();
  for (const [key, param] of params) {
    const [place, name] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
    if (param['required'] !== true) continue;
    if (place === 'path') expect(inPath?.[name]).toBeTypeOf('string');
    if (place === 'query') expect([...url.searchParams.keys()]).toContain(name);
  }
  // Maps are written as their members where a style says so; all else has its own name.
  const known = [...params.values()].filter((param) => param['in'] === 'query');
  const spread = known.some((param) =>
    ['object', undefined].includes(typeNamed(lookUp(root, param['schema'] ?? param))),
  );
  for (const name of url.searchParams.keys()) {
    const plain = name.replace(/\[.*$/, '');
    if (!spread) expect(known.map((param) => String(param['name']).replace(/\[.*$/, ''))).toContain(plain);
  }
  checkBody(
    root,
    { ...operation, parameters: [...params.values()] },
    {
      body: request.body,
      type: request.fields.find(([name]) => name === 'Content-Type')?.[1],
    },
  );
}

const typeNamed = (schema: Value): string | undefined => {
  const type = [schema['type']].flat()[0];
  return typeof type === 'string' ? type : undefined;
};

function checkBody(
  root: unknown,
  operation: Value,
  sent: { readonly body: Buffer | null; readonly type: string | undefined },
): void {
  const types = Object.keys(map(lookUp(root, operation['requestBody'])['content']));
  const old = list(operation['parameters'])
    .map((one) => lookUp(root, one))
    .find((param) => param['in'] === 'body');
  if (types.length === 0 && old === undefined) {
    if (!list(operation['parameters']).some((one) => lookUp(root, one)['in'] === 'formData'))
      expect(sent.body).toBeNull();
    return;
  }
  if (types.length > 0) expect(types.map((type) => type.split(';')[0])).toContain(sent.type?.split(';')[0]);
  if (sent.type === 'application/json') expect(() => JSON.parse(sent.body?.toString() ?? '')).not.toThrow();
}
