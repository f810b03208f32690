/**
 * What a hostile server answers to get something past masking, or to keep the gateway busy with it (ATTACKS 17, 22): each text
 * comes with a key in it, which must not pass; the control is the same text without, which must pass as it is.
 */
import { describe, expect, it } from 'vitest';
import { everything, githubToken, maskerOf } from '../masking/support.ts';

const CHARS = 200_000;

/** Around a place where the key may stand. */
const hostile: Readonly<Record<string, (key: string) => string>> = {
  'nesting beyond every limit': (key) => `${'['.repeat(5_000)}"${key}"${']'.repeat(5_000)}`,
  'an object that never ends': (key) => `{"a":{"b":"${key}",`,
  'the same key of an object twice': (key) => `{"a":"x","a":"${key}"}`,
  'a key of an object that is no word': (key) => `{"__proto__":{"constructor":"${key}"},"toString":1}`,
  'halves of surrogate pairs': (key) => `{"a":"\\ud800 ${key} \udc00"}`,
  'escapes that are none': (key) => `{"a":"\\q ${key} \\u12"}`,
  'numbers without end': (key) => `[${'9'.repeat(CHARS)},"${key}"]`,
  'beginnings of keys': (key) => `${'ghp_ sk-ant- eyJ '.repeat(CHARS / 20)}${key}`,
  'beginnings of armours': (key) =>
    `${`-----BEGIN ${['PRIVATE', 'KEY'].join(' ')}-----`.repeat(CHARS / 50)} ${key}`,
  'base64 without end': (key) => `${'QUJD'.repeat(CHARS / 4)} ${key}`,
  'backslashes without end': (key) => `${'\\'.repeat(CHARS)} ${key}`,
  'groups of digits without end': (key) => `${'4111 1111 '.repeat(CHARS / 50)}${key}`,
  'characters whose codes end like a quote': (key) => `{"a":"${'\u0122'.repeat(100)} ${key}"}`,
};

describe.each(Object.entries(hostile))('%s', (_, make) => {
  it('does not get a key past', () => {
    expect(everything.maskJson(make(githubToken)).text).not.toContain(githubToken.slice(4));
  });

  it('is no reason to mask anything', () => {
    const text = make('nothing');
    expect(everything.maskJson(text)).toEqual({ text, hits: [] });
  });
});

describe('patterns that others take forever for', () => {
  it.each(['(a+)+$', '(?:a|a)*b', '(?:a?){50}a{50}', '([a-zA-Z]+)*X'])('%s', (pattern) => {
    const masker = maskerOf({ id: 'slow', patterns: [`${pattern}Z`], strategy: { kind: 'redact' } });
    expect(masker.maskText(`${'a'.repeat(20_000)}!`).hits).toEqual([]);
  });
});
