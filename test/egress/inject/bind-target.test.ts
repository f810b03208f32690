import { describe, expect, it } from 'vitest';
import { bindHead } from '../../../src/egress/inject/bind.ts';
import type { InjectRule } from '../../../src/egress/index.ts';
import { given } from './bound-request.ts';
import { bearer } from '../world.ts';

/** The refusal's code and place, or the kinds of the places that were found. */
function bind(placeholder: string, target: string, inject: readonly InjectRule[]): string {
  const { binder, request } = given([bearer({ placeholder, inject })], {}, target, { kind: 'none' });
  const refused = bindHead(request, binder);
  if (refused !== null) return `${refused.code}: ${refused.facts.place}`;
  return request.injections.map(({ place }) => place.kind).join(' ');
}

const PLACES: readonly InjectRule[] = [{ path: '/a/{token}' }, { query: 'k' }];
const MISPLACED = 'egress_placeholder_misplaced: ';

describe('a placeholder in a target', () => {
  it.each([
    ['abcdefghijklmnop', '/a/abcdefghijklmnop/b?k=abcdefghijklmnop', 'path query'],
    ['abcdefgh:ijklmnop', '/a/abcdefgh%3aijklmnop?k=abcdefgh%3Aijklmnop', 'path query'],
    ['abcdefgh=ijklmnop', '/?k=abcdefgh=ijklmnop', 'query'],
    /* Across what separates the parts of a target it is in none of them. */
    ['abcdefgh/ijklmnop', '/a/abcdefgh/ijklmnop', `${MISPLACED}the target`],
    ['abcdefgh?ijklmnop', '/a/abcdefgh?ijklmnop', `${MISPLACED}the target`],
    ['abcdefgh/ijklmnop', '/a/abcdefgh%2Fijklmnop', 'path'],
    ['abcdefgh=ijklmnop', '/?abcdefgh=ijklmnop', `${MISPLACED}the query`],
    ['k=abcdefghijklmnop', '/?k=abcdefghijklmnop', `${MISPLACED}the query`],
    /* Taking out what is in its place leaves no trace of another one. */
    ['abcdefghijklmnop', '/a/abcdefghijklmnop?k=1&j=abcdefghijklmnop', `${MISPLACED}the query`],
    ['abcdefghijklmnop', '/a/abcdefghijklmnop?k=abcdefghijklmnop&k', `${MISPLACED}the query`],
    ['abcdefghijklmnop', '/a/abcdefghijklmnop/abcdefghijklmnop', `${MISPLACED}the path`],
  ])('%s, %s: %s', (placeholder, target, expected) => {
    expect(bind(placeholder, target, PLACES)).toBe(expected);
  });
});
