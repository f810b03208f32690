/**
 * Where a match may begin, found without looking at most bytes (after Wu and Manber, 1994). Every spelling of
 * every pattern is at least `window` bytes long. For each three bytes the table says how far they are from the
 * end of a window in which they could stand; reading the last three bytes of a window thus tells how many
 * starts are impossible. Built by walking every spelling of the first `window` bytes of every pattern.
 */
import { limits } from '../../kernel/index.ts';
import type { Pattern, Unit } from './pattern.ts';
import { nodesOf, type TrieNode } from './trie.ts';

const GRAM_BYTES = 3;

export interface SkipTable {
  /** Bytes of the shortest spelling of the shortest pattern, up to a limit. */
  readonly window: number;
  /** By hash of three bytes: starts to skip when they end a window. */
  readonly shift: Uint8Array;
  /** By hash of the first three bytes of a match: 0 for none, else an index into `groups`. */
  readonly head: Uint16Array;
  /** Patterns that may begin so. */
  readonly groups: readonly (readonly Pattern[])[];
  /** By first byte of a match: patterns that may begin so. */
  readonly first: readonly (readonly Pattern[])[];
  /** 32 minus the binary logarithm of the tables' size. */
  readonly hashShift: number;
}

/** The hash of three bytes; the scanning loop has it inlined. */
export const hashOf = (a: number, b: number, c: number, hashShift: number): number =>
  Math.imul(a | (b << 8) | (c << 16), 0x9e3779b1) >>> hashShift;

/** @param patterns not empty, each with a shortest spelling of at least three bytes */
export function buildSkipTable(patterns: readonly Pattern[]): SkipTable {
  const window = Math.min(limits.scrubWindowBytesMax, ...patterns.map((pattern) => pattern.bytesMin));
  const distances = new Map<number, number>();
  const heads = new Map<number, Set<Pattern>>();
  const first: Pattern[][] = Array.from({ length: 256 }, () => []);
  for (const pattern of patterns) {
    walkWindow(pattern, window, distances);
    const root = pattern.units[0]?.trie;
    for (const byte of root?.bytes ?? []) first[byte]?.push(pattern);
    for (const gram of gramsFrom(pattern.units, 0, root)) {
      heads.set(gram, (heads.get(gram) ?? new Set()).add(pattern));
    }
  }
  const bits = Math.min(18, Math.max(14, Math.ceil(Math.log2(distances.size * 16))));
  return { window, first, hashShift: 32 - bits, ...fill(distances, heads, window, bits) };
}

function fill(
  distances: ReadonlyMap<number, number>,
  heads: ReadonlyMap<number, ReadonlySet<Pattern>>,
  window: number,
  bits: number,
): Pick<SkipTable, 'shift' | 'head' | 'groups'> {
  const shift = new Uint8Array(2 ** bits).fill(window - GRAM_BYTES + 1);
  const head = new Uint16Array(2 ** bits);
  const groups: Set<Pattern>[] = [new Set()];
  const hash = (gram: number): number => hashOf(gram & 0xff, (gram >> 8) & 0xff, gram >> 16, 32 - bits);
  for (const [gram, distance] of distances) {
    const slot = hash(gram);
    shift[slot] = Math.min(shift[slot] ?? 0, distance);
  }
  for (const [gram, patterns] of heads) {
    const slot = hash(gram);
    const index = head[slot] ?? 0;
    if (index === 0) {
      head[slot] = groups.length;
      groups.push(new Set(patterns));
    } else {
      for (const pattern of patterns) groups[index]?.add(pattern);
    }
  }
  return { shift, head, groups: groups.map((group) => [...group]) };
}

/**
 * Notes, for every three bytes that can stand in the first `window` bytes of a spelling of the pattern, the
 * smallest distance of their end from the window's end.
 */
function walkWindow(pattern: Pattern, window: number, distances: Map<number, number>): void {
  let starts = new Set([0]);
  for (const [index, unit] of pattern.units.entries()) {
    const ordered = [...starts].sort((a, b) => b - a);
    if ((ordered.at(-1) ?? 0) + GRAM_BYTES > window) return;
    const next = new Set<number>();
    for (const node of nodesOf(unit.trie)) {
      if (node.accept >= 0) {
        for (const start of ordered) if (start + node.depth <= window) next.add(start + node.depth);
      }
      const latest = ordered.find((start) => start + node.depth + GRAM_BYTES <= window);
      if (latest === undefined) continue;
      const distance = window - (latest + node.depth + GRAM_BYTES);
      for (const gram of gramsFrom(pattern.units, index, node)) {
        if (distance < (distances.get(gram) ?? window)) distances.set(gram, distance);
      }
    }
    starts = next;
  }
}

/** Every three bytes that can be read from a node of the unit at `index` onwards, packed low byte first. */
function* gramsFrom(
  units: readonly Unit[],
  index: number,
  node: TrieNode | undefined,
  read = 0,
  packed = 0,
): Generator<number> {
  if (node === undefined) return;
  for (const [at, byte] of node.bytes.entries()) {
    const child = node.next[at];
    if (child === undefined) continue;
    const bytes = packed | (byte << (8 * read));
    if (read === GRAM_BYTES - 1) {
      yield bytes;
      continue;
    }
    yield* gramsFrom(units, index, child, read + 1, bytes);
    if (child.accept >= 0) yield* gramsFrom(units, index + 1, units[index + 1]?.trie, read + 1, bytes);
  }
}
