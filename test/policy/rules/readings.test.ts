import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/kernel/index.ts';
import { leadsElsewhere, plainReading, readingsOf } from '../../../src/policy/rules/readings.ts';

describe('what servers may make of a URI', () => {
  it.each([
    ['NOTES://a/x/../b', ['notes://a/b']],
    ['file:///a%2fb', ['file:///a/b']],
    ['file:///a%25252fb', ['file:///a/b']],
    ['file:///a//b?q#f', ['file:///a/b']],
    ['http://user:word@Host.example//a', ['http://host.example/a']],
    ['no uri at all?x', ['no uri at all']],
    ['notes://SECRET/A', ['notes://secret/A']],
    ['notes://a/x\\..\\b', ['notes://a/b']],
  ])('%s', (uri, readings) => {
    expect(readingsOf(uri)[0]).toBe(uri);
    expect(readingsOf(uri)).toEqual(expect.arrayContaining(readings));
  });

  it.each([
    ['file:///a/../b', true],
    ['file:///a/..', true],
    ['file:///a%2f%2e%2e%2fb', true],
    ['file:///a%252f.%25252e%5cb', true],
    ['file:///a/./b', true],
    ['file:///a/.\t./b', true],
    ['file:///a/%2e\n%2E/b', true],
    ['file:///a/..\r/b', true],
    ['file:///a/.%09./b', true],
    ['file:///a/.\tb./c', false],
    ['file:///a/...', false],
    ['file:///a..b/c', false],
    ['file:///a%20b?c=1', false],
  ])('%s leads elsewhere: %s', (uri, expected) => {
    expect(leadsElsewhere(uri)).toBe(expected);
  });

  it('is one name for all of it, to count by', () => {
    for (const uri of ['file:///a', 'FILE:///x/../%61?q', 'file:/a#1', 'file:////%2561', 'file:\\\\\\a'])
      expect(plainReading(uri), uri).toBe('file:///a');
    expect(plainReading('notes://N/a?b')).toBe('notes://n/a');
    expect(plainReading('no uri?x')).toBe('no uri');
  });

  it('is found for any text, a few for each, and none for what is as long as a book', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const readings = readingsOf(text);
        expect(readings[0]).toBe(text);
        expect(readings.length).toBeLessThan(20);
      }),
    );
    const book = `file:///${'%2e'.repeat(limits.policyUriCharsMax)}`;
    expect(readingsOf(book)).toEqual([book]);
  });
});
