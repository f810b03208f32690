import { describe, expect, it } from 'vitest';
import { bindHead } from '../../../src/egress/inject/bind.ts';
import { planBody } from '../../../src/egress/inject/body-plan.ts';
import type { InjectRule } from '../../../src/egress/index.ts';
import { limits } from '../../../src/kernel/index.ts';
import type { BodyFraming } from '../../../src/wire/index.ts';
import { given } from './bound-request.ts';
import { bearer } from '../world.ts';

const hmac = {
  header: 'X-S',
  format: '{signature}',
  over: 'body',
  algorithm: 'sha256',
  encoding: 'hex',
} as const;
const ALL: readonly InjectRule[] = [
  { json: '/k' },
  { form: 'k' },
  { multipart: 'k' },
  { header: 'A', format: '{token}' },
];
const SMALL: BodyFraming = { kind: 'length', bytes: limits.requestBodyWaitBytesMax };
const LARGE: BodyFraming = { kind: 'length', bytes: limits.requestBodyWaitBytesMax + 1 };
const CHUNKED: BodyFraming = { kind: 'chunked' };

function plan(
  headers: Readonly<Record<string, string>>,
  framing: BodyFraming,
  inject: readonly InjectRule[] = ALL,
): string {
  const { binder, request } = given([bearer({ paths: ['/v1'], inject })], headers, '/v1', framing);
  expect(bindHead(request, binder)).toBe(null);
  planBody(request, binder);
  return `${request.reading.kind} ${request.bodyMode}`;
}
const type = (value: string): Record<string, string> => ({ 'Content-Type': value });
const FORM = type('application/x-www-form-urlencoded; charset=utf-8');
const MULTIPART = type('multipart/form-data; boundary=a');

describe('what is done with a body', () => {
  it.each([
    ['JSON', type('application/json'), 'json whole', 'json whole'],
    ['JSON by another name', type('Application/vnd.api+JSON; x=y'), 'json whole', 'json whole'],
    ['a form', FORM, 'form whole', 'form stream'],
    ['a multipart form', MULTIPART, 'multipart whole', 'multipart stream'],
    ['a multipart form without a boundary', type('multipart/form-data'), 'opaque whole', 'opaque stream'],
    [
      'a form in EBCDIC',
      type('application/x-www-form-urlencoded; charset=ibm037'),
      'opaque whole',
      'opaque stream',
    ],
    ['JSON in UTF-7', type('application/json; charset="utf-7"'), 'opaque whole', 'opaque stream'],
    ['JSON in two sets', type('application/json; charset=utf-8; Charset=x'), 'opaque whole', 'opaque stream'],
    ['JSON in an extended set', type("application/json; charset*=''utf-7"), 'opaque whole', 'opaque stream'],
    ['JSON in UTF-8', type('application/json; charset="UTF-8"; x=y'), 'json whole', 'json whole'],
    ['text', type('text/json'), 'opaque whole', 'opaque stream'],
    ['a body of no type', {}, 'opaque whole', 'opaque stream'],
    ['a coded form', { ...FORM, 'Content-Encoding': 'gzip' }, 'coded whole', 'coded stream'],
    ['a form that is not coded', { ...FORM, 'Content-Encoding': 'identity' }, 'form whole', 'form stream'],
    ['a form under an unknown coding', { ...FORM, 'Content-Encoding': 'x' }, 'opaque whole', 'opaque stream'],
  ])('%s', (_name, headers, small, large) => {
    expect([SMALL, LARGE, CHUNKED].map((framing) => plan(headers, framing))).toEqual([small, large, large]);
    expect(plan(headers, { kind: 'none' })).toBe('opaque none');
  });

  it('is decided by what is declared', () => {
    for (const headers of [type('application/json'), FORM, MULTIPART])
      expect(plan(headers, LARGE, [{ query: 'k' }])).toBe('opaque stream');
    expect(plan(FORM, LARGE, [{ json: '/k' }, { multipart: 'k' }])).toBe('opaque stream');
    expect(plan(MULTIPART, LARGE, [{ form: 'k' }])).toBe('opaque stream');
  });

  it('is nothing special where the request is not covered', () => {
    const { request } = given(
      [bearer({ paths: ['/v1'], inject: ALL })],
      type('application/json'),
      '/v2',
      LARGE,
    );
    expect([request.reading.kind, request.bodyMode]).toEqual(['opaque', 'stream']);
  });

  it('is waited for where it may be signed', () => {
    expect(plan({ 'X-S': 'ab' }, LARGE, [{ hmac }])).toBe('opaque whole');
    expect(plan({ 'X-Other': 'ab' }, LARGE, [{ hmac }])).toBe('opaque stream');
    expect(plan({ ...FORM, 'X-S': 'ab' }, CHUNKED, [{ hmac }, { form: 'k' }])).toBe('form whole');
  });
});
