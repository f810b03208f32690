/** Where the placeholders of a request go that the gateway makes itself: where the manifest says, and nowhere else. */
import { describe, expect, it } from 'vitest';
import type { CredentialBinding, InjectRule, OwnRequest } from '../../../src/egress/index.ts';
import { fillPlaces } from '../../../src/egress/own/fill-places.ts';

const request = (over: Partial<OwnRequest> = {}): OwnRequest => ({
  method: 'POST',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  target: '/v1/items?a=1',
  fields: [],
  body: null,
  ...over,
});
const binding = (inject: InjectRule[], over: Partial<CredentialBinding> = {}): CredentialBinding => ({
  name: 'KEY',
  placeholder: 'PH/1',
  hosts: ['api.test'],
  inject,
  ...over,
});
const filled = (
  inject: InjectRule[],
  over: Partial<OwnRequest> = {},
): Partial<OwnRequest> & { text?: string } => {
  const { target, fields, body } = fillPlaces(request(over), [binding(inject)]);
  return { target, fields, ...(body === null ? {} : { text: body.toString() }) };
};
const json = { fields: [['Content-Type', 'application/json; charset=utf-8']] } as const;
const form = { fields: [['Content-Type', 'application/x-www-form-urlencoded']] } as const;

describe('a placeholder', () => {
  it('goes into a header, in place of what stood there', () => {
    const rule = { header: 'Authorization', format: 'Bearer {token}' };
    expect(filled([rule]).fields).toEqual([['Authorization', 'Bearer PH/1']]);
    const had = filled([rule], { fields: [['authorization', 'Basic x']] });
    expect(had.fields).toEqual([['authorization', 'Bearer PH/1']]);
  });

  it('goes into every place that is declared', () => {
    const rules = [
      { header: 'X-Key', format: '{token}' },
      { header: 'X-Key-2', format: 'k={token}' },
    ];
    expect(filled(rules).fields).toEqual([
      ['X-Key', 'PH/1'],
      ['X-Key-2', 'k=PH/1'],
    ]);
  });

  it('goes into the query, coded, and replaces what the caller wrote there in whatever spelling', () => {
    expect(filled([{ query: 'key' }]).target).toBe('/v1/items?a=1&key=PH%2F1');
    expect(filled([{ query: 'key' }], { target: '/v1' }).target).toBe('/v1?key=PH%2F1');
    expect(filled([{ query: 'key' }], { target: '/v1?key=x&k%65y=y&b' }).target).toBe('/v1?b&key=PH%2F1');
  });

  it('goes into a multipart form as the last part, and into nothing else', () => {
    const fields = [['Content-Type', 'multipart/form-data; boundary="a b"']] as const;
    const body = Buffer.from(
      '--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\n--a b-\r\n--a b--\r\n',
    );
    expect(filled([{ multipart: 'key' }], { fields, body }).text).toBe(
      '--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\n--a b-\r\n--a b\r\nContent-Disposition: form-data; name="key"\r\n\r\nPH/1\r\n--a b--\r\n',
    );
    for (const [type, text] of [
      ['multipart/form-data; boundary=x', '--y--'],
      ['multipart/form-data', '--null--'],
      ['multipart/mixed; boundary=x', '--x--'],
      ['text/plain', '--x--'],
    ] as const)
      expect(
        filled([{ multipart: 'key' }], { fields: [['Content-Type', type]], body: Buffer.from(text) }).text,
      ).toBe(text);
  });

  it('goes into a cookie beside others', () => {
    expect(filled([{ cookie: 'sid' }], { fields: [['cookie', 'a=b']] }).fields).toEqual([
      ['cookie', 'a=b; sid=PH/1'],
    ]);
  });

  it('goes into the segment of the path that the rule names', () => {
    expect(filled([{ path: '/bot{token}/*' }], { target: '/bot/send?x=1' }).target).toBe(
      '/botPH%2F1/send?x=1',
    );
    expect(filled([{ path: '/a/b/{token}' }], { target: '/a' }).target).toBe('/a');
  });

  it('goes into a JSON body at its pointer, and leaves other bodies alone', () => {
    const deep = filled([{ json: '/auth/key' }], {
      ...json,
      body: Buffer.from('{"a":[1],"auth":{"b":2,"key":"x"}}'),
    });
    expect(deep.text).toBe('{"a":[1],"auth":{"b":2,"key":"PH/1"}}');
    expect(filled([{ json: '/key' }], { ...json, body: Buffer.from('nonsense') }).text).toBe('nonsense');
    expect(filled([{ json: '/key' }], { body: Buffer.from('{}') }).text).toBe('{}');
    expect(filled([{ json: '/__proto__/key' }], { ...json, body: Buffer.from('{}') }).text).toBe(
      '{"__proto__":{"key":"PH/1"}}',
    );
  });

  it.each([
    ['{"id": 9007199254740993, "n": 1.0}', '{"id": 9007199254740993, "n": 1.0,"a":{"key":"PH/1"}}'],
    ['{"a":{"key":"x","id":9007199254740993} }', '{"a":{"key":"PH/1","id":9007199254740993} }'],
    [' { } ', ' { "a":{"key":"PH/1"}} '],
    ['{"a":null,"b":1e2}', '{"a":{"key":"PH/1"},"b":1e2}'],
    ['{"a":[9007199254740993]}', '{"a":[9007199254740993]}'],
    ['{"a":{"key":1,"key":2}}', '{"a":{"key":"PH/1"}}'],
    ['{"a":1,"\\u0061":2}', '{"a":{"key":"PH/1"}}'],
    ['7', '{"a":{"key":"PH/1"}}'],
  ])('leaves all else of a JSON body as it was written: %s', (text, expected) => {
    expect(filled([{ json: '/a/key' }], { ...json, body: Buffer.from(text) }).text).toBe(expected);
  });

  it('goes into a form', () => {
    expect(filled([{ form: 'key' }], { ...form, body: Buffer.from('a=1&key=x') }).text).toBe(
      'a=1&key=PH%2F1',
    );
  });

  it('of each half makes Basic', () => {
    const user = binding([{ basic: 'user' }], { placeholder: 'me' });
    const password = binding([{ basic: 'password' }], { name: 'PASSWORD', placeholder: 'pass' });
    const coded = (pair: string) => [['Authorization', `Basic ${Buffer.from(pair).toString('base64')}`]];
    expect(fillPlaces(request(), [user, password]).fields).toEqual(coded('me:pass'));
    expect(fillPlaces(request(), [password]).fields).toEqual(coded(':pass'));
    const had = coded('client:').map(([name = '', value = '']) => [name, value] as const);
    expect(fillPlaces(request({ fields: had }), [password]).fields).toEqual(coded('client:pass'));
  });

  it.each<[string, Partial<CredentialBinding>]>([
    ['another host', { hosts: ['other.test'] }],
    ['another port', { ports: [8443] }],
    ['another method', { methods: ['GET'] }],
    ['another path', { paths: ['/v2'] }],
  ])('stays out of a request that its binding does not cover: %s', (_name, over) => {
    const rule = [{ header: 'X-Key', format: '{token}' }];
    expect(fillPlaces(request(), [binding(rule)]).fields, 'the control').toHaveLength(1);
    expect(fillPlaces(request(), [binding(rule, over)]).fields).toEqual([]);
  });
});
