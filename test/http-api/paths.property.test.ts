/** No value leaves its place: whatever is built is read alike by everybody, and stays below its template. */
import fc from 'fast-check';
import { describe, it, expect } from 'vitest';
import { normalizeTarget } from '../../src/wire/index.ts';
import { buildRequest } from '../../src/http-api/index.ts';
import { compile, documentOf, toolNamed } from './compiled.ts';

const tool = toolNamed(
  compile(
    documentOf({
      '/users/{id}/posts/{post}.json': {
        get: {
          operationId: 'post',
          parameters: [
            { name: 'id', in: 'path', required: true },
            { name: 'post', in: 'path', required: true },
            { name: 'q', in: 'query', allowReserved: true },
            { name: 'deep', in: 'query', style: 'deepObject' },
          ],
        },
      },
    }),
  ).tools,
  'post',
);

const TRICKY = fc
  .array(
    fc.constantFrom(
      '/',
      '..',
      '.',
      '%',
      '%2e',
      '%2F',
      '%5c',
      '\\',
      '?',
      '#',
      '&',
      '=',
      ';',
      'a',
      '0',
      ' ',
      '\t',
      '\n',
      'é',
      '$&',
      '{post}',
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((pieces) => pieces.join(''));

describe('the target of a call', () => {
  it('has the path of its template, and its parameters are what was given', () => {
    let built = 0;
    fc.assert(
      fc.property(TRICKY, TRICKY, TRICKY, TRICKY, (id, post, q, deep) => {
        const made = buildRequest(tool.plan, JSON.stringify({ id, post, q, deep: { [deep]: q } }));
        if (!made.ok) {
          expect(made.error.code).toBe('api_argument_path');
          return;
        }
        built += 1;
        const target = normalizeTarget(made.value.target);
        if (!target.ok) throw new Error(target.error);
        const mark = made.value.target.indexOf('?');
        const [path, query] = [made.value.target.slice(0, mark), made.value.target.slice(mark + 1)];
        const segments = path.split('/');
        expect(segments).toHaveLength(6);
        expect([segments[1], segments[2], segments[4]]).toEqual(['v1', 'users', 'posts']);
        expect(decodeURIComponent(segments[3] ?? '')).toBe(id);
        expect(decodeURIComponent(segments[5] ?? '')).toBe(`${post}.json`);
        const given = new URLSearchParams(query);
        expect(given.get('q')).toBe(q);
        expect(given.get(`deep[${deep}]`)).toBe(q);
        expect([...given.keys()]).toHaveLength(2);
      }),
      { numRuns: 2_000 },
    );
    expect(built).toBeGreaterThan(200);
  });
});
