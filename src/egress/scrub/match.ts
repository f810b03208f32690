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
  /** The bytes end where a match, or a longer one, could still go on. */
  readonly open: boolean;
}

const NONE: Match = { end: -1, kinds: 0, open: false };
const OPEN: Match = { end: -1, kinds: 0, open: true };

/** @param length how many bytes of `buffer` count */
export function matchAt(pattern: Pattern, buffer: Uint8Array, start: number, length: number): Match {
  const { units } = pattern;
  let at = start;
  let kinds = 0;
  for (let index = 0; index < units.length; index += 1) {
    const unit = units[index];
    if (unit === undefined) break;
    if (at < length && unit.plain === buffer[at]) {
      at += 1;
      continue;
    }
    // As long as there is one way to read on, there is no set of positions to keep.
    let node = unit.trie;
    let end = at;
    while (node.bytes.length > 0 && node.accept < 0) {
      if (end === length) return OPEN;
      const child = step(node, buffer[end]);
      if (child === null) return NONE;
      node = child;
      end += 1;
    }
    if (node.bytes.length > 0) return followAll(units, index, buffer, { at, kinds, length });
    kinds |= node.accept;
    at = end;
  }
  return { end: at, kinds, open: false };
}

/** The set of positions that the units read so far may end at, each with the escapes used on the way. */
class Front {
  positions: number[] = [];
  kinds: number[] = [];
  open = false;

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

/** Where a reading stands, and how many bytes there are. */
interface Place {
  readonly at: number;
  readonly kinds: number;
  readonly length: number;
}

function followAll(units: readonly Unit[], first: number, buffer: Uint8Array, place: Place): Match {
  let front = new Front();
  front.add(place.at, place.kinds);
  let open = false;
  for (let index = first; index < units.length; index += 1) {
    const next = new Front();
    const unit = units[index];
    for (let which = 0; unit !== undefined && which < front.positions.length; which += 1) {
      const at = front.positions[which] ?? place.length;
      follow(unit, buffer, { at, kinds: front.kinds[which] ?? 0, length: place.length }, next);
    }
    open ||= next.open;
    if (next.positions.length === 0) return open ? OPEN : NONE;
    front = next;
  }
  const end = Math.max(...front.positions);
  return { end, kinds: front.kinds[front.positions.indexOf(end)] ?? 0, open };
}

/** Adds to `next` every place where a spelling of the unit that begins at `place` ends. */
function follow(unit: Unit, buffer: Uint8Array, place: Place, next: Front): void {
  let node = unit.trie;
  for (let at = place.at; node.bytes.length > 0; at += 1) {
    if (at >= place.length) {
      next.open = true;
      return;
    }
    const child = step(node, buffer[at]);
    if (child === null) return;
    node = child;
    if (node.accept >= 0) next.add(at + 1, place.kinds | node.accept);
  }
}
