import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseToken } from '../../src/identity/index.ts';
import { formatToken, newTokenSecret } from '../../src/identity/token-format.ts';
import { newId, type Random, Secret, systemRandom, type TokenId } from '../../src/kernel/index.ts';

const ID = 'tok_0123456789abcdef' as TokenId;
const SECRET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ01';
const VALID = 'sally_0123456789abcdef_ABCDEFGHIJKLMNOPQRSTUVWXYZ01';
/** CRC-32 of `VALID` in base 62, computed apart from the code under test. */
const EXPECTED_CHECKSUM = '0Tr7P4';

describe('the text of a token', () => {
  it('is pinned: prefix, id, secret, checksum', () => {
    const text = formatToken(ID, Secret.fromString(SECRET)).reveal();
    expect(text).toBe(`${VALID}${EXPECTED_CHECKSUM}`);
    const parsed = parseToken(text);
    if (!parsed.ok) throw new Error(parsed.error);
    expect(parsed.value.id).toBe(ID);
    expect(parsed.value.secret.reveal()).toBe(SECRET);
  });

  it('has a checksum that is the CRC-32 in base 62', () => {
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    const value = EXPECTED_CHECKSUM.split('').reduce((sum, digit) => sum * 62 + digits.indexOf(digit), 0);
    expect(value).toBe(crc32(VALID));
  });

  it('round-trips, 57 characters long', () => {
    for (let round = 0; round < 200; round += 1) {
      const id = newId<'token'>('tok', systemRandom);
      const secret = newTokenSecret(systemRandom);
      const text = formatToken(id, secret).reveal();
      expect(text).toMatch(/^sally_[0-9a-hjkmnp-tv-z]{16}_[0-9A-Za-z]{34}$/);
      expect(text).toHaveLength(57);
      const parsed = parseToken(text);
      expect(parsed.ok && parsed.value.id === id && parsed.value.secret.equals(secret)).toBe(true);
    }
  });

  it('has a secret of 28 characters, each of the 62 equally likely', () => {
    // All bytes once: those that would favour the first eight characters are left out.
    let served = 0;
    const random: Random = {
      bytes: (length) => Buffer.from(Array.from({ length }, () => 255 - (served++ % 256))),
    };
    const counts = new Map<string, number>();
    for (let round = 0; round < 62; round += 1) {
      const text = newTokenSecret(random).reveal();
      expect(text).toHaveLength(28);
      served += 256 - (served % 256);
      for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    // From 247 down: z, y, x … 28 of them, each time.
    expect([...counts.values()]).toEqual(Array.from({ length: 28 }, () => 62));
    expect([...counts.keys()].join('')).toBe('zyxwvutsrqponmlkjihgfedcbaZY');
  });

  it.each([
    ['', 'shape'],
    ['sally_', 'shape'],
    [VALID, 'shape'],
    [`x${VALID}AAAAAA`, 'shape'],
    [`${VALID}AAAAAA`, 'checksum'],
    [`Sally_0123456789abcdef_${SECRET}AAAAAA`, 'shape'],
    [`sally_0123456789abcdei_${SECRET}AAAAAA`, 'shape'],
    [`sally_0123456789ABCDEF_${SECRET}AAAAAA`, 'shape'],
    [`sally_0123456789abcde_${SECRET}AAAAAA`, 'shape'],
    [`sally_0123456789abcdef-${SECRET}AAAAAA`, 'shape'],
    [`sally_0123456789abcdef_${SECRET}AAAAA!`, 'shape'],
    [`sally_0123456789abcdef_${SECRET}AAAAAA\n`, 'shape'],
    [` sally_0123456789abcdef_${SECRET}AAAAAA`, 'shape'],
    [`sally_0123456789abcdef_${'A'.repeat(100_000)}`, 'shape'],
  ])('refuses %j as %s', (text, error) => {
    expect(parseToken(text)).toEqual({ ok: false, error });
  });

  it('notices every single changed character', () => {
    const text = `${VALID}${EXPECTED_CHECKSUM}`;
    for (let index = 0; index < text.length; index += 1) {
      for (const replacement of ['0', 'a', 'Z', '_', ' ']) {
        if (text[index] === replacement) continue;
        expect(parseToken(text.slice(0, index) + replacement + text.slice(index + 1)).ok).toBe(false);
      }
    }
  });

  it('never throws, and accepts nothing by chance', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !parseToken(text).ok));
    fc.assert(
      fc.property(fc.stringMatching(/^sally_[0-9a-h]{16}_[0-9A-Za-z]{34}$/), (text) => {
        const parsed = parseToken(text);
        return parsed.ok ? formatToken(parsed.value.id, parsed.value.secret).reveal() === text : true;
      }),
    );
  });
});
