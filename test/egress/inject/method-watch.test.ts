import { describe, expect, it } from 'vitest';
import { watchMethods } from '../../../src/egress/inject/method-watch.ts';
import { Refusal } from '../../../src/egress/refusals.ts';
import { limits } from '../../../src/kernel/index.ts';

const FORM = 'application/x-www-form-urlencoded';
const MULTIPART = 'multipart/form-data; boundary=XX';
const JSON_TYPE = 'application/json; charset=utf-8';
const ANY = ['GET', 'PUT', 'PATCH', 'DELETE'];

/** What is found in a body that comes in these pieces. */
function found(type: string, pieces: readonly string[]): readonly (readonly string[])[] | null {
  const methods: (readonly string[])[] = [];
  const watch = watchMethods(type, (one) => {
    methods.push(one);
    return null;
  });
  if (watch === null) return null;
  for (const piece of pieces) expect(watch.push(Buffer.from(piece, 'latin1'))).toBe(null);
  expect(watch.end()).toBe(null);
  return methods;
}

const part = (head: string, content: string): string =>
  `--XX\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;

const NAMED: readonly [type: string, body: string, methods: readonly (readonly string[])[]][] = [
  [FORM, '_method=DELETE', [['DELETE']]],
  [FORM, 'a=1&_method=put&b=2', [['PUT']]],
  [FORM, '_method=PUT&_method=DELETE', [['PUT'], ['DELETE']]],
  [FORM, 'a=1;_method=DELETE;b', [['DELETE']]],
  [FORM, 'a&%5f%6D%65t%68od=DELETE', [['DELETE']]],
  [FORM, '+%20.method=DELETE', [['DELETE']]],
  [FORM, 'a=%26&[method%00x=DELETE', [['DELETE']]],
  [FORM, '_HttpMethod=PATCH', [['PATCH']]],
  [FORM, '_method=%44ELETE', [ANY]],
  [FORM, '_method=&x', []],
  ['', '_method=DELETE', [['DELETE']]],
  [`text/plain, ${FORM}`, '_method=DELETE', [['DELETE']]],
  [MULTIPART, `${part('name="_method"', 'DELETE')}--XX--\r\n`, [['DELETE']]],
  [MULTIPART, `${part('name="a"', '1')}${part('name=_method', 'put')}--XX--`, [['PUT']]],
  [MULTIPART, `${part('name="_method"\r\nContent-Type: text/plain', 'PATCH')}--XX--`, [['PATCH']]],
  [MULTIPART, `${part('name=" .method"', 'DELETE')}--XX--`, [['DELETE']]],
  [MULTIPART, `${part('filename="x"; name="_method"', 'a\nb')}--XX--`, [ANY]],
  [MULTIPART, part('name="_method"', 'DELETE'), [ANY]],
  [JSON_TYPE, '{"a":{},"_method":"DELETE"}', [['DELETE']]],
  [JSON_TYPE, '{"\\u005fm\\u0065thod" : "delete"}', [['DELETE']]],
  [JSON_TYPE, '{"_method":"\\u0044ELETE"}', [ANY]],
  [JSON_TYPE, '{"_method":null}', []],
];

const OTHER: readonly [type: string, body: string][] = [
  [FORM, 'method=DELETE&x_method=DELETE&a=_method'],
  [FORM, 'text=a%26_method=DELETE'],
  [FORM, '_methods=DELETE&_method_=x'],
  [MULTIPART, `${part('name="method"', 'DELETE')}${part('name="a"', '_method=DELETE')}--XX--`],
  [MULTIPART, `${part('name="_methods"', 'DELETE')}--XX--`],
  [JSON_TYPE, '{"method":"DELETE","a":"_method","b":"\\"_method\\":\\"DELETE\\""}'],
];

/** Split at every byte, and into single bytes. */
function* splits(body: string): Generator<readonly string[]> {
  for (let at = 0; at <= body.length; at += 1) yield [body.slice(0, at), body.slice(at)];
  yield Array.from(body);
}

describe('another method', () => {
  it.each(NAMED)('%s: %j names %j, split anywhere', (type, body, methods) => {
    for (const pieces of splits(body)) expect(found(type, pieces), JSON.stringify(pieces)).toEqual(methods);
  });

  it.each(OTHER)('%s: %j names none', (type, body) => {
    for (const pieces of splits(body)) expect(found(type, pieces)).toEqual([]);
  });

  it('is not looked for where nobody would', () => {
    expect(found('text/plain', ['_method=DELETE'])).toBe(null);
    expect(found('application/octet-stream', ['_method=DELETE'])).toBe(null);
  });

  it('is any where its value does not end, and holds no more than it has to', () => {
    const long = 'x'.repeat(limits.methodFieldBytesMax);
    expect(found(FORM, ['_method=', long, long])).toEqual([ANY]);
    expect(found(MULTIPART, [part('name="_method"', long), long])).toEqual([ANY]);
  });

  it('ends the search once it is refused', () => {
    let asked = 0;
    const watch = watchMethods(FORM, () => {
      asked += 1;
      return Refusal.of('egress_request_malformed');
    });
    expect(watch?.push(Buffer.from('_method=PUT&_method=DELETE&'))?.code).toBe('egress_request_malformed');
    expect(watch?.push(Buffer.from('_method=PUT&'))?.code).toBe('egress_request_malformed');
    expect(watch?.end()?.code).toBe('egress_request_malformed');
    expect(asked).toBe(1);
  });

  it.each([
    [FORM, '&'],
    [MULTIPART, 'name='],
    [MULTIPART, "name='"],
    [MULTIPART, "name=x''"],
    ['application/json', '"_method"'],
  ])('%s: is not looked for in the blanks behind %j again and again', (type, beginning) => {
    expect(found(type, [`${beginning}${' '.repeat(600_000)}x`])).toEqual([]);
  });
});
