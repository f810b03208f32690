/** Rules that mask, as they are carried from one thread to another, and what is made of them. */
import { compileMasking, type HashKey, type Masker, type MaskingRule } from '../../masking/index.ts';
import type { Maskers } from '../ports/masks.ts';

/** Plain data. */
export interface MaskRecipe {
  /** Of those with the same number everything else is the same, for as long as a pool of threads lasts. */
  readonly id: number;
  /** What is looked for anywhere; empty: nothing. */
  readonly whole: readonly MaskingRule[];
  /** All rules, where one of them is about places; else empty. */
  readonly placed: readonly MaskingRule[];
  /** Null: nothing is hashed. */
  readonly hashKey: Uint8Array | null;
}

/** @throws Error where a rule cannot be carried out: what is given was checked */
export function maskersFor({ whole, placed }: Omit<MaskRecipe, 'hashKey'>, hash: HashKey): Maskers {
  const compiled = (rules: readonly MaskingRule[]): Masker | null => {
    if (rules.length === 0) return null;
    const made = compileMasking(rules, { hash });
    if (!made.ok) throw new Error(made.error.message);
    return made.value;
  };
  return { whole: compiled(whole), placed: compiled(placed) };
}
