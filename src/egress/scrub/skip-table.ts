/**
 * Where a match may begin, found without looking at most bytes (after Wu and Manber, 1994). Every spelling of
 * every pattern is at least `window` bytes long. The table knows all groups of three bytes that can stand in
 * the first `window` bytes of any spelling. When the last three bytes of a window are none of them, no match
 * begins in a place that would put them into its first `window` bytes, and all those places are skipped at once.
 */
import { limits } from '../../kernel/index.ts';
import { buildOpenings, type Opening } from './openings.ts';
import type { Pattern, Unit } from './pattern.ts';
import { type Tail, tailOf } from './tail.ts';

export const GRAM_BYTES = 3;
/** Binary logarithms of the smallest and the largest table; the larger, the fewer accidents, until caches miss. */
const TABLE_BITS_MIN = 12;
const TABLE_BITS_MAX = 18;
const SLOTS_PER_GRAM = 16;

export interface SkipTable {
  /** Bytes of the shortest spelling of the shortest pattern, up to a limit. */
  readonly window: number;
  /** By hash of three bytes: 1 when they can stand in a window, 0 when they cannot. */
  readonly known: Uint8Array;
  /** By hash of the first three bytes of a match: an index into `groups`. */
  readonly head: Uint16Array;
  readonly headShift: number;
  /** What may begin so; nothing in the first group. */
  readonly groups: readonly Group[];
  readonly openings: Opening;
  /** 32 minus the binary logarithm of the table's size, as `headShift`. */
  readonly knownShift: number;
  readonly tail: Tail;
}

/** Patterns of which the first three bytes are alike. */
interface Group {
  readonly patterns: readonly Pattern[];
  /** Whether a text may begin so, too; `openings` tells which. */
  readonly hasTexts: boolean;
}

/**
 * How far the window may move on where its last three bytes are known and the three before them are not: no match begins in a
 * place that would put those into its window. Texts of few characters, tables of numbers above all, hold known groups by
 * accident every few bytes, and would be read byte by byte otherwise. 0 for windows that have no three bytes before the last.
 *
 * @param lead bytes of the window before its last three
 */
export const stepBack = (lead: number): number => Math.max(0, lead + 1 - GRAM_BYTES);

/** The hash of three bytes, packed low byte first. */
export const hashOf = (gram: number, hashShift: number): number => Math.imul(gram, 0x9e3779b1) >>> hashShift;

/** @param patterns not empty, each with a shortest spelling of at least three bytes */
export function buildSkipTable(patterns: readonly Pattern[]): SkipTable {
  const window = Math.min(limits.scrubWindowBytesMax, ...patterns.map((pattern) => pattern.bytesMin));
  const widest = new Uint8Array(2 ** TABLE_BITS_MAX);
  const heads = new Map<number, Pattern[]>();
  for (const pattern of patterns) {
    markWindowGrams(pattern.units, window, widest);
    for (const gram of headGrams(pattern.units)) {
      const sharing = heads.get(gram);
      if (sharing === undefined) heads.set(gram, [pattern]);
      else sharing.push(pattern);
    }
  }
  return {
    window,
    ...foldKnown(widest),
    ...groupHeads(heads),
    openings: buildOpenings(patterns.filter(isText)),
    tail: tailOf(patterns),
  };
}

function bitsFor(grams: number): number {
  const bits = Math.ceil(Math.log2(grams * SLOTS_PER_GRAM));
  return Math.min(TABLE_BITS_MAX, Math.max(TABLE_BITS_MIN, bits));
}

/** The table as small as it may be: a hash of fewer bits is the beginning of the one of more. */
function foldKnown(widest: Uint8Array): Pick<SkipTable, 'known' | 'knownShift'> {
  const marked: number[] = [];
  for (let slot = widest.indexOf(1); slot >= 0; slot = widest.indexOf(1, slot + 1)) marked.push(slot);
  const bits = bitsFor(marked.length);
  const known = new Uint8Array(2 ** bits);
  for (const slot of marked) known[slot >>> (TABLE_BITS_MAX - bits)] = 1;
  return { known, knownShift: 32 - bits };
}

function groupHeads(
  heads: ReadonlyMap<number, readonly Pattern[]>,
): Pick<SkipTable, 'head' | 'headShift' | 'groups'> {
  const bits = bitsFor(heads.size);
  const headShift = 32 - bits;
  const head = new Uint16Array(2 ** bits);
  const groups: Set<Pattern>[] = [new Set()];
  for (const [gram, patterns] of heads) {
    const slot = hashOf(gram, headShift);
    if (head[slot] === 0) head[slot] = groups.push(new Set()) - 1;
    for (const pattern of patterns) groups[head[slot] ?? 0]?.add(pattern);
  }
  return {
    head,
    headShift,
    groups: groups.map((group) => ({
      patterns: [...group].filter((pattern) => !isText(pattern)),
      hasTexts: [...group].some(isText),
    })),
  };
}

const isText = ({ family }: Pattern): boolean => family === 'text';

/** Marks every three bytes that can stand in the first `window` bytes of a spelling, those that cross units included. */
function markWindowGrams(units: readonly Unit[], window: number, widest: Uint8Array): void {
  const mark = (gram: number): void => {
    widest[hashOf(gram, 32 - TABLE_BITS_MAX)] = 1;
  };
  let earliest = 0;
  for (const [index, unit] of units.entries()) {
    if (earliest + GRAM_BYTES > window) return;
    earliest += unit.bytesMin;
    const { edges } = unit;
    for (const gram of edges.inner) mark(gram);
    const after = units[index + 1]?.edges;
    if (after === undefined) return;
    const second = units[index + 2]?.edges;
    for (const byte of after.first1) for (const pair of edges.last2) mark(pair | (byte << 16));
    for (const last of edges.last1) {
      for (const pair of after.first2) mark(last | (pair << 8));
      for (const middle of after.only1) {
        for (const byte of second?.first1 ?? []) mark(last | (middle << 8) | (byte << 16));
      }
    }
  }
}

/** Every three bytes that a spelling can begin with. */
function headGrams(units: readonly Unit[]): Set<number> {
  const grams = new Set<number>();
  const [a, b, c] = [units[0]?.edges, units[1]?.edges, units[2]?.edges];
  for (const gram of a?.first3 ?? []) grams.add(gram);
  for (const pair of a?.only2 ?? []) for (const byte of b?.first1 ?? []) grams.add(pair | (byte << 16));
  for (const one of a?.only1 ?? []) {
    for (const pair of b?.first2 ?? []) grams.add(one | (pair << 8));
    for (const two of b?.only1 ?? []) {
      for (const byte of c?.first1 ?? []) grams.add(one | (two << 8) | (byte << 16));
    }
  }
  return grams;
}

/**
 * Whether a match may begin anywhere in a whole text of characters up to U+00FF. Looks at few of them and makes
 * no copy, so that it can be asked of every head.
 */
export function mayHoldMatch(
  { known, knownShift, head, headShift, window }: SkipTable,
  text: string,
): boolean {
  const lead = window - GRAM_BYTES;
  const back = stepBack(lead);
  const last = text.length - GRAM_BYTES;
  let at = lead;
  while (at <= last) {
    if (known[hashOf(gramIn(text, at), knownShift)] === 0) at += lead + 1;
    else if (back > 0 && known[hashOf(gramIn(text, at - GRAM_BYTES), knownShift)] === 0) at += back;
    else if (head[hashOf(gramIn(text, at - lead), headShift)] === 0) at += 1;
    else return true;
  }
  return false;
}

const gramIn = (text: string, at: number): number =>
  text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8) | (text.charCodeAt(at + 2) << 16);
