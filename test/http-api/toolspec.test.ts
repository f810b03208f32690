/** Every form that a toolspec has: places, types, encodings, another base for one tool. */
import { describe, expect, it } from 'vitest';
import { takenBy, toolsFromToolSpec } from '../../src/http-api/index.ts';
import { parseToolSpec } from '../../src/manifest/index.ts';
import { credential, faultOf, requestOf, seen, toolNamed } from './compiled.ts';

const SPEC = `
schemaVersion: 1
name: shop
version: 1.0.0
baseUrl: https://api.example.com
tools:
  - name: find
    description: Find things
    method: GET
    path: /v1/shops/{shop}/things/{id}.json
    params:
      - { name: shop, in: path, type: integer, required: true, description: Number of the shop }
      - { name: id, in: path, type: string, required: true }
      - { name: "ids[]", in: query, type: array }
      - { name: near, in: query, type: object }
      - { name: deep, in: query, type: boolean }
      - { name: limit, in: query, type: number }
      - { name: X-Shop, in: header, type: string }
      - { name: X-Key, in: header, type: string }
  - name: add
    description: Add a thing
    method: POST
    path: /v1/things
    params:
      - { name: name, in: body, type: string, required: true }
      - { name: $set, in: body, type: object }
      - { name: tags, in: body, type: array }
      - { name: dry, in: query, type: boolean }
  - name: add_form
    description: Add a thing by form
    method: POST
    path: /v1/things
    encoding: form
    baseUrl: https://upload.example.com
    params:
      - { name: name, in: body, type: string }
      - { name: meta, in: body, type: object }
      - { name: tags, in: body, type: array }
  - { name: remove, description: Remove all, method: DELETE, path: "/v1/things(all='x')" }
`;

const { toolspec, errors } = parseToolSpec(SPEC, { file: 'shop.toolspec.yaml' });
if (toolspec === undefined) throw new Error(JSON.stringify(errors));
const compiled = toolsFromToolSpec(toolspec, takenBy([credential([{ header: 'x-key', format: '{token}' }])]));
if (!compiled.ok) throw new Error(compiled.error.code);
const { tools } = compiled.value;

describe('a tool of a toolspec', () => {
  it('is described by its parameters, without the credential', () => {
    const find = toolNamed(tools, 'find');
    expect(seen(find)).toMatchObject({
      description: 'Find things\n\nGET /v1/shops/{shop}/things/{id}.json',
      inputSchema: {
        properties: {
          shop: { type: 'integer', description: 'Number of the shop' },
          ids: { type: 'array', items: {} },
        },
        required: ['shop', 'id'],
        additionalProperties: false,
      },
      annotations: { readOnlyHint: true },
    });
    expect(find.definition).not.toContain('X-Key');
    expect(tools.map(({ name }) => name)).toEqual(['find', 'add', 'add_form', 'remove']);
  });

  it('sends path, query and headers', () => {
    const request = requestOf(toolNamed(tools, 'find'), {
      shop: 7,
      id: 'a b/c',
      ids: ['x', 'y'],
      near: { lat: 1.5 },
      deep: true,
      limit: 2.5,
      'X-Shop': 'one',
    });
    expect(request).toMatchObject({
      method: 'GET',
      host: 'api.example.com',
      target:
        '/v1/shops/7/things/a%20b%2Fc.json?ids%5B%5D=x&ids%5B%5D=y&near=%7B%22lat%22%3A1.5%7D&deep=true&limit=2.5',
      fields: [['X-Shop', 'one']],
      body: null,
    });
  });

  it('sends a body as JSON or as a form, to its own base', () => {
    const json = requestOf(toolNamed(tools, 'add'), { name: 'n', set: { a: [1] }, tags: ['t'], dry: false });
    expect([json.target, json.body?.toString()]).toEqual([
      '/v1/things?dry=false',
      '{"name":"n","$set":{"a":[1]},"tags":["t"]}',
    ]);
    const form = requestOf(toolNamed(tools, 'add_form'), {
      name: 'a&b',
      meta: { a: 1 },
      tags: [1, { b: 2 }],
    });
    expect([form.host, form.fields, form.body?.toString()]).toEqual([
      'upload.example.com',
      [['Content-Type', 'application/x-www-form-urlencoded']],
      'name=a%26b&meta=%7B%22a%22%3A1%7D&tags=1&tags=%7B%22b%22%3A2%7D',
    ]);
    expect(requestOf(toolNamed(tools, 'remove'), {})).toMatchObject({
      method: 'DELETE',
      target: "/v1/things(all='x')",
      body: null,
    });
  });

  it('takes no more than it says', () => {
    const find = toolNamed(tools, 'find');
    expect(faultOf(find, { shop: 7 })).toBe('api_argument_missing');
    expect(faultOf(find, { shop: 7, id: '..', extra: 1 })).toBe('api_argument_unknown');
    expect(faultOf(find, { shop: '..', id: 'x' })).toBe('api_argument_path');
    expect(faultOf(find, { shop: 7, id: 'x', 'X-Key': 'mine' })).toBe('api_argument_unknown');
  });
});
