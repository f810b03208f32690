import { describe, expect, it } from 'vitest';
import { argon2idHash } from '../../src/identity/argon2id.ts';
import { Secret, systemRandom } from '../../src/kernel/index.ts';

/** Of the reference implementation, for this password and salt. */
const EXPECTED =
  '$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$0qsHs573+LgGInzYb7sRqlOTBmqY4X6srNEm6ybpJ20';

describe('Argon2id', () => {
  const hash = argon2idHash(systemRandom);
  const secret = Secret.fromString('correct horse');

  it("is pinned: parameters, PHC string, and the reference implementation's value", async () => {
    const zeros = argon2idHash({ bytes: (length) => Buffer.from('0123456789abcdef'.slice(0, length)) });
    expect(await zeros.make(Secret.fromString('password'))).toBe(EXPECTED);
  });

  it('matches its own and nothing else, with a salt for each', async () => {
    const [one, two] = [await hash.make(secret), await hash.make(secret)];
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(two);
    expect(await hash.matches(secret, one)).toBe(true);
    expect(await hash.matches(secret, two)).toBe(true);
    expect(await hash.matches(Secret.fromString('correct horsf'), one)).toBe(false);
  });

  it.each([
    '',
    'correct horse',
    '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA',
    '$argon2i$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  ])('matches nothing against %j', async (stored) => {
    expect(await hash.matches(secret, stored)).toBe(false);
  });
});
