import { describe, expect, it } from 'vitest';
import { isReadableType, withoutUnreadableCharsets } from '../../src/egress/charset.ts';

describe('a type that can be searched', () => {
  it.each([
    '',
    'text/html',
    'text/html; charset=utf-8',
    'text/html;charset="UTF-8"',
    'application/json; charset=utf8; profile=x',
    'text/plain; charset=ISO-8859-1',
    'text/plain; charset=Shift_JIS',
    'text/plain; charset=utf-16le',
    'text/plain; charset=utf8mb4',
    'text/plain; charset=',
    'text/plain; charset',
  ])('%j', (type) => {
    expect(isReadableType(type)).toBe(true);
  });

  it.each([
    'text/plain; charset=ibm037',
    'text/plain; charset=IBM1047',
    'text/plain;charset="cp500"',
    "text/plain; charset='cp500'",
    'text/plain; charset = UTF-7',
    'text/plain; charset=utf-32le',
    'text/plain; charset=hz-gb-2312',
    'text/plain; charset=iso-2022-jp',
    'text/plain; charset=csISO2022JP',
    'text/plain; charset=iso-2022-kr',
    'text/plain; charset=utf-8; charset=cp037',
    'text/plain; charset=cp037; charset=utf-8',
    "text/plain; charset*=us-ascii'en'cp037",
    'text/plain, text/html; charset=scsu',
    'text/plain; charset="utf-7',
  ])('not %j', (type) => {
    expect(isReadableType(type)).toBe(false);
  });

  it.each([
    ['text/html, */*;q=0.8', 'text/html, */*;q=0.8'],
    ['text/plain;charset=utf-8;q=0.5', 'text/plain;charset=utf-8;q=0.5'],
    ['text/plain; charset=ibm037; q=0.5, text/html', 'text/plain; q=0.5, text/html'],
    ['text/plain;CHARSET="UTF-7", */*', 'text/plain, */*'],
    ['text/plain ; charset=cp037 ; charset=utf-8', 'text/plain ; charset=utf-8'],
    ['text/plain;charset= ;charset=cp037', 'text/plain;charset= '],
  ])('is what %j asks for', (accept, expected) => {
    expect(withoutUnreadableCharsets(accept)).toBe(expected);
  });

  it('is not looked for in the same blanks again and again', () => {
    const accept = `text/plain; charset${' '.repeat(600_000)}x`;
    expect(withoutUnreadableCharsets(accept)).toBe(accept);
  });
});
