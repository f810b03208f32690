/**
 * Whether a pattern stands at a place. Follows every way to read the bytes at once as a set of positions, so
 * that a secret made of escape characters costs no more than its length times its spellings.
 */
import { type Pattern, type Unit } from './pattern.ts';
import { step } from './trie.ts';

/** The bytes contradict the pattern. */
export const NO_MATCH = -1;
/** The bytes end before the pattern does, and agree so far. */
export const MATCH_INCOMPLETE = -2;

export interface Match {
  /** Just past the match, `NO_MATCH` or `MATCH_INCOMPLETE`. */
  readonly end: number;
  /** Which escapes were used: bits of `spelling.ts`. */
  readonly kinds: number;
}

const NONE: Match = { end: NO_MATCH, kinds: 0 };
const INCOMPLETE: Match = { end: MATCH_INCOMPLETE, kinds: 0 };

/** @param length how many bytes of `buffer` count */
export function matchAt(pattern: Pattern, buffer: Uint8Array, start: number, length: number): Match {
  const { units } = pattern;
  let at = start;
  let index = 0;
  while (index < units.length && at < length && units[index]?.plain === buffer[at]) {
    index += 1;
    at += 1;
  }
  if (index === units.length) return { end: at, kinds: 0 };
  if (at === length) return INCOMPLETE;
  return followAll(units.slice(index), buffer, at, length);
}

/** The set of positions that the units read so far may end at, each with the escapes used on the way. */
class Front {
  positions: number[] = [];
  kinds: number[] = [];
  incomplete = false;

  add(position: number, kinds: number): void {
    const index = this.positions.indexOf(position);
    if (index < 0) {
      this.positions.push(position);
      this.kinds.push(kinds);
    } else {
      this.kinds[index] = (this.kinds[index] ?? 0) & kinds;
    }
  }
}

function followAll(units: readonly Unit[], buffer: Uint8Array, start: number, length: number): Match {
  let front = new Front();
  front.add(start, 0);
  let incomplete = false;
  for (const unit of units) {
    const next = new Front();
    for (const [index, position] of front.positions.entries()) {
      follow(unit, buffer, position, length, front.kinds[index] ?? 0, next);
    }
    incomplete ||= next.incomplete;
    if (next.positions.length === 0) return incomplete ? INCOMPLETE : NONE;
    front = next;
  }
  const end = Math.max(...front.positions);
  return { end, kinds: front.kinds[front.positions.indexOf(end)] ?? 0 };
}

function follow(
  unit: Unit,
  buffer: Uint8Array,
  start: number,
  length: number,
  kinds: number,
  next: Front,
): void {
  let node = unit.trie;
  for (let at = start; node.bytes.length > 0; at += 1) {
    if (at >= length) {
      next.incomplete = true;
      return;
    }
    const child = step(node, buffer[at]);
    if (child === null) return;
    node = child;
    if (node.accept >= 0) next.add(at + 1, kinds | node.accept);
  }
}
