/**
 * ATTACKS 24, rows: a thief with write access to the database, and what it gets: an error with a code, and an entry in
 * the audit log. And the master key, wrong or missing.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AppError,
  limits,
  Secret,
  type ServerId,
  systemClock,
  systemRandom,
} from '../../src/kernel/index.ts';
import { createLocalKeyFile } from '../../src/seal/index.ts';
import type { Services } from '../../src/main/services.ts';
import type { CredentialRef, Purpose, Vault } from '../../src/vault/index.ts';
import { makeProductHome, openHome, type ProductHome } from './product-home.ts';

const scrub: Purpose = { kind: 'scrub', data: {} };

describe('a database that somebody else has written to', () => {
  let home: ProductHome;
  let github: ServerId;
  let slack: ServerId;
  let shared: CredentialRef;
  let mine: CredentialRef;
  let theirs: CredentialRef;
  let elsewhere: CredentialRef;

  beforeEach(async () => {
    home = await makeProductHome();
    github = await home.addServer('github');
    slack = await home.addServer('slack');
    shared = { server: github, serverSlug: 'github', name: 'TOKEN', owner: null };
    mine = { ...shared, owner: 'user_1' };
    theirs = { ...shared, owner: 'user_2' };
    elsewhere = { ...shared, server: slack, serverSlug: 'slack' };
    for (const [ref, value] of [
      [shared, 'shared'],
      [mine, 'mine'],
      [theirs, 'theirs'],
      [elsewhere, 'elsewhere'],
    ] as const) {
      await home.vault.put(home.local, ref, Secret.fromString(value));
    }
  });

  afterEach(async () => {
    await home.dispose();
  });

  /** Straight into the file, past everything. */
  const edit = (sql: string, ...parameters: SQLInputValue[]): void => {
    const raw = new DatabaseSync(home.database);
    try {
      expect(raw.prepare(sql).run(...parameters).changes).toBeGreaterThan(0);
    } finally {
      raw.close();
    }
  };
  const idOf = async (ref: CredentialRef): Promise<string> => {
    const row = await home.store.credentials.find(home.workspace, ref);
    if (row === null) throw new Error('no such row');
    return row.id;
  };
  const used = async (ref: CredentialRef, vault: Vault = home.vault): Promise<string> => {
    await pause(limits.storeRevisionGlanceMs + 1); // until others' changes are seen
    try {
      using secret = await vault.use(home.agent, ref, scrub);
      return `opened ${secret.reveal()}`;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const last = (await home.events()).at(-1);
      expect([last?.type, last?.data['reason']]).toEqual(['credential.refused', error.code]);
      return error.code;
    }
  };
  /** In the process that was running, and in one that starts now. */
  const everywhere = async (ref: CredentialRef): Promise<string[]> => {
    const fresh = await home.another();
    return [await used(ref), await used(ref, fresh.vault)];
  };
  const swap = (columns: readonly string[], one: string, two: string): void => {
    const raw = new DatabaseSync(home.database);
    const [a, b] = [one, two].map((id) => raw.prepare('select * from credentials where id = ?').get(id));
    if (a === undefined || b === undefined) throw new Error('no such row');
    const set = columns.map((column) => `${column} = ?`).join(', ');
    const update = raw.prepare(`update credentials set ${set} where id = ?`);
    // Parked first where the columns are a unique key.
    if (columns.includes('owner'))
      raw.prepare(`update credentials set name = 'parked' where id = ?`).run(one);
    update.run(...columns.map((column) => a[column] ?? null), two);
    update.run(...columns.map((column) => b[column] ?? null), one);
    raw.prepare('update credentials set name = ? where id = ?').run(a['name'] ?? null, one);
    raw.close();
  };

  it('opens everything as long as nobody does (the control)', async () => {
    expect(await everywhere(shared)).toEqual(['opened shared', 'opened shared']);
    expect(await everywhere(mine)).toEqual(['opened mine', 'opened mine']);
    const [one, two] = [await idOf(mine), await idOf(theirs)];
    swap(['value', 'data_key'], one, two);
    swap(['value', 'data_key'], one, two);
    expect(await everywhere(mine)).toEqual(['opened mine', 'opened mine']);
  });

  describe('swapped', () => {
    it.each([
      ['users', () => [mine, theirs]],
      ['a user and the shared one', () => [mine, shared]],
      ['servers', () => [shared, elsewhere]],
    ] satisfies [string, () => [CredentialRef, CredentialRef]][])(
      'ciphertext between %s: seal_tampered',
      async (_, pair) => {
        const [one, two] = pair();
        for (const columns of [['value', 'data_key'], ['value'], ['data_key']]) {
          swap(columns, await idOf(one), await idOf(two));
          expect(await everywhere(one)).toEqual(['seal_tampered', 'seal_tampered']);
          expect(await everywhere(two)).toEqual(['seal_tampered', 'seal_tampered']);
          swap(columns, await idOf(one), await idOf(two));
          expect(await used(one)).toMatch(/^opened/);
        }
      },
    );

    it('owners, so that each has the other one’s row: seal_tampered', async () => {
      swap(['owner'], await idOf(mine), await idOf(theirs));
      expect(await everywhere(mine)).toEqual(['seal_tampered', 'seal_tampered']);
      expect(await everywhere(theirs)).toEqual(['seal_tampered', 'seal_tampered']);
    });

    it('a row moved to a user who has none: seal_tampered', async () => {
      edit(`update credentials set owner = 'user_9' where id = ?`, await idOf(mine));
      expect(await everywhere({ ...shared, owner: 'user_9' })).toEqual(['seal_tampered', 'seal_tampered']);
      // Whose row is gone does not fall back to the shared value.
      expect(await everywhere(mine)).toEqual(['vault_rolled_back', 'vault_rolled_back']);
    });

    it('ciphertext between versions: seal_tampered', async () => {
      const raw = new DatabaseSync(home.database);
      const old = raw.prepare('select value, data_key from credentials where id = ?').get(await idOf(mine));
      raw.close();
      await home.vault.put(home.local, mine, Secret.fromString('mine, renewed'));
      edit(
        'update credentials set value = ?, data_key = ? where id = ?',
        old?.['value'] ?? null,
        old?.['data_key'] ?? null,
        await idOf(mine),
      );
      expect(await everywhere(mine)).toEqual(['seal_tampered', 'seal_tampered']);
    });

    it('a version number that was never written: seal_tampered', async () => {
      edit('update credentials set version = 7 where id = ?', await idOf(mine));
      expect(await everywhere(mine)).toEqual(['seal_tampered', 'seal_tampered']);
    });

    it('a row copied into another workspace, with or without its index and keys: nothing opens', async () => {
      const server = await home.addServer('github', home.other);
      const columns = 'name, owner, version, value, data_key, updated_at, updated_by';
      edit(
        `insert into credentials (workspace, id, server_id, ${columns}) select ?, id, ?, ${columns} from credentials where id = ?`,
        home.other,
        server,
        await idOf(shared),
      );
      const ref = { ...shared, server };
      const caller = { ...home.agent, workspace: home.other };
      const attempt = async (): Promise<unknown> => {
        const fresh = await home.another();
        return fresh.vault.use(caller, ref, scrub).catch((error: unknown) => error);
      };
      expect(await attempt()).toMatchObject({ code: 'vault_rolled_back' });
      edit(
        'insert into credential_index select ?, version, value, data_key from credential_index where workspace = ?',
        home.other,
        home.workspace,
      );
      expect(await attempt()).toMatchObject({ code: 'seal_key_unknown' });
      edit(
        'insert into tenant_keys select ?, purpose, version, master_key_id, wrapped, created_at from tenant_keys where workspace = ?',
        home.other,
        home.workspace,
      );
      expect(await attempt()).toMatchObject({ code: 'seal_tampered' });
    });
  });

  describe('put back to an older state', () => {
    const row = (id: string) => {
      const raw = new DatabaseSync(home.database);
      const found = raw.prepare('select * from credentials where id = ?').get(id);
      raw.close();
      if (found === undefined) throw new Error('no such row');
      return found;
    };
    const restore = (old: ReturnType<typeof row>): void => {
      const names = Object.keys(old);
      edit(
        `insert or replace into credentials (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`,
        ...Object.values(old),
      );
    };

    it('one row: vault_rolled_back', async () => {
      const old = row(await idOf(mine));
      await home.vault.put(home.local, mine, Secret.fromString('mine, renewed'));
      expect(await everywhere(mine)).toEqual(['opened mine, renewed', 'opened mine, renewed']);
      restore(old);
      expect(await everywhere(mine)).toEqual(['vault_rolled_back', 'vault_rolled_back']);
      expect(await used(shared)).toBe('opened shared');
    });

    it('a deleted row: vault_rolled_back', async () => {
      const old = row(await idOf(mine));
      await home.vault.remove(home.local, mine);
      expect(await used(mine)).toBe('opened shared');
      restore(old);
      expect(await everywhere(mine)).toEqual(['vault_rolled_back', 'vault_rolled_back']);
    });

    it('a row deleted behind the vault’s back: no falling back to the shared value', async () => {
      edit('delete from credentials where id = ?', await idOf(mine));
      expect(await everywhere(mine)).toEqual(['vault_rolled_back', 'vault_rolled_back']);
    });

    it('a row and the index, while anything else has changed since: vault_rolled_back', async () => {
      const raw = new DatabaseSync(home.database);
      const old = row(await idOf(mine));
      const index = raw.prepare('select version, value, data_key from credential_index').get();
      raw.close();
      await home.vault.put(home.local, mine, Secret.fromString('mine, renewed'));
      await home.vault.put(home.local, theirs, Secret.fromString('theirs, renewed'));
      restore(old);
      edit('update credential_index set version = ?, value = ?, data_key = ?', ...Object.values(index ?? {}));
      expect(await everywhere(theirs)).toEqual(['vault_rolled_back', 'seal_tampered']);
    });

    it('everything at once is seen by a process that is running, and by none that starts later', async () => {
      const copy = `${home.database}.copy`;
      const raw = new DatabaseSync(home.database);
      raw.exec(`vacuum into '${copy}'`);
      const old = new DatabaseSync(copy);
      await home.vault.put(home.local, mine, Secret.fromString('mine, renewed'));
      raw.exec('delete from credentials; delete from credential_index');
      for (const table of ['credentials', 'credential_index']) {
        for (const found of old.prepare(`select * from ${table}`).all()) {
          const values = Object.values(found);
          raw.prepare(`insert into ${table} values (${values.map(() => '?').join(', ')})`).run(...values);
        }
      }
      raw.close();
      old.close();
      rmSync(copy);
      // The second is what restoring a backup looks like; only what is kept elsewhere can tell.
      expect(await everywhere(mine)).toEqual(['vault_rolled_back', 'opened mine']);
    });

    it('the index deleted: vault_rolled_back', async () => {
      edit('delete from credential_index');
      expect(await everywhere(mine)).toEqual(['vault_rolled_back', 'vault_rolled_back']);
    });

    it('can be put right by setting the value again', async () => {
      const old = row(await idOf(mine));
      await home.vault.put(home.local, mine, Secret.fromString('mine, renewed'));
      restore(old);
      const info = await home.vault.put(home.local, mine, Secret.fromString('mine, for good'));
      expect(info.version).toBe(3);
      expect(await everywhere(mine)).toEqual(['opened mine, for good', 'opened mine, for good']);
    });
  });

  it('any byte changed, in value, data key or index: an error of seal, and never a value', async () => {
    const codes = new Set<string>();
    for (const [table, column] of [
      ['credentials', 'value'],
      ['credentials', 'data_key'],
      ['credential_index', 'value'],
    ] as const) {
      const raw = new DatabaseSync(home.database);
      const where = table === 'credentials' ? `id = '${await idOf(mine)}'` : 'true';
      const found = raw.prepare(`select ${column} from ${table} where ${where}`).get()?.[column];
      if (!(found instanceof Uint8Array)) throw new Error('no bytes');
      const update = raw.prepare(`update ${table} set ${column} = ? where ${where}`);
      const step = table === 'credentials' ? 1 : 17;
      for (let index = 0; index < found.length; index += step) {
        const changed = Uint8Array.from(found);
        changed[index] = (changed[index] ?? 0) ^ 1;
        update.run(changed);
        codes.add(await used(mine));
      }
      update.run(found.subarray(0, -1));
      codes.add(await used(mine));
      update.run(found);
      raw.close();
      expect(await used(mine)).toBe('opened mine');
    }
    expect([...codes].toSorted()).toEqual([
      'seal_envelope_malformed',
      'seal_key_unknown',
      'seal_suite_unknown',
      'seal_tampered',
    ]);
  });

  describe('the master key', () => {
    const restart = (): Promise<Services> => openHome(home.directory);
    const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
      attempt.then(
        () => 'nothing failed',
        (error: unknown) => (error instanceof AppError ? error.code : error),
      );

    it('of another installation: seal_key_unknown', async () => {
      copyFileSync(home.keyFile, `${home.keyFile}.kept`);
      rmSync(home.keyFile);
      await createLocalKeyFile(home.keyFile, { random: systemRandom, clock: systemClock });
      expect(await codeOf(restart())).toBe('seal_key_unknown');
      copyFileSync(`${home.keyFile}.kept`, home.keyFile);
      expect((await everywhere(mine))[1]).toBe('opened mine');
    });

    it('gone: seal_master_key_missing', async () => {
      rmSync(home.keyFile);
      expect(await codeOf(restart())).toBe('seal_master_key_missing');
    });
  });
});
