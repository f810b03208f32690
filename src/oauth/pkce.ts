/** Proof keys (RFC 7636), S256 only, and other random text that goes through a browser. */
import { createHash } from 'node:crypto';
import type { Random } from '../kernel/index.ts';

/** Of 32 bytes each: 43 characters. */
export const randomText = (random: Random): string => random.bytes(32).toString('base64url');

/** RFC 7636 section 4.2. */
export const challengeOf = (verifier: string): string =>
  createHash('sha256').update(verifier, 'ascii').digest('base64url');
