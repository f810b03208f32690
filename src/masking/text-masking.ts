/**
 * What is to be masked in one text: what detectors and patterns find in it as it is, without its escapes, and in what it holds
 * in base64 or hex; each in turn, down to a depth.
 */
import { limits } from '../kernel/index.ts';
import type { Place } from './place.ts';
import { type Edit, resolve } from './edit.ts';
import { eachDecoded } from './encoded.ts';
import {
  type Unescaped,
  withoutBackslashes,
  withoutPercents,
  withoutReferences,
  withoutZeros,
  withZerosLike,
} from './escapes.ts';
import type { CompiledRules } from './rule.ts';
import { BACKSLASHES, PERCENTS, REFERENCES, type Scanner, ZEROS } from './scanner.ts';
import { bytesOf } from './text-bytes.ts';
import { type HashKey, replacementFor, strictnessOf } from './strategy.ts';

export const NO_EDITS: readonly Edit[] = [];

/** Made once for all texts. */
export interface Tools {
  readonly rules: CompiledRules;
  readonly scanner: Scanner;
  /** Only of what stays certain when texts are put together. */
  readonly joinScanner: Scanner;
  readonly hash: HashKey;
}

/** A replacement of a value by what its rule says. */
export function editFor(
  tools: Tools,
  value: string,
  range: { readonly start: number; readonly end: number },
  found: { readonly rule: number; readonly detector: string },
): Edit {
  const strategy = tools.rules.strategies[found.rule] ?? { kind: 'redact' };
  return {
    start: range.start,
    end: range.end,
    text: replacementFor(strategy, value, found.detector, tools.hash),
    rule: found.rule,
    strictness: strictnessOf(strategy),
    detector: found.detector,
    within: '',
  };
}

/** @returns edits of a part of a text, resolved; positions are those of the whole */
export function textEdits(tools: Tools, place: Place, layers: number): readonly Edit[] {
  const { text, bytes, from, to } = place;
  const { escapes, findings } = tools.scanner.scan(place);
  const isPatterned = tools.rules.patterns.length > 0;
  const isLong = layers > 0 && to - from >= limits.maskingEncodedCharsMin;
  if (findings.length === 0 && escapes === 0 && !isPatterned && !isLong) return NO_EDITS;
  const edits: Edit[] = findings.map((found) =>
    editFor(tools, text.slice(found.start, found.end), found, found),
  );
  const add = (edit: Edit): void => {
    edits.push(edit);
  };
  if (isPatterned) patternEdits(tools, place, add);
  if (layers > 0 && (escapes & ~ZEROS) !== 0) escapedEdits(tools, place, escapes, layers, add);
  if ((escapes & ZEROS) !== 0) wideEdits(tools, place, layers, add);
  if (isLong)
    eachDecoded(text, bytes, from, to, (decoded) => {
      for (const edit of wholeEdits(tools, decoded.text, place.key, layers - 1))
        add(decoded.encodeEdit(edit));
    });
  return resolve(edits);
}

/** The same of a number, of which most are nothing but digits. */
export function numberEdits(tools: Tools, place: Place, layers: number): readonly Edit[] {
  const { text, from, to } = place;
  if (tools.rules.patterns.length > 0 || to - from >= limits.maskingEncodedCharsMin)
    return textEdits(tools, place, layers);
  const found = tools.scanner.number(place);
  return found === null ? NO_EDITS : [editFor(tools, text.slice(found.start, found.end), found, found)];
}

/** Edits of a text by itself. */
export function wholeEdits(tools: Tools, text: string, key: string, layers: number): readonly Edit[] {
  const place = { text, bytes: bytesOf(text), from: 0, to: text.length, key };
  return textEdits(tools, place, layers);
}

function patternEdits(tools: Tools, { text, from, to }: Place, add: (edit: Edit) => void): void {
  const part = from === 0 && to === text.length ? text : text.slice(from, to);
  for (const { rule, pattern } of tools.rules.patterns) {
    for (const { start, end } of pattern.find(part)) {
      const range = { start: from + start, end: from + end };
      add(editFor(tools, part.slice(start, end), range, { rule, detector: 'pattern' }));
    }
  }
}

function escapedEdits(
  tools: Tools,
  { text, from, to, key }: Place,
  escapes: number,
  layers: number,
  add: (edit: Edit) => void,
): void {
  const part = text.slice(from, to);
  const readings: (Unescaped | null)[] = [
    (escapes & BACKSLASHES) === 0 ? null : withoutBackslashes(part),
    (escapes & PERCENTS) === 0 ? null : withoutPercents(part),
    (escapes & REFERENCES) === 0 ? null : withoutReferences(part),
  ];
  for (const reading of readings) {
    if (reading === null) continue;
    for (const edit of wholeEdits(tools, reading.text, key, layers - 1))
      add({ ...edit, start: from + reading.sourceOf(edit.start), end: from + reading.sourceOf(edit.end) });
  }
}

/** No layer by itself: what is without zeros stays so. */
function wideEdits(
  tools: Tools,
  { text, from, to, key }: Place,
  layers: number,
  add: (edit: Edit) => void,
): void {
  const part = text.slice(from, to);
  const narrow = withoutZeros(part);
  if (narrow === null) return;
  for (const edit of wholeEdits(tools, narrow.text, key, layers)) {
    const [start, end] = [narrow.sourceOf(edit.start), narrow.sourceOf(edit.end)];
    const written = withZerosLike(part.slice(start, end), edit.text);
    add({ ...edit, start: from + start, end: from + end, text: written });
  }
}
