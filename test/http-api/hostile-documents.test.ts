/** Documents that somebody broke on purpose: each is tools or a fault, never an exception, and its tools are whole. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  buildRequest,
  describeOpenApi,
  parseBase,
  readOpenApi,
  takenBy,
  toolsFromOpenApi,
} from '../../src/http-api/index.ts';
import { type Json, type JsonObject, limits } from '../../src/kernel/index.ts';
import { compile, documentOf, seen, toolNamed } from './compiled.ts';

const three: JsonObject = {
  openapi: '3.0.3',
  info: { title: 'T', version: '1' },
  servers: [{ url: 'https://{a}.example/v1', variables: { a: { default: 'x' } } }],
  security: [{ key: [] }],
  components: {
    securitySchemes: {
      key: { type: 'apiKey', in: 'header', name: 'X-Key' },
      other: { $ref: '#/components/securitySchemes/key' },
    },
    parameters: { page: { name: 'page', in: 'query', schema: { type: 'integer', nullable: true } } },
    requestBodies: {
      pet: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } } },
    },
    schemas: {
      Pet: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, mother: { $ref: '#/components/schemas/Pet' } },
      },
      Any: { allOf: [{ $ref: '#/components/schemas/Pet' }], additionalProperties: { type: 'string' } },
    },
  },
  paths: {
    '/pets/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, style: 'label', schema: { type: 'string' } }],
      get: { operationId: 'getPet', tags: ['a'], parameters: [{ $ref: '#/components/parameters/page' }] },
      put: { requestBody: { $ref: '#/components/requestBodies/pet' }, security: [{}] },
      post: {
        requestBody: {
          required: true,
          content: {
            'multipart/form-data': {
              schema: {
                type: 'object',
                properties: {
                  file: { type: 'string', format: 'binary' },
                  tags: { type: 'array', items: {} },
                },
              },
              encoding: { file: { contentType: 'image/png' }, tags: { style: 'form', explode: false } },
            },
          },
        },
      },
    },
    '/alias': { $ref: '#/paths/~1pets~1{id}' },
  },
};

const two: JsonObject = {
  swagger: '2.0',
  info: { title: 'T', version: '1' },
  host: 'api.example',
  basePath: '/v1',
  schemes: ['https'],
  consumes: ['application/json'],
  securityDefinitions: { key: { type: 'basic' } },
  security: [{ key: [] }],
  parameters: { body: { in: 'body', name: 'body', schema: { $ref: '#/definitions/Pet' } } },
  definitions: {
    Pet: {
      type: 'object',
      properties: { name: { type: 'string', 'x-nullable': true }, mother: { $ref: '#/definitions/Pet' } },
    },
  },
  paths: {
    '/pets/{id}': {
      get: {
        parameters: [
          { name: 'id', in: 'path', required: true, type: 'string' },
          { name: 'ids', in: 'query', type: 'array', collectionFormat: 'multi', items: { type: 'string' } },
        ],
      },
      put: {
        parameters: [
          { name: 'id', in: 'path', required: true, type: 'string' },
          { $ref: '#/parameters/body' },
        ],
      },
      post: {
        consumes: ['multipart/form-data'],
        parameters: [{ name: 'file', in: 'formData', type: 'file' }],
      },
    },
  },
};

const WORDS = [
  '$ref',
  'properties',
  'paths',
  'get',
  'parameters',
  '__proto__',
  'constructor',
  'toString',
  'name',
  'in',
  'schema',
];
const REFERENCES = [
  '#',
  '#/',
  '#/paths',
  '#/components/schemas/Pet',
  '#/components/schemas/Pet/properties/mother',
  '#/paths/~1alias',
  '#/__proto__',
  'a.json#/b',
  '#/%zz',
  '#/servers/0',
];

const replacement: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    0,
    -1.5,
    '',
    'x',
    [],
    {},
    [[]],
    [null],
    'path',
    'query',
    'object',
    'matrix',
    'deepObject',
  ),
  fc.constantFrom(...REFERENCES).map((reference) => ({ $ref: reference })),
  fc.dictionary(
    fc.constantFrom(...WORDS),
    fc.constantFrom<Json>(null, 'x', [], {}, { $ref: '#/components/schemas/Pet' }),
  ),
  fc.array(fc.constantFrom<Json>(null, 'x', {}, { name: 'a', in: 'query' }, { $ref: '#' }), { maxLength: 3 }),
  fc.constantFrom(...REFERENCES),
);

/** The document with the node at a place, counted in its order, replaced. */
function broken(root: Json, at: number, by: Json): Json {
  let left = at;
  const walk = (value: Json): Json => {
    left -= 1;
    if (left === 0) return by;
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member)]));
  };
  return walk(root);
}

