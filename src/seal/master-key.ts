/**
 * One master key: 32 random bytes, named by a fingerprint of themselves. The name is thus the key's check value:
 * a key that was altered no longer has the name that envelopes and the key file know it by.
 */
import { AppError, type Random, Secret } from '../kernel/index.ts';
import { deriveKey } from './derive.ts';
import type { SealingKey } from './keys.ts';
import { KEY_BYTES } from './suites.ts';

const FINGERPRINT_BYTES = 8;

export const newMasterKey = (random: Random): SealingKey =>
  nameMasterKey(Secret.fromBytes(random.bytes(KEY_BYTES)));

/** `mk-` and the first 64 bits of HKDF(key, "sallyport/master-key-id/1") in hex. */
export function nameMasterKey(secret: Secret): SealingKey {
  const fingerprint = deriveKey(secret, 'sallyport/master-key-id/1');
  const id = `mk-${fingerprint.bytes().toString('hex', 0, FINGERPRINT_BYTES)}`;
  fingerprint.destroy();
  return { id, secret };
}

/**
 * A master key as people write it in a variable: 64 hex digits, or base64 (either alphabet) of 32 bytes.
 * White space around it is ignored.
 *
 * @throws AppError `seal_master_key_malformed`, which never repeats the text
 */
export function parseMasterKey(text: Secret): SealingKey {
  const trimmed = text.reveal().trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(trimmed)
    ? Buffer.from(trimmed, 'hex')
    : /^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)
      ? Buffer.from(trimmed, 'base64')
      : null;
  if (bytes?.length !== KEY_BYTES) {
    throw new AppError('seal_master_key_malformed', 'The master key is not 32 bytes in hex or base64.', {
      kind: 'invalid',
      hint: 'Make one with: openssl rand -hex 32',
    });
  }
  return nameMasterKey(Secret.fromBytes(bytes));
}
