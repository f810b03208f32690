/** The words that searches compare. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText } from './any-text.ts';
import { synonymsOf } from '../../../src/mcp/search/synonyms.ts';
import { wordsOf } from '../../../src/mcp/search/words.ts';

describe('words', () => {
  it.each([
    ['create_pull_request', ['creat', 'pull', 'request']],
    ['listDirectoryWithSizes', ['list', 'directory', 'siz']],
    ['getHTTPResponse s3', ['get', 'http', 'respons', 's3']],
    ['Lists the files of a directory.', ['list', 'fil', 'directory']],
    ['queries, query; querying', ['query', 'query', 'query']],
    ['running merged stopped batches', ['run', 'merg', 'stop', 'batch']],
    ['status address is', ['status', 'address']],
    ['Größe prüfen', ['größe', 'prüfen']],
    ['ﬁle １２', ['fil', '12']],
    ['検索する', ['検索', '索す', 'する']],
    ['', []],
    ['?! …', []],
    ['x'.repeat(41), []],
  ])('of %j are %j', (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  it('are the same however a text is spaced or written in capitals', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{2,12}$/)), (words) => {
        const plain = wordsOf(words.join(' '));
        expect(wordsOf(words.join('_'))).toEqual(plain);
        expect(wordsOf(words.join(' -- ').toUpperCase())).toEqual(plain);
      }),
    );
  });

  it('hold nothing that is no word, whatever the text', () => {
    fc.assert(
      fc.property(anyText(200), (text) => {
        expect(wordsOf(text).filter((word) => !/^[\p{L}\p{N}\p{M}]{1,40}$/u.test(word))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

it('synonyms go both ways, and no word is one of itself', () => {
  const of = (word: string): string[] => [...synonymsOf(word)];
  expect(of('remov')).toContain('delet');
  expect(of('delet')).toContain('remov');
  expect(of('constructor')).toEqual([]);
  for (const word of ['creat', 'list', 'query', 'fil']) {
    expect(of(word)).not.toEqual([]);
    expect(of(word)).not.toContain(word);
    for (const other of of(word)) expect(of(other)).toContain(word);
  }
});
