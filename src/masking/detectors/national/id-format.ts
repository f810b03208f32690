/** How states number their people: a form, a check, and whether the form alone is certain enough. */
import { isNaming, isNear, isUnnamed, type Words } from '../../context.ts';
import type { DigitDetector } from '../../detector.ts';
import { compact, isBare, matchAt } from '../../digit-run.ts';

export interface IdFormat {
  /** Where, and what: `us-ssn`. */
  readonly name: string;
  /** Letters before its first digit. */
  readonly letters?: number;
  /** As of a detector: how many digits come first, and what follows them. */
  readonly shapes: string;
  /** As it is written where that alone, with the check, is enough; sticky. */
  readonly certain?: RegExp;
  /** As it is written where a word near it must say so, too; sticky. */
  readonly likely?: RegExp;
  /** The words. */
  readonly words?: Words;
  /** Given its letters and digits alone, in upper case. */
  readonly check: (id: string) => boolean;
}

export function idDetector({
  name,
  letters = 0,
  shapes,
  certain,
  likely,
  words,
  check,
}: IdFormat): DigitDetector {
  return {
    name,
    kind: 'personal',
    letters,
    shapes: shapes.split(' '),
    mayBegin: (key) => certain !== undefined || (words !== undefined && key !== '' && isNaming(key, words)),
    matchDigits: (place, run) => {
      const start = run.start - letters;
      const isLikely = likely !== undefined && words !== undefined && !isUnnamed(place, start, words);
      if (certain === undefined && !isLikely) return null;
      // Most numbers of a length are not the ones of that length that are looked for: their digits are looked at first.
      if (isBare(run.shape) && letters === 0 && !check(run.digits)) return null;
      const written = certain === undefined ? null : matchAt(certain, place, start);
      if (written !== null && check(compact(written))) return { start, end: start + written.length };
      const other = isLikely ? matchAt(likely, place, start) : null;
      if (other === null || words === undefined || !check(compact(other))) return null;
      return isNear(place, start, words) ? { start, end: start + other.length } : null;
    },
  };
}
