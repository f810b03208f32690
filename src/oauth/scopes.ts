/** Scopes (RFC 6749 section 3.3): names between spaces, in the order in which they were first said. Pure. */
import { limits } from '../kernel/index.ts';

const NAME = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** What is no name of a scope is left out, and so is what is too many. */
export function scopesIn(text: string | null): readonly string[] {
  return unionOf((text ?? '').split(' ').filter((name) => NAME.test(name)));
}

export const unionOf = (...lists: readonly (readonly string[])[]): readonly string[] =>
  [...new Set(lists.flat())].slice(0, limits.oauthScopesMax);

/** What of `wanted` is not among `had`. */
export const beyond = (had: readonly string[], wanted: readonly string[]): readonly string[] =>
  wanted.filter((name) => !had.includes(name));
