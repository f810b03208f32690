/**
 * References within one document (RFC 6901 pointers in `$ref`), followed when they are met and never before: documents of
 * this size with references in circles have no end when they are written out. What lies outside the document is not fetched.
 */
import { type Json, type JsonObject, limits } from '../../kernel/index.ts';
import { isList, isObject, own } from '../json-values.ts';

/** The keys of a pointer `#/a/b~1c`; null for what is none, such as another file's address. */
export function pointerSteps(reference: string): readonly string[] | null {
  if (reference === '#') return [];
  if (!reference.startsWith('#/')) return null;
  try {
    return reference
      .slice(2)
      .split('/')
      .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'));
  } catch {
    return null;
  }
}

/** What a pointer leads to; undefined where it leads nowhere. */
export function follow(root: JsonObject, reference: string): Json | undefined {
  const steps = pointerSteps(reference);
  if (steps === null) return undefined;
  let at: Json | undefined = root;
  for (const step of steps) {
    if (isList(at)) at = /^\d{1,6}$/.test(step) ? at[Number(step)] : undefined;
    else if (isObject(at)) at = own(at, step);
    else return undefined;
  }
  return at;
}

export const referenceIn = (value: JsonObject): string | undefined => {
  const reference = own(value, '$ref');
  return typeof reference === 'string' ? reference : undefined;
};

/** The object itself, or the one that its reference leads to; undefined where there is none, or only a circle. */
export function found(root: JsonObject, value: Json | undefined): JsonObject | undefined {
  let at = value;
  for (let hops = 0; hops <= limits.openApiReferenceHopsMax; hops += 1) {
    if (!isObject(at)) return undefined;
    const reference = referenceIn(at);
    if (reference === undefined) return at;
    at = follow(root, reference);
  }
  return undefined;
}
