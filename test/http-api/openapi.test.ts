/** Documents to tools: names, schemas that stand for themselves, bodies, hints, and what is left out. */
import { describe, expect, it } from 'vitest';
import { looksLikeOpenApi, readOpenApi } from '../../src/http-api/index.ts';
import { compile, credential, documentOf, faultOf, requestOf, seen, toolNamed } from './compiled.ts';

const text = { schema: { type: 'string' } };
const body = (type: string, schema: object, more: object = {}) => ({
  required: true,
  content: { [type]: { schema, ...more } },
});

describe('a document', () => {
  it.each([
    ['api_document_malformed', '{"openapi":'],
    ['api_document_malformed', 'openapi: [3'],
    ['api_document_malformed', '- a list'],
    ['api_document_malformed', 'openapi: 3.1.0\nopenapi: 3.0.0\npaths: {}'],
    ['api_document_version', '{"paths":{}}'],
    ['api_document_version', '{"openapi":"4.0.0","paths":{}}'],
    ['api_document_version', '{"openapi":"3.1.0"}'],
    ['api_document_too_deep', `{"openapi":"3.1.0","paths":${'['.repeat(200)}${']'.repeat(200)}}`],
    ['api_document_too_deep', 'openapi: 3.1.0\npaths: {a: .nan}'],
    ['api_document_too_large', `openapi: 3.1.0\n#${'x'.repeat(4 * 1024 * 1024)}`],
  ])('is refused with %s', (code, document) => {
    const read = readOpenApi(document);
    expect(read.ok ? 'read' : read.error.code).toBe(code);
  });

  it.each([
    [true, '{"info":{"title":"a"},"paths":{"/a":{}},"openapi":"3.1.0"}'],
    [true, '# a comment\ninfo: { title: a }\nswagger: "2.0"\n'],
    [true, "'openapi': 3.0.1"],
    [false, 'schemaVersion: 2\nserver:\n  openapi: 3.1.yaml\n'],
    [false, '{"schemaVersion":2,"server":{"kind":"api","openapi":"shop.json"}}'],
    [false, 'description: openapi: 3.1.0'],
  ])('is told from other files: %s, %j', (is, document) => {
    expect(looksLikeOpenApi(document)).toBe(is);
  });

  it('may call itself what it likes: a key like __proto__ is a key', () => {
    const { tools } = compile(
      documentOf({
        '/a': {
          get: { operationId: '__proto__', parameters: [{ name: '__proto__', in: 'query', ...text }] },
        },
      }),
    );
    const [tool] = tools;
    if (tool === undefined) throw new Error('no tool');
    expect(tool.name).toBe('proto');
    expect(requestOf(tool, '{"proto":"x"}').target).toBe('/v1/a?__proto__=x');
    expect(faultOf(tool, '{"__proto__":"x"}')).toBe('api_argument_unknown');
  });

  it('becomes one tool for each operation, with hints from its method', () => {
    const { tools } = compile(
      documentOf({
        '/pets': { get: { operationId: 'pets/list all', summary: 'List' }, post: {} },
        '/pets/{id}': {
          parameters: [{ name: 'id', in: 'path', required: true, ...text }],
          put: {},
          delete: {},
          head: {},
        },
      }),
    );
    expect(tools.map((tool) => [tool.name, seen(tool)['annotations']])).toEqual([
      ['pets_list_all', { title: 'List', readOnlyHint: true, openWorldHint: true }],
      ['post_pets', { readOnlyHint: false, openWorldHint: true }],
      ['head_pets_id', { readOnlyHint: true, openWorldHint: true }],
      [
        'put_pets_id',
        { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
      ],
      [
        'delete_pets_id',
        { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
      ],
    ]);
  });

  it('gives tools that share a name others, the same in any order', () => {
    const one = { get: { operationId: 'get it' } };
    const names = (paths: object) =>
      Object.fromEntries(
        compile(documentOf(paths)).tools.map(({ name, plan }) => [
          plan.kind === 'operation' ? plan.path : '',
          name,
        ]),
      );
    const there = names({
      '/a': one,
      '/b': { get: { operationId: 'get_it' } },
      '/c': { get: { operationId: 'c' } },
    });
    expect(there).toEqual({ '/a': 'get_a', '/b': 'get_b', '/c': 'c' });
    expect(
      names({ '/c': { get: { operationId: 'c' } }, '/b': { get: { operationId: 'get_it' } }, '/a': one }),
    ).toEqual(there);
  });

  it.each([
    [{ tags: ['a'] }, ['get_x', 'post_x']],
    [{ methods: ['GET'] as const }, ['get_x', 'get_x_y', 'get_x_id_z']],
    [{ paths: ['/x/*'] }, ['get_x_y']],
    [{ paths: ['/x/**'] }, ['get_x', 'post_x', 'get_x_y', 'get_x_id_z']],
    [{ paths: ['/x/{id}/z'] }, ['get_x_id_z']],
    [{ exclude: ['named', '/x'] }, ['get_x_y', 'get_x_id_z']],
  ])('is filtered by %j', (filter, names) => {
    const { tools } = compile(
      documentOf({
        '/x': { get: { tags: ['a', 'b'] }, post: { tags: ['a'] } },
        '/x/y': { get: { tags: ['b'] } },
        '/x/{id}/z': { get: { parameters: [{ name: 'id', in: 'path' }] } },
        '/n': { delete: { operationId: 'named' } },
      }),
      { filter },
    );
    expect(tools.map(({ name }) => name)).toEqual(names);
  });

  it('sends no part of a path that only tells it from another', () => {
    const { tools } = compile(
      documentOf({
        '/a': { get: {} },
        '/a\u200e': { post: {} },
        '/a#put': { put: {} },
        '/é?v=1': { get: { parameters: [{ name: 'q', in: 'query' }] } },
      }),
    );
    expect(tools.map((tool) => requestOf(tool, {}).target)).toEqual([
      '/v1/a',
      '/v1/a',
      '/v1/a',
      '/v1/%C3%A9?v=1',
    ]);
    expect(requestOf(toolNamed(tools, 'get_v_1'), { q: 2 }).target).toBe('/v1/%C3%A9?v=1&q=2');
  });

  it('says when nothing is chosen', () => {
    expect(() => compile(documentOf({ '/a': { get: {} } }), { filter: { tags: ['none'] } })).toThrow(
      'api_document_empty',
    );
  });
});

describe('a schema', () => {
  const circular = documentOf(
    {
      '/nodes': {
        post: {
          operationId: 'add',
          requestBody: body('application/json', { $ref: '#/components/schemas/Node' }),
        },
      },
    },
    {
      components: {
        schemas: {
          Node: {
            type: 'object',
            required: ['name', 'id'],
            properties: {
              id: { type: 'string', readOnly: true },
              name: { type: 'string', 'x-internal': 1 },
              children: { type: 'array', items: { $ref: '#/components/schemas/Node' } },
              label: { $ref: '#/components/schemas/A~1b' },
              lost: { $ref: '#/components/schemas/Nowhere' },
              other: { $ref: 'https://elsewhere.example/schema.json' },
            },
          },
          'A/b': { type: 'string', $id: 'https://a.example' },
          Unused: { type: 'string' },
        },
      },
    },
  );

  it('stands for itself, circles included, without what only answers have', () => {
    expect(seen(toolNamed(compile(circular).tools, 'add'))['inputSchema']).toEqual({
      type: 'object',
      properties: {
        name: { type: 'string' },
        children: { type: 'array', items: { $ref: '#/$defs/Node' } },
        label: { $ref: '#/$defs/A_b' },
        lost: {},
        other: {},
      },
      required: ['name'],
      additionalProperties: false,
      $defs: {
        A_b: { type: 'string' },
        Node: {
          type: 'object',
          required: ['name'],
          properties: {
            name: { type: 'string' },
            children: { type: 'array', items: { $ref: '#/$defs/Node' } },
            label: { $ref: '#/$defs/A_b' },
            lost: {},
            other: {},
          },
        },
      },
    });
  });

  it('that would grow without end is cut', () => {
    const wide = (depth: number): object =>
      depth === 0
        ? { type: 'string' }
        : { properties: Object.fromEntries(Array.from('abcdefgh').map((key) => [key, wide(depth - 1)])) };
    const { tools } = compile(
      documentOf({ '/a': { post: { requestBody: body('application/json', wide(6)) } } }),
    );
    expect(tools[0]?.definition.length).toBeLessThan(1_000_000);
    expect(tools[0]?.definition.length).toBeGreaterThan(50_000);
  });

  it('that hundreds of tools refer to is too much when it is large', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, at) => [`p${at}`, { type: 'string' }]),
    );
    const all = body('application/json', { $ref: '#/components/schemas/All' });
    const paths = Array.from({ length: 400 }, (_, at) => [`/p${at}`, { post: { requestBody: all } }]);
    const document = documentOf(Object.fromEntries(paths), {
      components: { schemas: { All: { properties } } },
    });
    expect(() => compile(document)).toThrow('api_document_too_costly');
    expect(compile(document, { filter: { paths: ['/p7'] } }).tools).toHaveLength(1);
  });

  it('keeps nothing of what is no schema, and no data without end', () => {
    const odd = {
      type: 'string',
      enum: ['a'],
      paths: { a: {} },
      examples: ['x'.repeat(20_000)],
      'x-a': 1,
      title: 't',
    };
    const { tools } = compile(
      documentOf({ '/a': { post: { requestBody: body('application/json', { properties: { odd } }) } } }),
    );
    expect(seen(toolNamed(tools, 'post_a'))['inputSchema']).toMatchObject({
      properties: { odd: { type: 'string', enum: ['a'], title: 't' } },
    });
    expect(tools[0]?.definition).not.toMatch(/paths|xxxx|x-a/);
  });

  it('of version 3.0 becomes one of JSON Schema, and Swagger 2.0 a document like others', () => {
    const three = compile(
      JSON.stringify({
        openapi: '3.0.3',
        paths: {
          '/a': {
            get: {
              parameters: [
                {
                  name: 'n',
                  in: 'query',
                  schema: { type: 'integer', nullable: true, minimum: 0, exclusiveMinimum: true },
                },
              ],
            },
          },
        },
      }),
    );
    expect(three.tools[0]?.definition).toContain('"n":{"type":["integer","null"],"exclusiveMinimum":0}');
    const two = compile(
      [
        'swagger: "2.0"',
        'consumes: [application/json]',
        'paths:',
        '  /pets/{id}:',
        '    post:',
        '      operationId: feed',
        '      parameters:',
        '        - { name: id, in: path, required: true, type: integer }',
        '        - { name: ids, in: query, type: array, items: { type: string }, collectionFormat: csv }',
        '        - { name: food, in: body, required: true, schema: { $ref: "#/definitions/Food" } }',
        'definitions:',
        '  Food: { type: object, required: [kind], properties: { kind: { type: string } } }',
      ].join('\n'),
    );
    const request = requestOf(toolNamed(two.tools, 'feed'), { id: 7, ids: ['a', 'b'], kind: 'hay' });
    expect([request.method, request.target, request.body?.toString()]).toEqual([
      'POST',
      '/v1/pets/7?ids=a,b',
      '{"kind":"hay"}',
    ]);
  });
});