describe('a document that is made to be too much', () => {
  const toolsOf = (operation: object, more: object = {}) =>
    compile(documentOf({ '/a': { get: operation }, '/b': { get: { operationId: 'b' } } }, more));

  it('has a title of no more than anybody reads', () => {
    const { tools } = toolsOf({ operationId: 'a', summary: 'x'.repeat(2_000_000) });
    expect(tools.map(({ name, definition }) => [name, definition.length < 10_000])).toEqual([
      ['a', true],
      ['b', true],
    ]);
  });

  it.each([
    [
      'names of properties',
      { type: 'object', properties: { ['A'.repeat(limits.apiDefinitionCharsMax)]: true } },
    ],
    ['names that are required', { type: 'object', required: Array.from({ length: 300_000 }, () => 'xx') }],
    ['the name of a schema', { $ref: `#/components/schemas/${'A'.repeat(limits.apiDefinitionCharsMax)}` }],
  ])('leaves the operation out that has it: %s', (_name, schema) => {
    const parameters = [{ name: 'q', in: 'query', schema: { anyOf: [schema, { type: 'string' }] } }];
    const schemas = { ['A'.repeat(limits.apiDefinitionCharsMax)]: { type: 'string' } };
    const { tools, leftOut } = toolsOf({ operationId: 'a', parameters }, { components: { schemas } });
    expect(tools.map(({ name }) => name)).toEqual(['b']);
    expect(leftOut).toEqual(['GET /a: its schemas are too long']);
  });

  it('is not read at all where it is too much together', () => {
    const schema = { type: 'object', properties: { ['A'.repeat(900_000)]: true } };
    const operation = {
      parameters: [{ name: 'q', in: 'query', schema: { $ref: '#/components/schemas/S' } }],
    };
    const paths = Object.fromEntries(Array.from({ length: 80 }, (_, at) => [`/p${at}`, { get: operation }]));
    expect(() => compile(documentOf(paths, { components: { schemas: { S: schema } } }))).toThrow(
      'api_document_too_costly',
    );
  });

  it('gives many arguments of one name names of their own, without looking for each from the beginning', () => {
    const parameters = Array.from({ length: 20_000 }, (_, at) => ({
      name: `q${String.fromCharCode(0x4e00 + at)}`,
      in: 'query',
    }));
    const { tools } = toolsOf({ operationId: 'a', parameters });
    const { inputSchema } = seen(toolNamed(tools, 'a')) as { inputSchema: { properties: object } };
    expect(Object.keys(inputSchema.properties)).toHaveLength(20_000);
  });
});

describe('a broken document', () => {
  it.each([
    ['3.0', three],
    ['2.0', two],
  ])('of version %s is tools or a fault', (_version, whole) => {
    const base = parseBase('https://api.example');
    if (!base.ok) throw new Error('the base is wrong');
    let made = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 2, max: 130 }), replacement), { minLength: 1, maxLength: 3 }),
        fc.constantFrom(
          '{}',
          '{"id":"a","page":[1],"name":{"x":1},"file":"AA==","body":{"a":[{}]}}',
          '{"id":null,"ids":{"a":1},"body":7}',
        ),
        (changes, args) => {
          const text = JSON.stringify(changes.reduce<Json>((root, [at, by]) => broken(root, at, by), whole));
          const read = readOpenApi(text);
          if (!read.ok) return;
          expect(describeOpenApi(read.value).servers).toBeInstanceOf(Array);
          const compiled = toolsFromOpenApi(read.value, { filter: {}, base: base.value, taken: takenBy([]) });
          if (!compiled.ok) return;
          made += 1;
          for (const { name, definition, plan } of compiled.value.tools) {
            expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
            expect(JSON.parse(definition)).toMatchObject({ name, inputSchema: { type: 'object' } });
            const request = buildRequest(plan, args);
            if (request.ok) expect(request.value.target).toMatch(/^\/[\x21-\x7e]*$/);
          }
        },
      ),
      { numRuns: 600 },
    );
    expect(made).toBeGreaterThan(100);
  });
});
