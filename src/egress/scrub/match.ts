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
  let index = 0;
  while (index < units.length && at < length && units[index]?.plain === buffer[at]) {
    index += 1;
    at += 1;
  }
  if (index === units.length) return { end: at, kinds: 0, open: false };
  return at === length ? OPEN : followAll(units.slice(index), buffer, at, length);
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

function followAll(units: readonly Unit[], buffer: Uint8Array, start: number, length: number): Match {
  let front = new Front();
  front.add(start, 0);
  let open = false;
  for (const unit of units) {
    const next = new Front();
    for (const [index, position] of front.positions.entries()) {
      follow(unit, buffer, position, length, front.kinds[index] ?? 0, next);
    }
    open ||= next.open;
    if (next.positions.length === 0) return open ? OPEN : NONE;
    front = next;
  }
  const end = Math.max(...front.positions);
  return { end, kinds: front.kinds[front.positions.indexOf(end)] ?? 0, open };
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
      next.open = true;
      return;
    }
    const child = step(node, buffer[at]);
    if (child === null) return;
    node = child;
    if (node.accept >= 0) next.add(at + 1, kinds | node.accept);
  }
}
