/** The table of OpenAPI 3.1 section 4.8.12.6: each style, for an empty text, a text, a list and a map. */
import { describe, expect, it } from 'vitest';
import { compile, documentOf, faultOf, requestOf, toolNamed } from './compiled.ts';

const VALUES = {
  empty: '',
  string: 'blue',
  array: ['blue', 'black', 'brown'],
  object: { R: 100, G: 200, B: 150 },
} as const;

type Row = readonly [
  place: 'path' | 'query' | 'header' | 'cookie',
  style: string,
  explode: boolean,
  value: keyof typeof VALUES,
  expected: string,
];

/** Percent-encoded where the table shows plain characters: commas and brackets mean the same so. */
const TABLE: readonly Row[] = [
  ['path', 'label', false, 'string', '.blue'],
  ['path', 'label', false, 'array', '.blue,black,brown'],
  ['path', 'label', false, 'object', '.R,100,G,200,B,150'],
  ['path', 'label', true, 'string', '.blue'],
  ['path', 'label', true, 'array', '.blue.black.brown'],
  ['path', 'label', true, 'object', '.R=100.G=200.B=150'],
  ['path', 'simple', false, 'string', 'blue'],
  ['path', 'simple', false, 'array', 'blue,black,brown'],
  ['path', 'simple', false, 'object', 'R,100,G,200,B,150'],
  ['path', 'simple', true, 'string', 'blue'],
  ['path', 'simple', true, 'array', 'blue,black,brown'],
  ['path', 'simple', true, 'object', 'R=100,G=200,B=150'],
  ['header', 'simple', false, 'array', 'blue,black,brown'],
  ['header', 'simple', true, 'object', 'R=100,G=200,B=150'],
  ['query', 'form', false, 'empty', 'color='],
  ['query', 'form', false, 'string', 'color=blue'],
  ['query', 'form', false, 'array', 'color=blue,black,brown'],
  ['query', 'form', false, 'object', 'color=R,100,G,200,B,150'],
  ['query', 'form', true, 'empty', 'color='],
  ['query', 'form', true, 'string', 'color=blue'],
  ['query', 'form', true, 'array', 'color=blue&color=black&color=brown'],
  ['query', 'form', true, 'object', 'R=100&G=200&B=150'],
  ['query', 'spaceDelimited', false, 'array', 'color=blue%20black%20brown'],
  ['query', 'spaceDelimited', false, 'object', 'color=R%20100%20G%20200%20B%20150'],
  ['query', 'pipeDelimited', false, 'array', 'color=blue%7Cblack%7Cbrown'],
  ['query', 'pipeDelimited', false, 'object', 'color=R%7C100%7CG%7C200%7CB%7C150'],
  ['query', 'deepObject', true, 'object', 'color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150'],
  ['cookie', 'form', false, 'string', 'color=blue'],
  ['cookie', 'form', false, 'array', 'color=blue,black,brown'],
];

