import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { argon2idHash, type SecretHash } from '../../src/identity/argon2id.ts';
import { createTokens, type Tokens } from '../../src/identity/index.ts';
import { formatToken, newTokenSecret } from '../../src/identity/token-format.ts';
import {
  AppError,
  fixedClock,
  limits,
  newId,
  Secret,
  silentLog,
  systemRandom,
} from '../../src/kernel/index.ts';
import type { Caller } from '../../src/vault/index.ts';
import { type Installation, install } from '../vault/installation.ts';

const HERE = '127.0.0.1';

/** Argon2id, with a count of how often it was computed and a way to hold it up. */
function countingHash(): SecretHash & { computed: number; gate: Promise<void> } {
  const real = argon2idHash(systemRandom);
  return {
    computed: 0,
    gate: Promise.resolve(),
    make: (secret) => real.make(secret),
    async matches(secret, stored) {
      this.computed += 1;
      await this.gate;
      return real.matches(secret, stored);
    },
  };
}

describe('tokens', () => {
  const clock = fixedClock(1_700_000_000_000);
  let home: Installation;
  let hash: ReturnType<typeof countingHash>;
  let tokens: Tokens;

  beforeEach(async () => {
    home = await install();
    hash = countingHash();
    tokens = createTokens({ ...home, clock, random: systemRandom, log: silentLog, hash });
  });

  afterEach(async () => {
    await home.dispose();
  });

  const create = (more: { expiresAt?: number; profile?: string } = {}) =>
    tokens.create(home.local, { profile: 'dev', agent: 'claude', ...more });
  const verify = (token: Secret, address = HERE) => tokens.verify(token.reveal(), address);
  /** What another process changed is seen a moment later. */
  const othersAreSeen = () => pause(limits.storeRevisionGlanceMs + 1);
  const codeOf = async (attempt: Promise<unknown>): Promise<string> => {
    const error = await attempt.then(
      () => 'nothing was refused',
      (thrown: unknown) => thrown,
    );
    return error instanceof AppError ? error.code : String(error);
  };
  const refusals = async () =>
    (await home.events()).filter(({ type }) => type === 'token.refused').map(({ data }) => data['reason']);
  const stranger = (id = newId<'token'>('tok', systemRandom)): Secret =>
    formatToken(id, newTokenSecret(systemRandom));

  it('says who presents it', async () => {
    const { id, token } = await create({ profile: 'research' });
    expect(id).toMatch(/^tok_[0-9a-z]{16}$/);
    expect(token.reveal().startsWith(`sally_${id.slice(4)}_`)).toBe(true);
    expect(await verify(token)).toEqual({
      workspace: home.workspace,
      actor: { kind: 'token', id },
      // The door compares it with the endpoint that was asked for.
      profile: 'research',
      agent: 'claude',
    });
  });

  it('is known at once when it was verified before, until anything changes', async () => {
    const { id, token } = await create({ expiresAt: clock.now() + 1_000 });
    const known = () => tokens.known(token.reveal());
    expect(known()).toBeNull();
    await verify(token);
    const found = known();
    expect(found).toMatchObject({ workspace: home.workspace, actor: { kind: 'token', id }, profile: 'dev' });
    expect(known()).toBe(found);
    expect(tokens.known(stranger(id).reveal())).toBeNull();
    clock.advance(1_000);
    expect(known()).toBeNull();
    expect(await codeOf(verify(token))).toBe('token_expired');
    const other = await create();
    await verify(other.token);
    expect(tokens.known(other.token.reveal())).not.toBeNull();
    await tokens.revoke(home.local, other.id);
    expect(tokens.known(other.token.reveal())).toBeNull();
    expect(hash.computed).toBe(2);
  });

  it('is nowhere at rest, and never printed', async () => {
    const { token } = await create();
    await verify(token);
    const [, , secret] = token.reveal().split('_');
    if (secret === undefined) throw new Error('a token without a secret');
    const [record] = await home.store.tokens.list(home.workspace);
    expect(record?.hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    await home.store.close();
    const bytes = readFileSync(home.database);
    expect(bytes.includes(record?.hash ?? 'no hash')).toBe(true);
    expect(bytes.includes(secret.slice(0, 12))).toBe(false);
    expect(JSON.stringify({ token })).toBe('{"token":"[secret]"}');
  });

  it('lists what may be known, and no hash', async () => {
    const { id } = await create({ expiresAt: clock.now() + 1000 });
    expect(await tokens.list(home.workspace)).toEqual([
      {
        id,
        profile: 'dev',
        agent: 'claude',
        createdAt: clock.now(),
        expiresAt: clock.now() + 1000,
        revokedAt: null,
        lastUsedAt: null,
      },
    ]);
    expect(await tokens.list(home.other)).toEqual([]);
  });

  describe('refusals', () => {
    it('have a code of their own inside', async () => {
      const { id, token } = await create();
      expect(await codeOf(tokens.verify('sally_nonsense', HERE))).toBe('token_malformed');
      expect(await codeOf(tokens.verify(`${token.reveal().slice(0, -1)}!`, HERE))).toBe('token_malformed');
      expect(await codeOf(verify(stranger()))).toBe('token_unknown');
      expect(await codeOf(verify(stranger(id)))).toBe('token_unknown');
      expect(await refusals()).toEqual([
        'token_malformed',
        'token_malformed',
        'token_unknown',
        'token_unknown',
      ]);
      const recorded = JSON.stringify(await home.events());
      expect(recorded).not.toContain('nonsense');
    });

    it('read the same outside', async () => {
      const soon = await create({ expiresAt: clock.now() + 1 });
      const revoked = await create();
      await tokens.revoke(home.local, revoked.id);
      clock.advance(1);
      const attempts = [
        'sally_x',
        stranger().reveal(),
        stranger(soon.id).reveal(),
        soon.token.reveal(),
        revoked.token.reveal(),
      ];
      const codes = new Set<string>();
      const outside = new Set<string>();
      for (const text of attempts) {
        const error = await tokens.verify(text, HERE).catch((thrown: unknown) => thrown);
        if (!(error instanceof AppError)) throw new Error('it was not refused');
        codes.add(error.code);
        outside.add(JSON.stringify([error.kind, error.message, error.hint, error.detail ?? null]));
      }
      expect([...codes]).toEqual(['token_malformed', 'token_unknown', 'token_expired', 'token_revoked']);
      expect([...outside]).toEqual([
        '["unauthenticated","The token is not valid.","Make a new one: `sallyport token create`.",null]',
      ]);
    });

    it('cost the same work for an unknown id as for a wrong secret, and none for a malformed one', async () => {
      const { id } = await create();
      await codeOf(verify(stranger(id)));
      expect(hash.computed).toBe(1);
      await codeOf(verify(stranger()));
      expect(hash.computed).toBe(2);
      await codeOf(tokens.verify(`${stranger().reveal()}0`, HERE));
      const mistyped = stranger().reveal();
      await codeOf(tokens.verify(`${mistyped.slice(0, -1)}${mistyped.endsWith('0') ? '1' : '0'}`, HERE));
      expect(hash.computed).toBe(2);
    });

    it('hold where they cannot be recorded', async () => {
      const deaf = createTokens({
        ...home,
        clock,
        random: systemRandom,
        log: silentLog,
        audit: {
          append: () => Promise.reject(new AppError('audit_unavailable', 'full', { kind: 'failed' })),
        },
      });
      expect(await codeOf(deaf.verify(stranger().reveal(), HERE))).toBe('token_unknown');
      expect(await codeOf(deaf.create(home.local, { profile: 'dev', agent: 'x' }))).toBe('audit_unavailable');
      expect(await tokens.list(home.workspace)).toEqual([]);
    });

    it('end at the expiry to the millisecond, verified before or not', async () => {
      const { token } = await create({ expiresAt: clock.now() + 10 });
      clock.advance(9);
      await verify(token);
      clock.advance(1);
      expect(await codeOf(verify(token))).toBe('token_expired');
      const fresh = createTokens({ ...home, clock, random: systemRandom, log: silentLog });
      expect(await codeOf(fresh.verify(token.reveal(), HERE))).toBe('token_expired');
    });
  });

  describe('the memory of verified tokens', () => {
    it('computes the slow hash once', async () => {
      const { token } = await create();
      for (let round = 0; round < 5; round += 1) await verify(token);
      expect(hash.computed).toBe(1);
    });

    it('computes it once for many connections at the same moment', async () => {
      const { token } = await create();
      await Promise.all(Array.from({ length: 20 }, () => verify(token)));
      expect(hash.computed).toBe(1);
    });

    it('drops a token at its revocation, and does not confuse tokens', async () => {
      const [one, two] = [await create(), await create()];
      await verify(one.token);
      await verify(two.token);
      await tokens.revoke(home.local, one.id);
      expect(await codeOf(verify(one.token))).toBe('token_revoked');
      expect((await verify(two.token)).actor.id).toBe(two.id);
      await tokens.revoke(home.local, one.id);
    });

    it('notices a revocation by another process', async () => {
      const { id, token } = await create();
      await verify(token);
      const another = await home.another();
      await another.store.tokens.revoke(home.workspace, id, clock.now());
      await othersAreSeen();
      expect(await codeOf(verify(token))).toBe('token_revoked');
      expect(hash.computed).toBe(1);
    });

    it('notices a row that is gone, or another one under the same id', async () => {
      const { id, token } = await create();
      await verify(token);
      const another = await home.another();
      const { DatabaseSync } = await import('node:sqlite');
      const raw = new DatabaseSync(home.database);
      raw.prepare('update tokens set hash = ? where id = ?').run(await hash.make(Secret.fromString('x')), id);
      await othersAreSeen();
      expect(await codeOf(verify(token))).toBe('token_unknown');
      raw.prepare('delete from tokens where id = ?').run(id);
      raw.close();
      await othersAreSeen();
      expect(await codeOf(verify(token))).toBe('token_unknown');
      await another.close();
    });

    it('notices a revocation while the hash is being computed', async () => {
      const { id, token } = await create();
      const held = Promise.withResolvers<void>();
      hash.gate = held.promise;
      const verifying = codeOf(verify(token));
      await home.store.tokens.revoke(home.workspace, id, clock.now());
      held.resolve();
      expect(await verifying).toBe('token_revoked');
    });

    it('does not remember what was refused', async () => {
      const wrong = stranger((await create()).id);
      expect(await codeOf(verify(wrong))).toBe('token_unknown');
      expect(await codeOf(verify(wrong))).toBe('token_unknown');
      expect(hash.computed).toBe(2);
    });

    it('writes the last use down once a minute, not each time', async () => {
      const { token } = await create();
      const lastUse = async () => (await tokens.list(home.workspace))[0]?.lastUsedAt;
      await verify(token);
      const first = clock.now();
      expect(await lastUse()).toBe(first);
      clock.advance(59_999);
      await verify(token);
      expect(await lastUse()).toBe(first);
      clock.advance(1);
      await verify(token);
      expect(await lastUse()).toBe(first + 60_000);
    });
  });

  describe('the limit on failures', () => {
    const exhaust = async (address: string): Promise<void> => {
      for (let round = 0; round < 20; round += 1) {
        expect(await codeOf(tokens.verify('sally_x', address))).toBe('token_malformed');
      }
    };

    it('turns an address away after 20 failures, before any work, and lets it try again with time', async () => {
      await exhaust('203.0.113.7');
      const { token } = await create();
      for (const text of ['sally_x', stranger().reveal(), token.reveal()]) {
        expect(await codeOf(tokens.verify(text, '203.0.113.7'))).toBe('token_rate_limited');
      }
      expect(hash.computed).toBe(0);
      expect(await refusals()).toHaveLength(20);
      clock.advance(3_000);
      expect((await verify(token, '203.0.113.7')).agent).toBe('claude');
    });

    it('holds for attempts at the same moment: no more work than for those one after another', async () => {
      const flood = Array.from({ length: 100 }, () => codeOf(verify(stranger(), '203.0.113.7')));
      const codes = await Promise.all(flood);
      expect(codes.filter((code) => code === 'token_unknown')).toHaveLength(20);
      expect(codes.filter((code) => code === 'token_rate_limited')).toHaveLength(80);
      // Those that were being computed when the last try failed.
      expect(hash.computed).toBeLessThanOrEqual(20 + limits.tokenHashesAtOnceMax);
      expect(await refusals()).toHaveLength(20);
    });

    it('turns nobody else away while one address floods the door', async () => {
      const { token } = await create();
      const held = Promise.withResolvers<void>();
      hash.gate = held.promise;
      const flood = Array.from({ length: 2 * limits.tokenHashesWaitingMax }, () =>
        codeOf(verify(stranger(), '203.0.113.7')),
      );
      // The flood is in the queue before the other client comes.
      while (hash.computed < limits.tokenHashesAtOnceMax) await new Promise(setImmediate);
      const other = verify(token, '203.0.113.8').catch((error: unknown) => error);
      held.resolve();
      expect(await other).toMatchObject({ agent: 'claude' });
      expect(new Set(await Promise.all(flood))).toEqual(new Set(['token_unknown', 'token_rate_limited']));
    });

    it('lets many good tokens of one address in at the same moment', async () => {
      const tokensOfMany = [];
      for (let n = 0; n < 30; n += 1) tokensOfMany.push(await create());
      const verified = await Promise.all(tokensOfMany.map(({ token }) => verify(token, '203.0.113.7')));
      expect(verified).toHaveLength(30);
    });

    it('does not touch verified tokens or other addresses', async () => {
      const { token } = await create();
      await verify(token, '203.0.113.7');
      await exhaust('203.0.113.7');
      await verify(token, '203.0.113.7');
      const other = await create();
      await verify(other.token, '203.0.113.8');
    });

    it.each([
      ['::ffff:203.0.113.7', '203.0.113.7', 'token_rate_limited'],
      ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', 'token_rate_limited'],
      ['2001:db8:1:2::1', '2001:db8:1:3::1', 'token_malformed'],
      ['not an address', 'not an address', 'token_rate_limited'],
    ])('sees %s and %s: %s', async (one, two, code) => {
      await exhaust(one);
      expect(await codeOf(tokens.verify('sally_x', two))).toBe(code);
    });
  });

  describe('revoke and rotate', () => {
    it('puts a new token in the place of the old one, which ends', async () => {
      const old = await create({ expiresAt: clock.now() + 5000, profile: 'research' });
      await verify(old.token);
      const next = await tokens.rotate(home.local, old.id);
      expect(next.id).not.toBe(old.id);
      expect(await codeOf(verify(old.token))).toBe('token_revoked');
      expect(await verify(next.token)).toMatchObject({ profile: 'research', agent: 'claude' });
      expect((await tokens.list(home.workspace)).find(({ id }) => id === next.id)?.expiresAt).toBe(
        clock.now() + 5000,
      );
      expect(await codeOf(tokens.rotate(home.local, old.id))).toBe('token_invalid');
      const types = (await home.events()).map(({ type }) => type);
      expect(types).toEqual(['token.created', 'token.created', 'token.revoked', 'token.refused']);
    });

    it('ends at the workspace and at people', async () => {
      const { id, token } = await create();
      const stranger: Caller = { workspace: home.other, actor: { kind: 'local', id: '0' } };
      expect(await codeOf(tokens.revoke(stranger, id))).toBe('token_not_found');
      expect(await codeOf(tokens.rotate(stranger, id))).toBe('token_not_found');
      expect(await codeOf(tokens.revoke(home.local, 'tok_none'))).toBe('token_not_found');
      for (const kind of ['token', 'cell'] as const) {
        const agent: Caller = { workspace: home.workspace, actor: { kind, id } };
        expect(await codeOf(tokens.create(agent, { profile: 'dev', agent: 'x' }))).toBe('token_denied');
        expect(await codeOf(tokens.revoke(agent, id))).toBe('token_denied');
        expect(await codeOf(tokens.rotate(agent, id))).toBe('token_denied');
      }
      await verify(token);
    });

    it.each([
      [{ profile: 'dev', agent: '' }],
      [{ profile: 'dev', agent: 'x'.repeat(101) }],
      [{ profile: 'dev', agent: 'red\u001b[31m' }],
      [{ profile: 'dev', agent: 'x', expiresAt: 1 }],
      [{ profile: 'dev', agent: 'x', expiresAt: Number.NaN }],
      [{ profile: 'dev', agent: 'x', expiresAt: Number.POSITIVE_INFINITY }],
      [{ profile: 'dev', agent: 'x', expiresAt: 4_000_000_000_000.5 }],
      [{ profile: 'dev', agent: 'x', expiresAt: 1e300 }],
    ])('refuses to create %j', async (options) => {
      expect(await codeOf(tokens.create(home.local, options))).toBe('token_invalid');
    });
  });
});