describe('a body', () => {
  const tool = (requestBody: object, parameters: readonly object[] = []) => {
    const [made] = compile(documentOf({ '/a': { post: { parameters, requestBody } } })).tools;
    if (made === undefined) throw new Error('no tool');
    return made;
  };
  const sent = (requestBody: object, args: unknown) => {
    const request = requestOf(tool(requestBody), args);
    return [request.fields.find(([name]) => name === 'Content-Type')?.[1], request.body?.toString('latin1')];
  };
  const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

  it('is JSON of its own members, names that are taken by parameters told apart', () => {
    const made = tool(body('application/json', object({ id: {}, 'a b': {} })), [
      { name: 'id', in: 'query', ...text },
    ]);
    const request = requestOf(made, { id: 'q', body_id: 1, a_b: null });
    expect([request.target, request.body?.toString()]).toEqual(['/v1/a?id=q', '{"id":1,"a b":null}']);
  });

  it('is one argument where its members are not all said', () => {
    const any = body('application/json', object({ a: {} }, { additionalProperties: true }));
    expect(sent(any, { body: { a: 1, more: [2] } })).toEqual(['application/json', '{"a":1,"more":[2]}']);
    expect(faultOf(tool(any), {})).toBe('api_argument_missing');
    expect(sent(body('application/merge-patch+json', { type: 'array' }), { body: [1] })).toEqual([
      'application/merge-patch+json',
      '[1]',
    ]);
  });

  it('is a form: lists as one field each, maps as JSON, brackets where the document says so', () => {
    const schema = object({ t: {}, list: {}, map: { type: 'object' }, deep: { type: 'object' }, rows: {} });
    const form = body('application/x-www-form-urlencoded', schema, {
      encoding: { deep: { style: 'deepObject', explode: true }, rows: { style: 'deepObject' } },
    });
    expect(
      sent(form, {
        t: 'a&b=c',
        list: [1, 2],
        map: { a: 1 },
        deep: { a: { b: 'x y' } },
        rows: [{ id: 1 }, { id: 2 }],
      }),
    ).toEqual([
      'application/x-www-form-urlencoded',
      't=a%26b%3Dc&list=1&list=2&map=%7B%22a%22%3A1%7D&deep%5Ba%5D%5Bb%5D=x%20y&rows%5B0%5D%5Bid%5D=1&rows%5B1%5D%5Bid%5D=2',
    ]);
  });

  it('has parts, with bytes from base64, and a boundary that stands in none of them', () => {
    const schema = object({
      note: { type: 'string' },
      meta: { type: 'object' },
      file: { contentMediaType: 'application/octet-stream' },
    });
    const [type, bytes] = sent(body('multipart/form-data', schema), {
      note: '--sallyport-part-00000000\r\n',
      meta: { a: 1 },
      file: Buffer.from('\u0000bytes').toString('base64'),
    });
    expect(type).toBe('multipart/form-data; boundary=sallyport-part-00000001');
    expect(bytes).toBe(
      [
        '--sallyport-part-00000001',
        'Content-Disposition: form-data; name="note"',
        '',
        '--sallyport-part-00000000\r\n',
        '--sallyport-part-00000001',
        'Content-Disposition: form-data; name="meta"',
        'Content-Type: application/json',
        '',
        '{"a":1}',
        '--sallyport-part-00000001',
        'Content-Disposition: form-data; name="file"; filename="file"',
        'Content-Type: application/octet-stream',
        '',
        '\u0000bytes',
        '--sallyport-part-00000001--',
        '',
      ].join('\r\n'),
    );
  });

  it('is text, or bytes', () => {
    expect(sent(body('text/plain', { type: 'string' }), { body: 'plain "text"' })).toEqual([
      'text/plain',
      'plain "text"',
    ]);
    expect(sent(body('image/png', {}), { body: 'iVBORw==' })).toEqual(['image/png', '\u0089PNG']);
    expect(faultOf(tool(body('image/png', {})), { body: 'no base64!' })).toBe('api_argument_base64');
  });

  it.each([
    ['[]', 'api_argument_malformed'],
    ['{"a":1,"a":2}', 'api_argument_malformed'],
    ['{"a":"\\ud800"}', 'api_argument_malformed'],
    ['{"b":1}', 'api_argument_unknown'],
    ['{}', 'api_argument_missing'],
  ])('is not made of %s', (args, code) => {
    expect(faultOf(tool(body('application/json', object({ a: {} }, { required: ['a'] }))), args)).toBe(code);
  });
});

