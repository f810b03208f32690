/** What a detector is: it is told of places where a word of its own stands, or a number begins, and says what is there. */
import type { DigitRun } from './digit-run.ts';
import type { Place } from './place.ts';

/** Half-open range of what was found. */
export interface Match {
  readonly start: number;
  readonly end: number;
}

type DetectorKind = 'secret' | 'personal';

interface DetectorBase {
  readonly name: string;
  readonly kind: DetectorKind;
}

/** Every match of it has one of these words in it, at a place that the detector knows. */
export interface WordDetector extends DetectorBase {
  /** Lower case; found in either case. */
  readonly words: readonly string[];
  /** @param at where the word stands, @param end just past it */
  readonly match: (place: Place, at: number, end: number) => Match | null;
  /** True of what stays certain when texts are put together that were apart. */
  readonly isJoined: boolean;
}

/** Every match of it begins with a group of digits, or with a few letters and then one. */
export interface DigitDetector extends DetectorBase {
  /**
   * How many digits the first group has, and what follows it: `11` any but a letter, `4s` a separator and more digits or a
   * letter, `8l` a letter. Only such places are asked about.
   */
  readonly shapes: readonly string[];
  /** How many letters stand before it. */
  readonly letters: number;
  /** Whether a text that begins with such a group may be one, as the value of a key; absent: of any. */
  readonly mayBegin?: (key: string, shape: number) => boolean;
  readonly matchDigits: (place: Place, run: DigitRun) => Match | null;
}

export type Detector = WordDetector | DigitDetector;

export const isWordDetector = (detector: Detector): detector is WordDetector => 'words' in detector;
