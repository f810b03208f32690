import { randomBytes, randomFillSync } from 'node:crypto';

/** Randomness as a port. */
export interface Random {
  /** `length` bytes from a cryptographically secure source. */
  bytes(length: number): Buffer;
}

const AHEAD_BYTES = 4_096;
/** Identifiers. Keys and secrets are longer, and never lie here before they are wanted. */
const SMALL_BYTES_MAX = 16;

/** Bytes that nobody has been given; what was is zero. A few at a time cost more than thousands at once. */
const ahead = Buffer.alloc(AHEAD_BYTES);
let taken = AHEAD_BYTES;

function small(length: number): Buffer {
  if (taken + length > AHEAD_BYTES) {
    randomFillSync(ahead);
    taken = 0;
  }
  const bytes = Buffer.from(ahead.subarray(taken, taken + length));
  ahead.fill(0, taken, taken + length);
  taken += length;
  return bytes;
}

/** The operating system's generator. */
export const systemRandom: Random = {
  bytes: (length) => (length > SMALL_BYTES_MAX ? randomBytes(length) : small(length)),
};
