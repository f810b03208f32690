/**
 * Whether a pattern stands at a place. Follows every way to read the bytes at once as a set of positions, so
 * that a secret made of escape characters costs no more than its length times its spellings.
 */
import { type Pattern, type Unit } from './pattern.ts';
import { step } from './trie.ts';

export interface Match {
  /** Just past the longest match, -1 for none. */
  readonly end: number;
  /** Which escapes were used: bits of `spelling.ts`. */
  readonly kinds: number;
}

const NONE: Match = { end: -1, kinds: 0 };

export function matchAt(pattern: Pattern, data: Uint8Array, start: number): Match {
  const { units } = pattern;
  let at = start;
  let kinds = 0;
  for (let index = 0; index < units.length; index += 1) {
    const unit = units[index];
    if (unit === undefined) break;
    if (unit.plain === data[at]) {
      at += 1;
      continue;
    }
    // As long as there is one way to read on, there is no set of positions to keep.
    let node = unit.trie;
    let end = at;
    while (node.bytes.length > 0 && node.accept < 0) {
      const child = step(node, data[end]);
      if (child === null) return NONE;
      node = child;
      end += 1;
    }
    if (node.bytes.length > 0) return followAll(units, index, data, { at, kinds });
    kinds |= node.accept;
    at = end;
  }
  return { end: at, kinds };
}

/** The set of positions that the units read so far may end at, each with the escapes used on the way. */
class Front {
  positions: number[] = [];
  kinds: number[] = [];

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

/** Where a reading stands. */
interface Place {
  readonly at: number;
  readonly kinds: number;
}

function followAll(units: readonly Unit[], first: number, data: Uint8Array, place: Place): Match {
  let front = new Front();
  front.add(place.at, place.kinds);
  for (const unit of units.slice(first)) {
    const next = new Front();
    for (const [which, at] of front.positions.entries())
      follow(unit, data, { at, kinds: front.kinds[which] ?? 0 }, next);
    if (next.positions.length === 0) return NONE;
    front = next;
  }
  const end = Math.max(...front.positions);
  return { end, kinds: front.kinds[front.positions.indexOf(end)] ?? 0 };
}

/** Adds to `next` every place where a spelling of the unit that begins at `place` ends. */
function follow(unit: Unit, data: Uint8Array, place: Place, next: Front): void {
  let node = unit.trie;
  for (let at = place.at; node.bytes.length > 0; at += 1) {
    const child = step(node, data[at]);
    if (child === null) return;
    node = child;
    if (node.accept >= 0) next.add(at + 1, place.kinds | node.accept);
  }
}
