/** Choices from a seed, the same everywhere, for inputs that can be made again. */

/** A number from 0 up to, not including, `limit`. */
export type Below = (limit: number) => number;

/** Mulberry32: small, and good enough to choose test inputs. */
export function seeded(seed: number): Below {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function pick<Item>(below: Below, from: readonly Item[]): Item {
  const item = from[below(from.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** The same bytes in pieces of 1 to `sizeMax` bytes. */
export function split(below: Below, bytes: Buffer, sizeMax: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + below(sizeMax);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
