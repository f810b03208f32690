/** Masked JSON still fits the schema that it had, as the validator of clients sees it, and says nothing of what was masked. */
import { fromJsonSchema } from '@modelcontextprotocol/client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitToSchema } from '../../../src/masking/index.ts';
import { maskerOf } from '../support.ts';

const masker = maskerOf({ id: 'r', keys: ['v', 'w'], strategy: { kind: 'redact' } });
const object = (v: object, more: object = {}): object => ({
  type: 'object',
  properties: { v, ok: {} },
  required: ['v'],
  ...more,
});

async function fitted(value: unknown, schema: object): Promise<unknown> {
  const before = JSON.stringify(value);
  const text = fitToSchema(before, masker.maskJson(before).text, JSON.stringify(schema));
  if (text === null) return null;
  const result: unknown = JSON.parse(text);
  return result;
}

const cases: readonly (readonly [string, unknown, object, unknown])[] = [
  ['what fits as it is', 'Ann', { type: 'string' }, '[masked:r]'],
  ['what may be null', 'Ann', { type: ['string', 'null'], maxLength: 3 }, null],
  ['a constant, which says nothing', 'one', { const: 'one' }, 'one'],
  ['a word of a list', 'b', { enum: ['a', 'b'] }, 'a'],
  ['an address', 'a@b.example', { type: 'string', format: 'email' }, 'masked@masked.invalid'],
  ['a URI', 'https://a.example/', { type: 'string', format: 'uri' }, 'masked:value'],
  ['a date', '2026-11-21', { type: 'string', format: 'date' }, '1970-01-01'],
  ['a moment', '2026-11-21T10:00:00Z', { type: 'string', format: 'date-time' }, '1970-01-01T00:00:00Z'],
  [
    'a UUID',
    '8f14e45f-ceea-467a-9575-1a2b3c4d5e6f',
    { type: 'string', format: 'uuid' },
    '00000000-0000-0000-0000-000000000000',
  ],
  ['a short text', 'Ann', { type: 'string', maxLength: 3 }, ''],
  ['a text of one length', 'Anna', { type: 'string', minLength: 4, maxLength: 4 }, '****'],
  ['digits', '1234', { type: 'string', pattern: '^[0-9]{4}$' }, '0000'],
  ['letters', 'DEF', { type: 'string', pattern: '^[A-Z]{3}$' }, 'XXX'],
  ['a number in a range', 42, { type: 'number', minimum: 10 }, 10],
  ['a number above', 42, { type: 'integer', exclusiveMinimum: 10 }, 11],
  ['one of several', 7, { anyOf: [{ type: 'boolean' }, { type: 'integer', minimum: 5 }] }, 5],
  [
    'all of several',
    'a@b.example',
    { allOf: [{ type: 'string' }, { format: 'email' }] },
    'masked@masked.invalid',
  ],
  [
    'a list of each once',
    ['a', 'b'],
    { type: 'array', items: { type: 'string' }, uniqueItems: true },
    ['[masked:r]'],
  ],
];

describe('a member that there has to be', () => {
  it.each(cases)('%s', async (_, value, v, expected) => {
    const schema = object(v);
    const result = await fitted({ v: value, ok: 1 }, schema);
    expect(result).toEqual({ v: expected, ok: 1 });
    const checked = await fromJsonSchema(schema)['~standard'].validate(result);
    expect(checked.issues).toBeUndefined();
  });
});

it('a member that may be left out is, where anything else would be taken for a value', async () => {
  const schema = object(
    {},
    {
      required: [],
      properties: { v: { type: 'string', format: 'date' }, w: { enum: ['a', 'b'] }, ok: {} },
    },
  );
  expect(await fitted({ v: '2026-11-21', w: 'b', ok: 1.5 }, schema)).toEqual({ ok: 1.5 });
});

it('is followed through references and alternatives', async () => {
  const schema = {
    $defs: {
      mail: { type: 'object', properties: { v: { type: 'string', format: 'email' } }, required: ['v'] },
    },
    type: 'object',
    properties: {
      list: {
        type: 'array',
        items: {
          oneOf: [
            { $ref: '#/$defs/mail' },
            {
              type: 'object',
              properties: { kind: { const: 'n' }, v: { type: 'integer', minimum: 3 } },
              required: ['kind'],
            },
          ],
        },
      },
    },
  };
  expect(await fitted({ list: [{ v: 'a@b.example' }, { kind: 'n', v: 9 }] }, schema)).toEqual({
    list: [{ v: 'masked@masked.invalid' }, { kind: 'n' }],
  });
});

it('what nothing fits is told', async () => {
  expect(await fitted({ v: 'abcd' }, object({ type: 'string', pattern: '^(abc)d$' }))).toBeNull();
  expect(await fitted({ v: 'abcd' }, object({ type: 'string', pattern: '(?=look)' }))).toBeNull();
});

it('schemas that lead everywhere at once come to an end', async () => {
  const loop = { $defs: { a: { allOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] } }, $ref: '#/$defs/a' };
  expect(await fitted({ v: 'x' }, loop)).toBeDefined();
  const deep = { type: 'string', pattern: '(?:a?){30}{30}' };
  expect(await fitted({ v: 'x' }, object(deep))).toBeNull();
});

it('whatever was there, the same takes its place', async () => {
  const schema = object({ type: 'string', format: 'email', maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1 }), async (value) => {
      expect(await fitted({ v: value }, schema)).toEqual({ v: 'masked@masked.invalid' });
    }),
  );
});
