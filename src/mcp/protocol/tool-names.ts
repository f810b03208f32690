/**
 * Names at the endpoint of a whole profile: `<server>__<tool>`, only characters that every client takes, at most
 * 64 of them. What does not fit is cut and ends in a digest of the whole, so that the same tool has the same
 * name in every session and on every machine.
 */
import { limits } from '../../kernel/index.ts';

const SEPARATOR = '__';
/** Longest server part; the rest is the tool's. */
const SLUG_MAX = 24;
const DIGEST_CHARS = 7;
const ALLOWED = /^[A-Za-z0-9_-]+$/;

/**
 * 53-bit FNV-like digest as base 36. Not cryptographic: two tools of one server that are made to collide lose
 * one of the two, and hurt nobody else.
 */
function digest(text: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  const value = 4294967296 * (2097151 & low) + (high >>> 0);
  return value.toString(36).padStart(DIGEST_CHARS, '0').slice(-DIGEST_CHARS);
}

function fit(text: string, maxLength: number): string {
  if (text.length <= maxLength && ALLOWED.test(text)) return text;
  const cleaned = text.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, maxLength - DIGEST_CHARS - 1);
  return `${cleaned}_${digest(text)}`;
}

/** The part before the tool's name. A slug has no underscore, so the first separator ends it. */
export const namePrefix = (slug: string): string =>
  `${slug.length <= SLUG_MAX ? slug : `${slug.slice(0, SLUG_MAX - DIGEST_CHARS - 1)}-${digest(slug)}`}${SEPARATOR}`;

/** The name that a client of the whole profile sees. */
export function exposedName(slug: string, name: string): string {
  const prefix = namePrefix(slug);
  return prefix + fit(name, limits.mcpNameCharsMax - prefix.length);
}

/** How a name that was cut ends; a tool may be called so of its own, which only the server's list can tell. */
const MAYBE_CUT = /_[0-9a-z]{7}$/;

/** The server's own name behind an exposed one; null when it may have been cut and has to be looked up. */
export function plainName(slug: string, exposed: string): string | null {
  const name = exposed.slice(namePrefix(slug).length);
  return MAYBE_CUT.test(name) ? null : name;
}
