/**
 * The stored form of everything that is sealed. It trusts nothing in the bytes that it opens.
 *
 *     offset   bytes   field
 *     0        1       format, 01
 *     1        1       suite: 01 XChaCha20-Poly1305, 02 AES-256-GCM
 *     2        1       n, length of the key id, 1 to 32
 *     3        n       key id, ASCII [a-z0-9-]
 *     3+n      m       nonce: m = 24 for suite 1, 12 for suite 2; random
 *     3+n+m    p       ciphertext, as long as the plaintext, at most 1 MiB
 *     3+n+m+p  16      tag
 *
 * Nothing may follow the tag. The associated data (`context.ts`) covers every byte in front of the ciphertext
 * and the place that the envelope belongs to.
 */
import { type Random, limits, Secret, systemRandom } from '../kernel/index.ts';
import { associatedData, type SealContext } from './context.ts';
import type { KeyLookup, SealingKey } from './keys.ts';
import { keyUnknown, malformed, plaintextTooLong, suiteUnknown, tampered } from './seal-error.ts';
import { type Cipher, cipherOf, KEY_BYTES, type Suite, TAG_BYTES } from './suites.ts';

const FORMAT = 1;
const KEY_ID_AT = 3;
const KEY_ID_BYTES_MAX = 32;
const KEY_ID = /^[a-z0-9-]{1,32}$/;

export interface SealOptions {
  /** Default 1. */
  readonly suite?: Suite;
  readonly random?: Random;
}

/**
 * Seals `plaintext`, which stays the caller's to zero.
 *
 * @throws AppError `seal_plaintext_too_long`, `seal_context_invalid`
 */
export function seal(
  plaintext: Uint8Array,
  key: SealingKey,
  context: SealContext,
  options: SealOptions = {},
): Buffer {
  const suite = options.suite ?? 1;
  const cipher = cipherOf(suite);
  if (cipher === undefined) throw suiteUnknown(suite);
  if (!KEY_ID.test(key.id)) throw new RangeError('a key id is 1 to 32 characters of [a-z0-9-]');
  if (key.secret.length !== KEY_BYTES) throw new RangeError('a sealing key has 32 bytes');
  if (plaintext.length > limits.sealPlaintextBytesMax) throw plaintextTooLong();

  const nonce = (options.random ?? systemRandom).bytes(cipher.nonceBytes);
  const header = Buffer.allocUnsafe(KEY_ID_AT + key.id.length + nonce.length);
  header[0] = FORMAT;
  header[1] = suite;
  header[2] = key.id.length;
  header.write(key.id, KEY_ID_AT, 'latin1');
  header.set(nonce, KEY_ID_AT + key.id.length);
  const sealed = cipher.encrypt(key.secret.bytes(), nonce, associatedData(header, context), plaintext);
  return Buffer.concat([header, sealed]);
}

/**
 * Opens an envelope in the place that it was sealed for. The caller owns the result and destroys it after use.
 *
 * @throws AppError `seal_envelope_malformed`, `seal_suite_unknown`, `seal_key_unknown`, `seal_tampered`
 */
export function open(envelope: Uint8Array, keys: KeyLookup, context: SealContext): Secret {
  const parsed = parseEnvelope(envelope);
  const key = keys.get(parsed.keyId);
  if (key === undefined) throw keyUnknown(parsed.keyId);
  const aad = associatedData(parsed.header, context);
  const plaintext = parsed.cipher.decrypt(key.secret.bytes(), parsed.nonce, aad, parsed.sealed);
  if (plaintext === null) throw tampered(parsed.keyId);
  return Secret.fromBytes(plaintext);
}

/** The id of the key that an envelope names. Not authenticated until the envelope opens. @throws as `open` */
export function keyIdOf(envelope: Uint8Array): string {
  return parseEnvelope(envelope).keyId;
}

interface ParsedEnvelope {
  readonly cipher: Cipher;
  readonly keyId: string;
  readonly header: Uint8Array;
  readonly nonce: Uint8Array;
  /** Ciphertext and tag. */
  readonly sealed: Uint8Array;
}

function parseEnvelope(bytes: Uint8Array): ParsedEnvelope {
  const [format, suite, keyIdBytes] = bytes;
  if (format === undefined || suite === undefined || keyIdBytes === undefined) throw malformed('too short');
  if (format !== FORMAT) throw malformed('format');
  const cipher = cipherOf(suite);
  if (cipher === undefined) throw suiteUnknown(suite);
  if (keyIdBytes < 1 || keyIdBytes > KEY_ID_BYTES_MAX) throw malformed('key id length');

  const nonceAt = KEY_ID_AT + keyIdBytes;
  const sealedAt = nonceAt + cipher.nonceBytes;
  const plaintextBytes = bytes.length - sealedAt - TAG_BYTES;
  if (plaintextBytes < 0) throw malformed('too short');
  if (plaintextBytes > limits.sealPlaintextBytesMax) throw malformed('too long');
  const keyId = Buffer.from(bytes.buffer, bytes.byteOffset + KEY_ID_AT, keyIdBytes).toString('latin1');
  if (!KEY_ID.test(keyId)) throw malformed('key id');
  return {
    cipher,
    keyId,
    header: bytes.subarray(0, sealedAt),
    nonce: bytes.subarray(nonceAt, sealedAt),
    sealed: bytes.subarray(sealedAt),
  };
}