describe('what belongs to a credential', () => {
  const document = documentOf({
    '/a': {
      post: {
        parameters: [
          'X-Key',
          'Authorization',
          'Accept',
          'X-HTTP-Method-Override',
          'X_Original_URL',
          'Cookie',
          'X-Ok',
        ]
          .map((name): object => ({ name, in: 'header', required: true, ...text }))
          .concat([
            { name: 'api_key', in: 'query', required: true, ...text },
            { name: 'session', in: 'cookie', ...text },
          ]),
        requestBody: body('application/json', {
          type: 'object',
          properties: { token: {}, b: {} },
          required: ['token'],
        }),
      },
    },
  });

  it('is no argument', () => {
    const rules = [
      { header: 'x-key', format: '{token}' },
      { query: 'api_key' },
      { cookie: 'sid' },
      { json: '/token/value' },
    ];
    const [tool] = compile(document, { credentials: [credential(rules)] }).tools;
    if (tool === undefined) throw new Error('no tool');
    const request = requestOf(tool, { 'X-Ok': '1', b: 2 });
    expect([request.target, request.fields[0], request.body?.toString()]).toEqual([
      '/v1/a',
      ['X-Ok', '1'],
      '{"b":2}',
    ]);
    for (const name of [
      'X-Key',
      'Authorization',
      'api_key',
      'session',
      'token',
      'X-HTTP-Method-Override',
      'X_Original_URL',
      'Cookie',
    ])
      expect(faultOf(tool, { 'X-Ok': '1', [name]: 'mine' })).toBe('api_argument_unknown');
  });

  it('is one where no credential goes there', () => {
    const [tool] = compile(document).tools;
    if (tool === undefined) throw new Error('no tool');
    const request = requestOf(tool, { 'X-Key': 'k', 'X-Ok': '1', api_key: 'q', session: 's', token: 't' });
    expect([request.target, request.fields]).toEqual([
      '/v1/a?api_key=q',
      [
        ['X-Key', 'k'],
        ['X-Ok', '1'],
        ['Cookie', 'session=s'],
        ['Content-Type', 'application/json'],
      ],
    ]);
  });
});
