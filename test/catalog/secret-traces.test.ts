import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { needlesOf, tracesIn } from './secret-traces.ts';

const SECRET = 'ghp_Xk29dQ+z/7LmVb4T1yHcR8sJnWe5';
const needles = needlesOf(SECRET, 'ghp_');

/** Surrounds a secret with other text, so that base64 and the like meet it in the middle of something. */
function within(text: string, before: number): Buffer {
  return Buffer.from(`${'x'.repeat(before)}${text} and more`);
}

describe('traces of a secret', () => {
  it('finds none in bytes that have none', () => {
    expect(tracesIn(randomBytes(100_000), needles)).toEqual([]);
    expect(tracesIn(Buffer.from('ghp_0000000000000000000000000000'), needles)).toEqual([]);
  });

  it.each([0, 1, 2])('finds it in base64 of a text in which it begins at byte %i', (before) => {
    const alignment = before % 3;
    const encoded = within(SECRET, before).toString('base64');
    expect(tracesIn(Buffer.from(encoded), needles)).toContain(`base64, alignment ${alignment}`);
    const forUrls = within(SECRET, before).toString('base64url');
    expect(tracesIn(Buffer.from(forUrls), needles)).toContain(`base64url, alignment ${alignment}`);
  });

  it.each([
    ['raw', (text: string) => Buffer.from(text)],
    ['hex', (text: string) => Buffer.from(Buffer.from(text).toString('hex'))],
    ['hex, upper case', (text: string) => Buffer.from(Buffer.from(text).toString('hex').toUpperCase())],
    ['percent, where needed', (text: string) => Buffer.from(encodeURIComponent(text))],
    ['UTF-16 LE', (text: string) => Buffer.from(text, 'utf16le')],
    ['UTF-16 BE', (text: string) => Buffer.from(text, 'utf16le').swap16()],
    ['JSON escapes', (text: string) => escaped(text, (code) => `\\u${code.toString(16).padStart(4, '0')}`)],
    ['percent', (text: string) => escaped(text, (code) => `%${code.toString(16)}`)],
    ['HTML, decimal', (text: string) => escaped(text, (code) => `&#${code};`)],
    ['HTML, hex', (text: string) => escaped(text, (code) => `&#x${code.toString(16)};`)],
  ])('finds it as %s', (encoding, encode) => {
    expect(tracesIn(encode(`before ${SECRET} after`), needles)).toContain(encoding);
  });

  it('finds any 23 bytes of it', () => {
    for (let at = 4; at + 23 <= SECRET.length; at += 1) {
      expect(tracesIn(Buffer.from(`part: ${SECRET.slice(at, at + 23)}`), needles)).toContain('raw');
    }
  });
});

function escaped(text: string, write: (code: number) => string): Buffer {
  return Buffer.from([...Buffer.from(text)].map(write).join(''));
}
