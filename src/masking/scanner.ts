/**
 * One pass over a text for all detectors: an automaton steps over every character, and only where a word of theirs ends, or a
 * number begins, is one of them asked. How many there are costs nothing where there is nothing.
 */
import { limits } from '../kernel/index.ts';
import { type Automaton, buildAutomaton } from './automaton.ts';
import {
  type Detector,
  type DigitDetector,
  isWordDetector,
  type Match,
  type WordDetector,
} from './detector.ts';
import type { Place } from './place.ts';
import { DigitRun, SHAPES, tablesOf } from './digit-run.ts';
import { NUMBER_BEGUN, NUMBER_COLUMNS, NUMBER_STATES } from './number-starts.ts';

/** A detector and the rule that names it. */
export interface Armed<Kind extends Detector = Detector> {
  readonly detector: Kind;
  readonly rule: number;
}

/** What was found, by whom, and whose rule it is. */
export interface Finding extends Match {
  readonly detector: string;
  readonly rule: number;
}

/** Escapes that a text has, as the scan saw them. */
export const BACKSLASHES = 1;
export const PERCENTS = 2;
export const REFERENCES = 4;
export const ZEROS = 8;
/** How they begin: more than a character of each, so that few places have to be looked at. */
const ESCAPES: ReadonlyMap<string, number> = new Map([
  ...Array.from('ux01234567"\'\\/`bfnrt', (letter) => [`\\${letter}`, BACKSLASHES] as const),
  ...Array.from('0123456789abcdef', (digit) => [`%${digit}`, PERCENTS] as const),
  ['\0', ZEROS],
  ...['&#', '&quot;', '&amp;', '&lt;', '&apos;'].map((start) => [start, REFERENCES] as const),
]);

/** What is to be done where a word ends. */
interface Ending {
  readonly length: number;
  readonly detectors: readonly Armed<WordDetector>[];
  readonly escape: number;
}

/** What the scan of one text found. */
export interface Scanned {
  /** Which escapes the text has. */
  readonly escapes: number;
  readonly findings: readonly Finding[];
}

const NO_ENDINGS: readonly Ending[] = [];
const NOTHING: Scanned = { escapes: 0, findings: [] };

export class Scanner {
  readonly #automaton: Automaton;
  /** By row of the automaton. */
  readonly #endings: readonly (readonly Ending[])[];
  /** By letters before, then by shape. */
  readonly #digits: readonly (readonly (readonly Armed<DigitDetector>[])[])[];
  readonly #run = new DigitRun();
  /** By key, then by shape: what may begin its value. */
  readonly #firstByKey = new Map<string, (readonly Armed<DigitDetector>[])[]>();

