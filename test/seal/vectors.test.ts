import { createCipheriv } from 'node:crypto';
import { chacha20poly1305, hchacha } from '@noble/ciphers/chacha.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveKey } from '../../src/seal/index.ts';
import { Secret } from '../../src/kernel/index.ts';
import { hkdfSha256 } from '../../src/seal/derive.ts';
import { cipherOf } from '../../src/seal/suites.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const SUNSCREEN = Buffer.from(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
);

function suite(number: 1 | 2) {
  const cipher = cipherOf(number);
  if (cipher === undefined) throw new Error('no such suite');
  return cipher;
}

describe('suite 1, XChaCha20-Poly1305', () => {
  const key = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
  const nonce = hex('404142434445464748494a4b4c4d4e4f5051525354555657');
  const aad = hex('50515253c0c1c2c3c4c5c6c7');
  const sealed = hex(`
    bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
    731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
    2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
    21f9664c97637da9768812f615c68b13b52e
    c0875924c1c7987947deafd8780acf49`);

  it('gives what draft-irtf-cfrg-xchacha-03 appendix A.3.1 gives', () => {
    expect(Buffer.from(suite(1).encrypt(key, nonce, aad, SUNSCREEN))).toEqual(sealed);
    expect(Buffer.from(suite(1).decrypt(key, nonce, aad, sealed) ?? [])).toEqual(SUNSCREEN);
  });

  it('has the nonce length that the stored format says', () => {
    expect(suite(1).nonceBytes).toBe(24);
  });

  it('stands on the ChaCha20-Poly1305 of RFC 8439 section 2.8.2', () => {
    const sealedIetf = hex(`
      d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
      3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
      92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
      3ff4def08e4b7a9de576d26586cec64b6116
      1ae10b594f09e26a7e902ecbd0600691`);
    const ietf = chacha20poly1305(key, hex('070000004041424344454647'), aad);
    expect(Buffer.from(ietf.encrypt(SUNSCREEN))).toEqual(sealedIetf);
  });

  it('equals HChaCha20 and the ChaCha20-Poly1305 of OpenSSL for any input', () => {
    const words = (bytes: Uint8Array): Uint32Array =>
      new Uint32Array(Uint8Array.from(bytes).buffer, 0, bytes.length / 4);
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(
        bytes(32),
        bytes(24),
        fc.uint8Array({ maxLength: 80 }),
        fc.uint8Array({ maxLength: 300 }),
        (k, n, a, p) => {
          const subkey = new Uint32Array(8);
          hchacha(words(Buffer.from('expand 32-byte k')), words(k), words(n.subarray(0, 16)), subkey);
          const cipher = createCipheriv(
            'chacha20-poly1305',
            new Uint8Array(subkey.buffer),
            Buffer.concat([Buffer.alloc(4), n.subarray(16)]),
            { authTagLength: 16 },
          );
          cipher.setAAD(a, { plaintextLength: p.length });
          const expected = Buffer.concat([cipher.update(p), cipher.final(), cipher.getAuthTag()]);
          expect(Buffer.from(suite(1).encrypt(k, n, a, p))).toEqual(expected);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('suite 2, AES-256-GCM', () => {
  const key = hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308');
  const nonce = hex('cafebabefacedbaddecaf888');
  const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
  const plaintext = hex(`
    d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39`);
  const sealed = hex(`
    522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
    8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
    76fc6ece0f4e1768cddf8853bb2d551b`);

  it('gives what McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16 gives', () => {
    expect(Buffer.from(suite(2).encrypt(key, nonce, aad, plaintext))).toEqual(sealed);
    expect(Buffer.from(suite(2).decrypt(key, nonce, aad, sealed) ?? [])).toEqual(plaintext);
  });

  it('gives what test case 13 gives: nothing to encrypt, nothing to authenticate', () => {
    const tag = hex('530f8afbc74536b9a963b4f1c4cb738b');
    const none = Buffer.alloc(0);
    expect(Buffer.from(suite(2).encrypt(Buffer.alloc(32), Buffer.alloc(12), none, none))).toEqual(tag);
    expect(suite(2).decrypt(Buffer.alloc(32), Buffer.alloc(12), none, tag)?.length).toBe(0);
  });

  it('has the nonce length that the stored format says', () => {
    expect(suite(2).nonceBytes).toBe(12);
  });
});

describe('HKDF-SHA256', () => {
  it.each([
    {
      name: 'A.1',
      ikm: '0b'.repeat(22),
      salt: '000102030405060708090a0b0c',
      info: 'f0f1f2f3f4f5f6f7f8f9',
      okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    },
    {
      name: 'A.3',
      ikm: '0b'.repeat(22),
      salt: '',
      info: '',
      okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    },
  ])('gives what RFC 5869 appendix $name gives', ({ ikm, salt, info, okm }) => {
    expect(hkdfSha256(hex(ikm), hex(salt), hex(info), okm.length / 2).toString('hex')).toBe(okm);
  });

  it('derives the same key for the same label, and pinned so that stored data stays readable', () => {
    const master = Secret.fromBytes(Buffer.alloc(32, 7));
    const label = 'sallyport/audit-head/1';
    expect(deriveKey(master, label).equals(deriveKey(master, label))).toBe(true);
    expect(deriveKey(master, label).equals(deriveKey(master, 'sallyport/audit-head/2'))).toBe(false);
    expect(deriveKey(master, label).bytes().toString('hex')).toBe(
      '96a3d991a405c7c250ab10cf74477389364e7fe9e642bccbeb91a81d9b46baab',
    );
  });
});
