/**
 * How texts of secrets may begin: the spellings of all their first characters in one tree. One walk tells which
 * secrets are worth a comparison, so that a body full of escapes costs the same however many secrets there are.
 */
import type { Pattern, Unit } from './pattern.ts';
import { step, type TrieNode } from './trie.ts';

export interface Opening {
  readonly bytes: readonly number[];
  readonly next: readonly Opening[];
  /** Patterns of which the first character may end here, and nowhere before. */
  readonly patterns: readonly Pattern[];
}

/** A place in the spellings of several characters at once. */
interface Reading {
  readonly node: TrieNode;
  readonly patterns: readonly Pattern[];
}

export function buildOpenings(patterns: readonly Pattern[]): Opening {
  const byUnit = new Map<Unit, Pattern[]>();
  for (const pattern of patterns) {
    const [unit] = pattern.units;
    if (unit === undefined) continue;
    const sharing = byUnit.get(unit);
    if (sharing === undefined) byUnit.set(unit, [pattern]);
    else sharing.push(pattern);
  }
  return merge(Array.from(byUnit, ([unit, sharing]) => ({ node: unit.trie, patterns: sharing })));
}

const NOTHING: readonly never[] = [];

function merge(readings: readonly Reading[]): Opening {
  const ended = readings.filter(({ node }) => node.accept >= 0).flatMap((reading) => reading.patterns);
  const going = readings.filter(({ node }) => node.accept < 0);
  const bytes = [...new Set(going.flatMap(({ node }) => node.bytes))];
  return {
    bytes: bytes.length === 0 ? NOTHING : bytes,
    next:
      bytes.length === 0
        ? NOTHING
        : bytes.map((byte) => merge(going.flatMap((reading) => read(reading, byte)))),
    patterns: ended.length === 0 ? NOTHING : ended,
  };
}

function read({ node, patterns }: Reading, byte: number): readonly Reading[] {
  const next = step(node, byte);
  return next === null ? [] : [{ node: next, patterns }];
}
