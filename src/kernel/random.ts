import { randomBytes } from 'node:crypto';

/** Randomness as a port. */
export interface Random {
  /** `length` bytes from a cryptographically secure source. */
  bytes(length: number): Buffer;
}

/** The operating system's generator. */
export const systemRandom: Random = { bytes: (length) => randomBytes(length) };
