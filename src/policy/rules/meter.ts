/**
 * How much the functions of conditions have read for one decision. Arguments are hostile: what is allowed to each
 * function is not what is allowed to a hundred rules of ten functions each.
 */
import { limits } from '../../kernel/index.ts';

/** Thrown within a condition: it cannot be judged. */
export class Unjudged extends Error {
  override readonly name = 'Unjudged';
}

/** Shared by all conditions: they run to their end, one after the other, and never wait. */
let scannedChars = 0;

export function resetMeter(): void {
  scannedChars = 0;
}

/** A list that was made of texts, which can be longer than what it was made of has values. @throws Unjudged */
export function bounded(found: Iterable<string>): string[] {
  const list: string[] = [];
  for (const one of found) {
    if (list.length === limits.policyFoundMax)
      throw new Unjudged(`more than ${limits.policyFoundMax} were found`);
    list.push(one);
  }
  return list;
}

/** @throws Unjudged */
export function charge(chars: number): void {
  scannedChars += chars + 1;
  if (scannedChars > limits.policyScannedCharsMax)
    throw new Unjudged('the arguments are too large to be judged');
}