describe('a parameter', () => {
  it.each(TABLE)('in %s, style %s, explode %s, with %s', (place, style, explode, value, expected) => {
    const path = place === 'path' ? '/c/{color}' : '/c';
    const tool = toolNamed(
      compile(
        documentOf({
          [path]: {
            get: {
              operationId: 'paint',
              parameters: [
                { name: 'color', in: place, style, explode, required: place === 'path', schema: {} },
              ],
            },
          },
        }),
      ).tools,
      'paint',
    );
    const { target, fields } = requestOf(tool, { color: VALUES[value] });
    const written = {
      path: target.slice('/v1/c/'.length),
      query: target.slice('/v1/c?'.length),
      header: fields[0]?.[1],
      cookie: fields[0]?.[1],
    };
    expect(written[place]).toBe(expected);
  });

  it('is left out when it is null, or an empty list', () => {
    const [tool] = compile(
      documentOf({
        '/c': {
          get: {
            parameters: [
              { name: 'a', in: 'query' },
              { name: 'b', in: 'query' },
            ],
          },
        },
      }),
    ).tools;
    if (tool === undefined) throw new Error('no tool');
    expect(requestOf(tool, { a: null, b: [] }).target).toBe('/v1/c');
  });

  it('of a path that no request can be written for takes its operation with it', () => {
    const { tools, leftOut } = compile(
      documentOf({
        '/a/{x}': { get: { parameters: [{ name: 'x', in: 'path', required: true, style: 'matrix' }] } },
        '/b/{y}': { get: {} },
        '/c': { get: {} },
      }),
    );
    expect(tools.map(({ name }) => name)).toEqual(['get_c']);
    expect(leftOut).toEqual([
      'GET /a/{x}: the style of "x" is not supported',
      'GET /b/{y}: nothing says what {y} is',
    ]);
  });

  it('keeps the digits of a number that no double holds', () => {
    const [tool] = compile(
      documentOf({
        '/c/{id}': {
          post: {
            parameters: [{ name: 'id', in: 'path', required: true }],
            requestBody: {
              content: { 'application/json': { schema: { type: 'object', properties: { n: {} } } } },
            },
          },
        },
      }),
    ).tools;
    if (tool === undefined) throw new Error('no tool');
    const { target, body } = requestOf(
      tool,
      '{"id": 12345678901234567890, "n": {"big":  12345678901234567890.10}}',
    );
    expect(target).toBe('/v1/c/12345678901234567890');
    expect(body?.toString()).toBe('{"n":{"big":  12345678901234567890.10}}');
    expect(requestOf(tool, '{"id": 7.0}').target).toBe('/v1/c/7');
  });

  it('keeps them inside of lists and maps too, in every place', () => {
    const many = { type: 'array', items: { type: 'integer' } };
    const map = { type: 'object', additionalProperties: true };
    const form = { content: { 'application/x-www-form-urlencoded': { schema: map } } };
    const parameters = [
      { name: 'in', in: 'path', required: true, schema: many },
      { name: 'ids', in: 'query', schema: many },
      { name: 'map', in: 'query', schema: map },
      { name: 'deep', in: 'query', style: 'deepObject', schema: map },
      { name: 'X-Ids', in: 'header', schema: many },
    ];
    const document = documentOf({
      '/c/{in}': { post: { operationId: 'paint', parameters, requestBody: form } },
    });
    const tool = toolNamed(compile(document).tools, 'paint');
    const written =
      '{"in":[9007199254740993],"ids":[ 9007199254740993 , 12345678901234567890],"map":{"b":9007199254740993,"1":1.0},"deep":{"a":[9007199254740995],"m":{"n":9007199254740997}},"X-Ids":[9007199254740993,2],"body":{"id":9007199254740993,"more":{"of":9007199254740995}}}';
    const { target, fields, body } = requestOf(tool, written);
    expect(target).toBe(
      '/v1/c/9007199254740993?ids=9007199254740993&ids=12345678901234567890&b=9007199254740993&1=1&deep%5Ba%5D%5B%5D=9007199254740995&deep%5Bm%5D%5Bn%5D=9007199254740997',
    );
    expect(fields[0]).toEqual(['X-Ids', '9007199254740993,2']);
    expect(body?.toString()).toBe('id=9007199254740993&more%5Bof%5D=9007199254740995');
  });

  it('in a header takes nothing that could end it', () => {
    const [tool] = compile(
      documentOf({ '/c': { get: { parameters: [{ name: 'X-A', in: 'header' }] } } }),
    ).tools;
    if (tool === undefined) throw new Error('no tool');
    expect(requestOf(tool, { 'X-A': 'a b' }).fields).toEqual([['X-A', 'a b']]);
    for (const value of ['a\r\nX-B: 1', 'a\n', 'é', '\u0000', ' a'])
      expect(faultOf(tool, { 'X-A': value })).toBe('api_argument_header');
  });
});
