import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/kernel/index.ts';

describe('Secret', () => {
  const value = 'correct horse battery staple';

  it('shows [secret] in every implicit conversion', () => {
    const secret = Secret.fromString(value);
    // oxlint-disable-next-line typescript/restrict-template-expressions -- that this is harmless is what is tested
    expect(`${secret}`).toBe('[secret]');
    expect(String(secret)).toBe('[secret]');
    expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}');
    expect(inspect({ deep: { secret } }, { showHidden: true, depth: 9 })).not.toContain(value);
    expect(Object.keys(secret)).toEqual([]);
  });

  it('gives its value only when asked, and not after it was destroyed', () => {
    const bytes = Buffer.from(value);
    const secret = Secret.fromBytes(bytes);
    expect(secret.reveal()).toBe(value);
    secret.destroy();
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    expect(() => secret.reveal()).toThrow('destroyed');
  });

  it('compares by value', () => {
    expect(Secret.fromString('a').equals(Secret.fromString('a'))).toBe(true);
    expect(Secret.fromString('a').equals(Secret.fromString('b'))).toBe(false);
    expect(Secret.fromString('a').equals(Secret.fromString('ab'))).toBe(false);
  });
});
