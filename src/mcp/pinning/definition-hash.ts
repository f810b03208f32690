/**
 * The hash that a definition is approved by: over all of it, in a form in which the order of an object's members, spaces
 * and escapes do not count and everything else does. Numbers keep their text: `1.0` is not `1` to every client.
 *
 * Takes JSON that was checked. Members that are named twice both count, in their order.
 */
import { createHash } from 'node:crypto';
import { limits } from '../../kernel/index.ts';
import { canonicalJson, isWithinMeasure } from '../../wire/index.ts';

/** Whether a definition may be agreed to: one that is longer, or deeper, than anybody reads may not. */
export const isApprovable = (text: string): boolean =>
  text.length <= limits.definitionCharsMax &&
  isWithinMeasure(text, { depthMax: limits.jsonDepthMax, valuesMax: limits.definitionCharsMax });

/** `sha256-` and 64 hexadecimal digits. */
export function definitionHash(text: string): string {
  // To be told apart is all that what is never approved needs.
  const canonical = isApprovable(text) ? canonicalJson(text) : text;
  return `sha256-${createHash('sha256').update(canonical).digest('hex')}`;
}
