import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Random, systemRandom } from '../../src/kernel/index.ts';
import { makePlaceholder, placeholderEntropyBits } from '../../src/manifest/index.ts';
import { placeholderFault } from '../../src/manifest/placeholder.ts';

/** Gives the listed bytes over and over. */
const scripted = (bytes: readonly number[]): Random => {
  let next = 0;
  return {
    bytes(length) {
      const drawn = Buffer.alloc(length);
      for (let index = 0; index < length; index += 1) {
        drawn.writeUInt8(bytes[next % bytes.length] ?? 0, index);
        next += 1;
      }
      return drawn;
    },
  };
};

describe('makePlaceholder', () => {
  it.each([
    ['{alnum:32}', /^[0-9A-Za-z]{32}$/],
    ['ghp_{alnum:36}', /^ghp_[0-9A-Za-z]{36}$/],
    ['xoxb-{digit:12}-{digit:12}-{alnum:24}', /^xoxb-[0-9]{12}-[0-9]{12}-[0-9A-Za-z]{24}$/],
    ['{hex:40}', /^[0-9a-f]{40}$/],
    ['{upper:20}{lower:20}', /^[A-Z]{20}[a-z]{20}$/],
    ['pat.{base64url:43}', /^pat\.[A-Za-z0-9_-]{43}$/],
    ['key-{uuid}', /^key-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
  ])('fills %s', (pattern, shape) => {
    expect(placeholderFault(pattern)).toBeUndefined();
    expect(makePlaceholder(pattern, systemRandom)).toMatch(shape);
  });

  it('draws again instead of favouring the first characters', () => {
    // 248 = 4 * 62: bytes from there on are beyond the last whole multiple of the alphabet.
    expect(makePlaceholder('{alnum:2}', scripted([248, 255, 0, 250, 61]))).toBe('0z');
    expect(makePlaceholder('{digit:3}', scripted([249, 250, 255, 10, 0]))).toBe('900');
  });

  it('uses every character about equally often', () => {
    const counts = new Map<string, number>();
    for (let round = 0; round < 62; round += 1) {
      for (const character of makePlaceholder('{alnum:500}', systemRandom))
        counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect(counts.size).toBe(62);
    // 500 expected each, standard deviation 22: eight of them leave no room for chance.
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(180);
  });

  it('refuses a pattern that it cannot read', () => {
    expect(() => makePlaceholder('{alnum}', systemRandom)).toThrow(
      expect.objectContaining({ code: 'manifest_placeholder_invalid' }),
    );
  });

  it('gives a different one each time', () => {
    const made = Array.from({ length: 100 }, () => makePlaceholder('{alnum:11}abcde', systemRandom));
    expect(new Set(made).size).toBe(100);
  });

  it('is as long as the pattern says, for any pattern', () => {
    const field = fc.constantFrom('alnum', 'hex', 'digit', 'upper', 'lower', 'base64url');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(field, fc.integer({ min: 1, max: 99 }), fc.stringMatching(/^[a-z_-]{0,5}$/)), {
          maxLength: 6,
        }),
        (parts) => {
          const pattern = parts.map(([name, length, literal]) => `${literal}{${name}:${length}}`).join('');
          const length = parts.reduce((sum, [, count, literal]) => sum + count + literal.length, 0);
          expect(makePlaceholder(pattern, systemRandom)).toHaveLength(length);
        },
      ),
    );
  });
});

describe('the entropy of a pattern', () => {
  it.each([
    ['{hex:16}', 64],
    ['{uuid}', 122],
    ['abc{base64url:2}', 12],
    ['{digit:1}', Math.log2(10)],
  ])('%s is %d bits', (pattern, bits) => {
    expect(placeholderEntropyBits(pattern)).toBeCloseTo(bits, 9);
  });

  it.each([
    ['{hex:15}a', 'manifest_placeholder_weak'],
    ['{digit:19}', 'manifest_placeholder_weak'],
    ['fixed-text-that-is-long-enough', 'manifest_placeholder_weak'],
    ['{alnum:15}', 'manifest_placeholder_length'],
    ['{alnum:513}', 'manifest_placeholder_length'],
    ['', 'manifest_placeholder_length'],
    ['{alnum:0}', 'manifest_placeholder_invalid'],
    ['{alnum:1000}', 'manifest_placeholder_invalid'],
    ['{alnum:32', 'manifest_placeholder_invalid'],
    ['{uuid:4}', 'manifest_placeholder_invalid'],
    ['{token}{alnum:32}', 'manifest_placeholder_invalid'],
    ['a b{alnum:32}', 'manifest_placeholder_invalid'],
    ['a"b{alnum:32}', 'manifest_placeholder_invalid'],
    ['é{alnum:32}', 'manifest_placeholder_invalid'],
  ])('refuses %j as %s', (pattern, code) => {
    expect(placeholderFault(pattern)?.code).toBe(code);
  });

  it('allows the least that is enough', () => {
    expect(placeholderFault('{hex:16}')).toBeUndefined();
    expect(placeholderFault('{digit:20}')).toBeUndefined();
  });
});
