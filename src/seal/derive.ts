/** Keys from keys: HKDF-SHA256 (RFC 5869). One label, one purpose; a label is never reused for another. */
import { hkdfSync } from 'node:crypto';
import { Secret } from '../kernel/index.ts';
import { KEY_BYTES } from './suites.ts';

const NO_SALT = new Uint8Array(0);

/**
 * HKDF-SHA256 in full, as RFC 5869 names its inputs.
 *
 * @param length bytes of output, at most 255 * 32
 */
export function hkdfSha256(input: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', input, salt, info, length));
}

/**
 * A 32-byte key for one purpose from a uniformly random one. The caller owns it.
 *
 * @param label names the purpose and its version, e.g. `sallyport/audit-head/1`
 */
export function deriveKey(master: Secret, label: string): Secret {
  return Secret.fromBytes(hkdfSha256(master.bytes(), NO_SALT, Buffer.from(label, 'utf8'), KEY_BYTES));
}