  constructor(armed: readonly Armed[]) {
    const byWord = new Map<string, Armed<WordDetector>[]>();
    const digits: Armed<DigitDetector>[] = [];
    for (const { detector, rule } of armed) {
      if (!isWordDetector(detector)) digits.push({ detector, rule });
      else
        for (const word of detector.words)
          byWord.set(word, [...(byWord.get(word) ?? []), { detector, rule }]);
    }
    const words = [...new Set([...byWord.keys(), ...ESCAPES.keys()])];
    this.#automaton = buildAutomaton(words);
    this.#digits = digits.length === 0 ? [] : tablesFor(digits);
    const endings = words.map((word) => ({
      length: word.length,
      detectors: byWord.get(word) ?? [],
      escape: ESCAPES.get(word) ?? 0,
    }));
    this.#endings = this.#automaton.words.map((ended) =>
      ended
        .flatMap((index) => endings[index] ?? [])
        .filter(({ detectors, escape }) => detectors.length > 0 || escape > 0),
    );
  }

  scan(place: Place): Scanned {
    const { bytes, from, to } = place;
    const { columns, next, hotFrom, widthBits } = this.#automaton;
    let findings: Finding[] | null = null;
    let state = 0;
    let numberState = 0;
    let escapes = 0;
    /** A number that was found goes on up to here. */
    let readUntil = this.#digits.length > 0 ? from : to;
    const numberColumns = NUMBER_COLUMNS;
    const numberStates = NUMBER_STATES;
    for (let at = from; at < to; at += 1) {
      // Nearly all of the time goes here: nothing else is in this loop, so that all of it stays in registers.
      for (; at < to; at += 1) {
        const byte = bytes[at] ?? 0;
        state = next[state + (columns[byte] ?? 0)] ?? 0;
        numberState = numberStates[numberState + (numberColumns[byte] ?? 0)] ?? 0;
        if (state >= hotFrom || numberState === NUMBER_BEGUN) break;
      }
      if (at === to) break;
      if (numberState === NUMBER_BEGUN && at >= readUntil) {
        const found = this.#number(place, at);
        if (found !== null) {
          readUntil = found.end;
          findings ??= [];
          findings.push(found);
        }
      }
      if (state < hotFrom) continue;
      const endings = this.#endings[state >>> widthBits] ?? NO_ENDINGS;
      for (let index = 0; index < endings.length; index += 1) {
        const ending = endings[index];
        if (ending === undefined) break;
        escapes |= ending.escape;
        if (ending.detectors.length === 0) continue;
        const found = askAll(ending, place, at + 1);
        if (found === null) continue;
        findings ??= [];
        findings.push(...found);
      }
    }
    if (findings !== null) return { escapes, findings };
    return escapes === 0 ? NOTHING : { escapes, findings: NOTHING.findings };
  }

  /** What a text of nothing but digits is. No word that is looked for is made of digits alone. */
  number(place: Place): Finding | null {
    return this.#digits.length === 0 ? null : this.#number(place, place.from);
  }

  /** Of what is asked about a group of digits, what may be the beginning of a value of the key. */
  #askedFirst(key: string): readonly Armed<DigitDetector>[] | undefined {
    const { shape } = this.#run;
    let known = this.#firstByKey.get(key);
    if (known === undefined) {
      if (this.#firstByKey.size >= limits.maskingContextKeysKept) this.#firstByKey.clear();
      known = [];
      this.#firstByKey.set(key, known);
    }
    known[shape] ??= (this.#digits[0]?.[shape] ?? []).filter(
      ({ detector }) => detector.mayBegin?.(key, shape) !== false,
    );
    return known[shape];
  }

  #number(place: Place, at: number): Finding | null {
    const run = this.#run;
    if (!run.read(place, at)) return null;
    const asked =
      at === place.from ? this.#askedFirst(place.key) : this.#digits[run.lettersBefore]?.[run.shape];
    if (asked === undefined || asked.length === 0) return null;
    for (const { detector, rule } of asked) {
      const match = detector.matchDigits(place, run);
      if (match !== null) return { ...match, detector: detector.name, rule };
    }
    return null;
  }
}

function askAll({ detectors, length }: Ending, place: Place, end: number): readonly Finding[] | null {
  let findings: Finding[] | null = null;
  for (let index = 0; index < detectors.length; index += 1) {
    const armed = detectors[index];
    const match = armed?.detector.match(place, end - length, end) ?? null;
    if (armed === undefined || match === null) continue;
    findings ??= [];
    findings.push({ start: match.start, end: match.end, detector: armed.detector.name, rule: armed.rule });
  }
  return findings;
}

function tablesFor(
  digits: readonly Armed<DigitDetector>[],
): readonly (readonly (readonly Armed<DigitDetector>[])[])[] {
  const most = Math.max(0, ...digits.map(({ detector }) => detector.letters));
  return Array.from({ length: most + 1 }, (_, letters) => {
    const tables: Armed<DigitDetector>[][] = Array.from({ length: SHAPES }, () => []);
    for (const each of digits) {
      if (each.detector.letters !== letters) continue;
      for (const table of new Set(each.detector.shapes.flatMap(tablesOf))) tables[table]?.push(each);
    }
    return tables;
  });
}
