/**
 * The two authenticated ciphers, behind one shape. This file and `derive.ts` are the only ones that touch a
 * primitive. Each call takes a nonce that was never used with this key; making one is the caller's business.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';

/** 1: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), the default. 2: AES-256-GCM (NIST SP 800-38D). */
export type Suite = 1 | 2;

export const KEY_BYTES = 32;
export const TAG_BYTES = 16;

export interface Cipher {
  readonly nonceBytes: number;
  /** @returns ciphertext and tag, `plaintext.length + 16` bytes */
  encrypt(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** @returns the plaintext in memory of its own, or null when authentication fails */
  decrypt(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | null;
}

/** 192-bit nonces: random ones do not collide in any number of messages that one key will ever see. */
const xchacha: Cipher = {
  nonceBytes: 24,
  encrypt: (key, nonce, aad, plaintext) => xchacha20poly1305(key, nonce, aad).encrypt(plaintext),
  decrypt(key, nonce, aad, sealed) {
    try {
      return xchacha20poly1305(key, nonce, aad).decrypt(sealed);
    } catch {
      return null;
    }
  },
};

/** 96-bit nonces: good for 2^32 random ones per key. A data key seals one value, a tenant key one data key per value. */
const aesGcm: Cipher = {
  nonceBytes: 12,
  encrypt(key, nonce, aad, plaintext) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(aad);
    return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  },
  decrypt(key, nonce, aad, sealed) {
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(end));
    const plaintext = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
      return plaintext;
    } catch {
      plaintext.fill(0);
      return null;
    }
  },
};

/** The cipher of a suite number, or undefined for a number that this version does not know. */
export function cipherOf(suite: number): Cipher | undefined {
  if (suite === 1) return xchacha;
  if (suite === 2) return aesGcm;
  return undefined;
}
