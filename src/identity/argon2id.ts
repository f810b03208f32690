/**
 * Argon2id (RFC 9106) with the parameters that OWASP's password storage cheat sheet recommends, in the PHC string
 * format. Costs 19 MiB and tens of milliseconds each time, off the main thread: callers bound how many run at once.
 */
import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random, Secret } from '../kernel/index.ts';

const MEMORY_KIB = 19_456;
const PASSES = 2;
const PARALLELISM = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Only what `make` writes: other parameters in the database were not written by us. */
const PHC = new RegExp(
  `^\\$argon2id\\$v=19\\$m=${MEMORY_KIB},t=${PASSES},p=${PARALLELISM}\\$([A-Za-z0-9+/]{22})\\$([A-Za-z0-9+/]{43})$`,
);

const derive = promisify(argon2);

/** One-way: a secret in, a text to store out. */
export interface SecretHash {
  make(secret: Secret): Promise<string>;
  /** False for a text that `make` did not write, after the same work. */
  matches(secret: Secret, stored: string): Promise<boolean>;
}

export function argon2idHash(random: Random): SecretHash {
  const digest = (secret: Secret, salt: Buffer): Promise<Buffer> =>
    derive('argon2id', {
      message: secret.bytes(),
      nonce: salt,
      memory: MEMORY_KIB,
      passes: PASSES,
      parallelism: PARALLELISM,
      tagLength: HASH_BYTES,
    });
  return {
    async make(secret) {
      const salt = random.bytes(SALT_BYTES);
      const hash = await digest(secret, salt);
      return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${PARALLELISM}$${phcBase64(salt)}$${phcBase64(hash)}`;
    },
    async matches(secret, stored) {
      const [, salt, hash] = PHC.exec(stored) ?? [];
      const found = await digest(
        secret,
        salt === undefined ? Buffer.alloc(SALT_BYTES) : Buffer.from(salt, 'base64'),
      );
      return hash !== undefined && timingSafeEqual(found, Buffer.from(hash, 'base64'));
    },
  };
}

/** Standard alphabet without padding, as the PHC format has it. */
const phcBase64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
