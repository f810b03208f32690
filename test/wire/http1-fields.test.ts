import { describe, expect, it } from 'vitest';
import { type Fields, HEAD_ENCODING, requestHeadReader } from '../../src/wire/index.ts';

function fieldsOf(...lines: readonly string[]): Fields {
  const reader = requestHeadReader();
  reader.read(Buffer.from(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, HEAD_ENCODING), 0);
  if (reader.head === null) throw new Error(reader.error ?? 'incomplete');
  return reader.head.fields;
}

describe('fields', () => {
  it('keep names as written, and are found in lower case', () => {
    const written = [
      'Content-Type',
      'content-type',
      'CONTENT-TYPE',
      'cOnTeNt-TyPe',
      'X-Own',
      'x-own',
      'X-OWN',
    ];
    const fields = fieldsOf(...written.map((name, index) => `${name}: ${index}`));
    expect(fields.names).toEqual(written);
    expect(fields.keys).toEqual([...Array(4).fill('content-type'), ...Array(3).fill('x-own')]);
    expect(fields.values).toEqual(['0', '1', '2', '3', '4', '5', '6']);
    expect([fields.count('content-type'), fields.count('x-own'), fields.count('Content-Type')]).toEqual([
      4, 3, 0,
    ]);
    expect([fields.get('x-own'), fields.get('x-other')]).toEqual(['4', undefined]);
  });

  /* The reader knows usual names by a hash of ten bits, so that thousands of others meet the place of one. */
  it.each(['h', 'Host', 'host', 'Content-Length', 'content-length', 'transfer-encoding', 'Authorization'])(
    'take no name that begins with %s for another',
    (prefix) => {
      const names = Array.from(
        { length: 12_800 },
        (_, index) => `${prefix}${index.toString(36).padStart(3, '0')}`,
      );
      for (let from = 0; from < names.length; from += 128) {
        const chosen = names.slice(from, from + 128);
        expect(fieldsOf(...chosen.map((name) => `${name}: a`)).keys).toEqual(
          chosen.map((name) => name.toLowerCase()),
        );
      }
    },
  );

  it('give the members of a list over all its lines, in lower case', () => {
    const fields = fieldsOf('A: One, two ,\tTHREE', 'B: x', 'a: ,four,,', 'a:');
    expect(fields.list('a')).toEqual(['one', 'two', 'three', 'four']);
    expect(fields.list('none')).toEqual([]);
  });

  it('take nothing but blanks off a member', () => {
    expect(fieldsOf('A: \xa0close, close\xa0').list('a')).toEqual(['\xa0close', 'close\xa0']);
  });
});
