/** What is kept between two uses of a credential, and what makes it be forgotten. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Clock,
  limits,
  Secret,
  type ServerId,
  silentLog,
  systemClock,
  systemRandom,
} from '../../src/kernel/index.ts';
import { type CredentialRecord, openStore } from '../../src/store/index.ts';
import {
  type Caller,
  createKillState,
  createVault,
  type CredentialRef,
  type Vault,
} from '../../src/vault/index.ts';
import { OpenedValues } from '../../src/vault/opened-values.ts';
import { type Installation, install } from './installation.ts';

const purpose = { kind: 'inject', data: {} } as const;

describe('an opened value', () => {
  let home: Installation;
  let server: ServerId;
  let ref: CredentialRef;
  /** Tables of the rows that were opened, one entry for each opening. */
  let opened: string[];
  let vault: Vault;

  beforeEach(async () => {
    home = await install();
    server = await home.addServer('github');
    ref = { server, serverSlug: 'github', name: 'TOKEN', owner: null };
    opened = [];
    vault = watched(home);
    await vault.put(home.local, ref, Secret.fromString('first'));
    opened.length = 0;
  });

  afterEach(async () => {
    vi.useRealTimers();
    vault.clear();
    await home.dispose();
  });

  function watched(on: Pick<Installation, 'store' | 'audit' | 'ring' | 'provider' | 'kills'>): Vault {
    const { ring } = on;
    return createVault({
      ...on,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      ring: {
        sealValue: ring.sealValue.bind(ring),
        wrap: ring.wrap.bind(ring),
        unwrap: ring.unwrap.bind(ring),
        purposeKey: ring.purposeKey.bind(ring),
        renewTenantKey: ring.renewTenantKey.bind(ring),
        clear: ring.clear.bind(ring),
        openValue(sealed, context) {
          if (context.table === 'credentials') opened.push(context.row);
          return ring.openValue(sealed, context);
        },
      },
    });
  }

  const use = async (caller: Caller = home.agent, of: CredentialRef = ref): Promise<string> => {
    await pause(limits.storeRevisionGlanceMs + 1);
    const secret = await vault.use(caller, of, purpose);
    const text = secret.reveal();
    secret.destroy();
    return text;
  };
  const usedEvents = async (): Promise<number> =>
    (await home.events()).filter(({ type }) => type === 'credential.used').length;
  const edit = (...statements: string[]): void => {
    const raw = new DatabaseSync(home.database);
    for (const statement of statements) raw.exec(statement);
    raw.close();
  };

  it('is opened once for many uses, each of which is on record and gets a copy of its own', async () => {
    for (let times = 0; times < 5; times++) expect(await use()).toBe('first');
    expect([opened.length, await usedEvents()]).toEqual([1, 5]);
  });

  it('is kept for the caller who was allowed to have it, and for no other', async () => {
    await use();
    const stranger: Caller = { workspace: home.other, actor: home.agent.actor };
    await expect(use(stranger)).rejects.toMatchObject({ code: 'vault_denied' });
    const user: Caller = { workspace: home.workspace, actor: { kind: 'user', id: home.agent.actor.id } };
    const theirs = { ...ref, owner: 'user_2' };
    expect(await use(home.agent, theirs)).toBe('first');
    await expect(use(user, theirs)).rejects.toMatchObject({ code: 'vault_denied' });
    await expect(use(home.agent, { ...ref, serverSlug: 'slack' })).rejects.toMatchObject({
      code: 'vault_denied',
    });
  });

  it('tells names and owners apart wherever the boundary between two lies', async () => {
    const pairs = [
      { name: 'A B', owner: null },
      { name: 'A', owner: 'B' },
      { name: 'A 1', owner: null },
      { name: 'A', owner: '1' },
      { name: 'A', owner: ' 1' },
    ];
    for (const [n, pair] of pairs.entries()) {
      await vault.put(home.local, { ...ref, ...pair }, Secret.fromString(`value ${n}`));
    }
    for (let round = 0; round < 2; round++) {
      for (const [n, pair] of pairs.entries())
        expect(await use(home.agent, { ...ref, ...pair })).toBe(`value ${n}`);
    }
  });

  it('is forgotten with the next value, a switch, a disabled server, whoever set them', async () => {
    const another = await home.another();
    await use();
    await another.vault.put(home.local, ref, Secret.fromString('second'));
    expect(await use()).toBe('second');
    await another.store.kills.set(home.workspace, { scope: 'all', target: '', at: 1, by: 'b', reason: 'r' });
    await expect(use()).rejects.toMatchObject({ code: 'kill_active' });
    await another.store.kills.lift(home.workspace, 'all', '');
    expect(await use()).toBe('second');
    const row = await another.store.servers.find(home.workspace, server);
    if (row === null) throw new Error('no server');
    await another.store.servers.update(home.workspace, { ...row, enabled: false });
    await expect(use()).rejects.toMatchObject({ code: 'vault_denied' });
    await another.store.servers.update(home.workspace, row);
    await another.vault.remove(home.local, ref);
    await expect(use()).rejects.toMatchObject({ code: 'vault_credential_missing' });
  });

  it('holds at once what this process did', async () => {
    await use();
    await home.store.kills.set(home.workspace, { scope: 'all', target: '', at: 1, by: 'b', reason: 'r' });
    await expect(vault.use(home.agent, ref, purpose)).rejects.toMatchObject({ code: 'kill_active' });
  });

  it('is not handed out when a switch was set while its use was being recorded', async () => {
    let kills = false;
    const record: Installation['audit']['record'] = async (event) => {
      await home.audit.record(event);
      const kill = { scope: 'all', target: '', at: 1, by: 'b', reason: 'r' } as const;
      if (kills && event.type === 'credential.used') await home.store.kills.set(home.workspace, kill);
    };
    vault = watched({
      ...home,
      audit: { ...home.audit, append: home.audit.append.bind(home.audit), record },
    });
    expect(await use()).toBe('first');
    expect(await use()).toBe('first');
    kills = true;
    await expect(use()).rejects.toMatchObject({ code: 'kill_active' });
    expect(opened).toHaveLength(1);
  });

  it('is destroyed when its time is over, used or not, and opened anew', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await use();
    await use();
    expect(opened).toHaveLength(1);
    vi.advanceTimersByTime(limits.vaultOpenedTtlMs);
    await use();
    expect(opened).toHaveLength(2);
  });

  it('is destroyed when the vault is cleared', async () => {
    await use();
    vault.clear();
    await use();
    expect(opened).toHaveLength(2);
  });

  it('leaves nothing of itself in memory, whichever way it is forgotten', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const row = { id: 'crd_1' } as CredentialRecord;
    const ways: ((values: OpenedValues) => unknown)[] = [
      (values) => values.clear(),
      (values) => values.permitted(8, home.agent, ref, purpose),
      (values) => values.copyOf(8, row),
      (values) => values.permit(8, home.agent, ref, row, purpose),
      () => vi.advanceTimersByTime(limits.vaultOpenedTtlMs),
    ];
    for (const forget of ways) {
      const values = new OpenedValues();
      const value = Secret.fromString('first');
      const kept = value.copy();
      vi.spyOn(value, 'copy').mockReturnValue(kept);
      values.permit(7, home.agent, ref, row, purpose);
      values.keep(7, row, value);
      expect(values.permitted(7, home.agent, ref, purpose)).toBe(row);
      expect(values.copyOf(7, row)?.reveal()).toBe('first');
      forget(values);
      expect(() => kept.bytes()).toThrow('destroyed');
      expect([values.permitted(7, home.agent, ref, purpose), values.copyOf(7, row)]).toEqual([
        undefined,
        undefined,
      ]);
      expect(value.reveal()).toBe('first');
    }
  });

  it('is not kept for a revision that has passed, or beyond the bound', () => {
    const values = new OpenedValues();
    const rows = Array.from({ length: limits.vaultOpenedMax + 1 }, () => ({}) as CredentialRecord);
    const value = Secret.fromString('first');
    const [first = {} as CredentialRecord] = rows;
    values.permit(7, home.agent, ref, first, purpose);
    values.keep(6, first, value);
    expect(values.copyOf(7, first)).toBeUndefined();
    values.permit(6, home.agent, ref, first, purpose);
    for (const row of rows) values.keep(7, row, value);
    expect(rows.filter((row) => values.copyOf(7, row) !== undefined)).toHaveLength(limits.vaultOpenedMax);
    values.clear();
  });

  it('is not handed out when the event cannot be recorded', async () => {
    await use();
    const disk = createVault({
      ...home,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      audit: {
        ...home.audit,
        append: home.audit.append.bind(home.audit),
        record: () => Promise.reject(new Error('full')),
      },
    });
    await expect(disk.use(home.agent, ref, purpose)).rejects.toThrow('full');
  });

  describe('and somebody who writes to the database', () => {
    it('is seen at once where rows are changed', async () => {
      await use();
      edit(`update credentials set version = 7`);
      await expect(use()).rejects.toMatchObject({ code: 'seal_tampered' });
    });

    it.each([
      ['turns the counter back', (change: string) => [change, 'update revision set value = value - 1']],
      [
        'drops the triggers',
        (change: string) => [
          'drop trigger credentials_update',
          'drop trigger credential_index_update',
          change,
        ],
      ],
    ])('goes by what was true before for a while, where the thief %s', async (_, tricks) => {
      let now = 0;
      const clock: Clock = {
        now: () => systemClock.now(),
        monotonic: () => (now += limits.storeRevisionGlanceMs),
      };
      const store = await openStore({ path: home.database, log: silentLog, clock });
      vault = watched({ ...home, store, kills: createKillState(store) });
      expect(await use()).toBe('first');
      edit(...tricks('update credentials set version = 7'));
      // Neither the thief's row nor an error: the value that was the right one.
      expect(await use()).toBe('first');
      now += limits.storeRevisionTrustMs;
      await expect(use()).rejects.toMatchObject({ code: 'seal_tampered' });
      await store.close();
    });
  });
});
