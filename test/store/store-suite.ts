/** What every database adapter must do. The same tests run on each: the file beside this one says on which. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  newId,
  type ProfileId,
  type ServerId,
  systemRandom,
  type TokenId,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import type { TenantKeyStore } from '../../src/seal/index.ts';
import type { KillRecord, ProbeRecord, ServerRecord, Store } from '../../src/store/index.ts';
import { describeAudit } from './audit-suite.ts';
import { credentialRecord, serverRecord, tokenRecord, workspaceRecord } from './store-records.ts';

/** One empty database, and a second way into it as another process would have. */
export interface Fixture {
  readonly store: Store;
  /** Another connection to the same database. The fixture closes it. */
  another(): Promise<Store>;
  dispose(): Promise<void>;
}

export function describeStore(name: string, open: () => Promise<Fixture>): void {
  describe(`store on ${name}`, () => {
    let fixture: Fixture;
    let store: Store;
    let workspace: WorkspaceId;
    let other: WorkspaceId;

    beforeEach(async () => {
      fixture = await open();
      store = fixture.store;
      const records = [workspaceRecord('default'), workspaceRecord('other')] as const;
      for (const record of records) await store.workspaces.insert(record);
      [workspace, other] = [records[0].id, records[1].id];
    });

    afterEach(async () => {
      await fixture.dispose();
    });

    describe('workspaces', () => {
      it('finds them by id and by name', async () => {
        expect(await store.workspaces.findByName('default')).toEqual({
          id: workspace,
          name: 'default',
          createdAt: 1,
        });
        expect((await store.workspaces.find(other))?.name).toBe('other');
        expect(await store.workspaces.findByName('none')).toBeNull();
        expect((await store.workspaces.list()).map((row) => row.name)).toEqual(['default', 'other']);
      });

      it('refuses a second one of the same name', async () => {
        await expect(store.workspaces.insert(workspaceRecord('default'))).rejects.toMatchObject({
          code: 'store_conflict',
          kind: 'conflict',
        });
      });
    });

    describe('probes', () => {
      const server = serverRecord('github');
      const probe = (at: number): ProbeRecord => ({
        server: server.id,
        at,
        manifestHash: 'cd'.repeat(32),
        report: { probes: [{ host: 'api.github.com', echoed: [] }], note: 'ü\u0000' },
      });

      beforeEach(async () => {
        await store.servers.insert(workspace, server);
      });

      it('gives back the last one, to the last character', async () => {
        expect(await store.probes.find(workspace, server.id)).toBeNull();
        await store.probes.save(workspace, probe(1));
        expect(await store.probes.find(workspace, server.id)).toEqual(probe(1));
        await store.probes.save(workspace, { ...probe(2), manifestHash: 'ef'.repeat(32), report: null });
        expect(await store.probes.find(workspace, server.id)).toEqual({
          server: server.id,
          at: 2,
          manifestHash: 'ef'.repeat(32),
          report: null,
        });
      });

      it("keeps it from another workspace, and from another's server", async () => {
        await store.probes.save(workspace, probe(1));
        expect(await store.probes.find(other, server.id)).toBeNull();
        await expect(store.probes.save(other, probe(2))).rejects.toMatchObject({ code: 'store_conflict' });
      });

      it('goes with its server, and is none of its changes', async () => {
        await store.probes.save(workspace, probe(1));
        await store.servers.update(workspace, { ...server, enabled: false });
        expect(await store.probes.find(workspace, server.id)).toEqual(probe(1));
        await store.servers.remove(workspace, server.id);
        expect(await store.probes.find(workspace, server.id)).toBeNull();
        await expect(store.probes.save(workspace, probe(2))).rejects.toMatchObject({
          code: 'store_conflict',
        });
      });
    });

    describe('servers', () => {
      it('gives back what was put in, to the last character', async () => {
        const server = { ...serverRecord('github'), package: { name: 'x', integrity: 'sha512-…' } };
        await store.servers.insert(workspace, server);
        expect(await store.servers.find(workspace, server.id)).toEqual(server);
        expect(await store.servers.findBySlug(workspace, 'github')).toEqual(server);
        const changed = { ...server, slug: 'gh', enabled: false, package: null, updatedAt: 11 };
        await store.servers.update(workspace, changed);
        expect(await store.servers.list(workspace)).toEqual([changed]);
      });

      it('keeps slugs unique within a workspace and free across workspaces', async () => {
        await store.servers.insert(workspace, serverRecord('github'));
        await store.servers.insert(other, serverRecord('github'));
        await expect(store.servers.insert(workspace, serverRecord('github'))).rejects.toMatchObject({
          code: 'store_conflict',
        });
      });

      it("does not touch another workspace's server", async () => {
        const server = serverRecord('github');
        await store.servers.insert(workspace, server);
        expect(await store.servers.find(other, server.id)).toBeNull();
        expect(await store.servers.list(other)).toEqual([]);
        expect(await store.servers.remove(other, server.id)).toBe(false);
        await expect(store.servers.update(other, server)).rejects.toMatchObject({ code: 'store_conflict' });
        expect(await store.servers.remove(workspace, server.id)).toBe(true);
        expect(await store.servers.remove(workspace, server.id)).toBe(false);
      });

      it('refuses to remove one that still has credentials', async () => {
        const server = serverRecord('github');
        await store.servers.insert(workspace, server);
        await store.credentials.insert(workspace, credentialRecord(server.id, 'TOKEN', null));
        await expect(store.servers.remove(workspace, server.id)).rejects.toMatchObject({
          code: 'store_conflict',
        });
        expect(await store.servers.find(workspace, server.id)).toEqual(server);
      });
    });

    describe('credentials', () => {
      let server: ServerRecord;

      beforeEach(async () => {
        server = serverRecord('github');
        await store.servers.insert(workspace, server);
      });

      it('keeps one row per slot and owner, and finds exactly that one', async () => {
        const shared = credentialRecord(server.id, 'TOKEN', null);
        const own = credentialRecord(server.id, 'TOKEN', 'user_1');
        await store.credentials.insert(workspace, shared);
        await store.credentials.insert(workspace, own);
        const slot = { server: server.id, name: 'TOKEN' };
        expect(await store.credentials.find(workspace, { ...slot, owner: null })).toEqual(shared);
        expect(await store.credentials.find(workspace, { ...slot, owner: 'user_1' })).toEqual(own);
        expect(await store.credentials.find(workspace, { ...slot, owner: 'user_2' })).toBeNull();
        expect(await store.credentials.find(other, { ...slot, owner: null })).toBeNull();
        await expect(
          store.credentials.insert(workspace, credentialRecord(server.id, 'TOKEN', 'user_1')),
        ).rejects.toMatchObject({ code: 'store_conflict' });
      });

      it('lists without ciphertext', async () => {
        const credential = credentialRecord(server.id, 'TOKEN', null);
        await store.credentials.insert(workspace, credential);
        const { value: _value, dataKey: _dataKey, ...metadata } = credential;
        expect(await store.credentials.list(workspace)).toEqual([metadata]);
        expect(await store.credentials.list(workspace, server.id)).toEqual([metadata]);
        expect(await store.credentials.list(workspace, 'srv_none' as ServerId)).toEqual([]);
        expect(await store.credentials.list(other)).toEqual([]);
      });

      it('changes a row only from the version that the writer has seen', async () => {
        const first = credentialRecord(server.id, 'TOKEN', null);
        await store.credentials.insert(workspace, first);
        const second = { ...first, version: 2, value: Buffer.from('second'), updatedAt: 21 };
        await store.credentials.update(workspace, second, 1);
        await expect(store.credentials.update(workspace, second, 1)).rejects.toMatchObject({
          code: 'store_conflict',
        });
        await expect(store.credentials.update(other, second, 2)).rejects.toMatchObject({
          code: 'store_conflict',
        });
        await expect(store.credentials.remove(workspace, first.id, 1)).rejects.toMatchObject({
          code: 'store_conflict',
        });
        expect(await store.credentials.find(workspace, first)).toEqual(second);
        await store.credentials.remove(workspace, first.id, 2);
        expect(await store.credentials.find(workspace, first)).toBeNull();
      });

      it('refuses one for a server that does not exist', async () => {
        const orphan = credentialRecord('srv_none' as ServerId, 'TOKEN', null);
        await expect(store.credentials.insert(workspace, orphan)).rejects.toMatchObject({
          code: 'store_conflict',
        });
      });

      it('moves the index one version at a time', async () => {
        const index = { version: 1, value: Buffer.from('one'), dataKey: Buffer.from('k') };
        expect(await store.credentials.index(workspace)).toBeNull();
        await store.credentials.replaceIndex(workspace, index);
        await store.credentials.replaceIndex(workspace, { ...index, version: 2, value: Buffer.from('two') });
        expect(await store.credentials.index(workspace)).toEqual({
          ...index,
          version: 2,
          value: Buffer.from('two'),
        });
        for (const version of [1, 2, 4]) {
          await expect(
            store.credentials.replaceIndex(workspace, { ...index, version }),
          ).rejects.toMatchObject({
            code: 'store_conflict',
          });
        }
        expect(await store.credentials.index(other)).toBeNull();
      });
    });

    describe('tenant keys', () => {
      it('satisfies the port of the key ring', async () => {
        const port: TenantKeyStore = store.tenantKeys;
        const row = {
          workspace,
          purpose: 'data',
          version: 1,
          masterKeyId: 'mk-old',
          wrapped: Buffer.from('w1'),
          createdAt: 5,
        } as const;
        expect(await port.load(workspace)).toEqual([]);
        expect(await port.insert(row)).toBe(true);
        expect(await port.insert({ ...row, wrapped: Buffer.from('w2') })).toBe(false);
        expect(await port.insert({ ...row, purpose: 'audit' })).toBe(true);
        const rewrapped = { ...row, masterKeyId: 'mk-new', wrapped: Buffer.from('w3') };
        expect(await port.replace(rewrapped, 'mk-wrong')).toBe(false);
        expect(await port.replace({ ...rewrapped, version: 2 }, 'mk-old')).toBe(false);
        expect(await port.replace(rewrapped, 'mk-old')).toBe(true);
        expect(await port.load(workspace)).toEqual([{ ...row, purpose: 'audit' }, rewrapped]);
        expect(await port.load(other)).toEqual([]);
        expect(await port.list()).toHaveLength(2);
      });
    });

    describe('profiles', () => {
      it('keeps entries and options as they are', async () => {
        const profile = {
          id: newId<'profile'>('prf', systemRandom),
          name: 'dev',
          entries: [
            { server: 'github', tools: ['search'] },
            { server: 'slack', tools: '*' },
            { server: 'notion', tools: null },
          ],
          options: {},
          createdAt: 1,
          updatedAt: 1,
        } as const;
        await store.profiles.insert(workspace, profile);
        expect(await store.profiles.findByName(workspace, 'dev')).toEqual(profile);
        expect(await store.profiles.findByName(other, 'dev')).toBeNull();
        const changed = { ...profile, entries: [], options: { search: true, note: 'ü' }, updatedAt: 2 };
        await store.profiles.update(workspace, changed);
        expect(await store.profiles.list(workspace)).toEqual([changed]);
        await expect(
          store.profiles.insert(workspace, { ...profile, id: 'prf_2' as ProfileId }),
        ).rejects.toMatchObject({ code: 'store_conflict' });
        expect(await store.profiles.remove(other, profile.id)).toBe(false);
        expect(await store.profiles.remove(workspace, profile.id)).toBe(true);
        await expect(store.profiles.update(workspace, profile)).rejects.toMatchObject({
          code: 'store_conflict',
        });
      });
    });

    describe('tokens', () => {
      it('is found by the presented id alone, and says which workspace it is of', async () => {
        const token = tokenRecord(workspace);
        await store.tokens.insert(workspace, token);
        expect(await store.tokens.findPresented(token.id)).toEqual(token);
        expect(await store.tokens.findPresented('t_none')).toBeNull();
        expect(await store.tokens.find(other, token.id)).toBeNull();
        await expect(store.tokens.insert(other, { ...token, workspace: other })).rejects.toMatchObject({
          code: 'store_conflict',
        });
      });

      it('keeps the time of the first revocation', async () => {
        const token = tokenRecord(workspace);
        await store.tokens.insert(workspace, token);
        expect(await store.tokens.revoke(other, token.id, 99)).toBe(false);
        expect(await store.tokens.revoke(workspace, token.id, 100)).toBe(true);
        expect(await store.tokens.revoke(workspace, token.id, 200)).toBe(true);
        expect(await store.tokens.revoke(workspace, 't_none' as TokenId, 200)).toBe(false);
        expect((await store.tokens.find(workspace, token.id))?.revokedAt).toBe(100);
      });

      it('lists the newest first, with the last use', async () => {
        const old = tokenRecord(workspace);
        const young = { ...tokenRecord(workspace), createdAt: 31 };
        await store.tokens.insert(workspace, old);
        await store.tokens.insert(workspace, young);
        await store.tokens.touch(workspace, old.id, 77);
        await store.tokens.touch(other, young.id, 78);
        expect(await store.tokens.list(workspace)).toEqual([young, { ...old, lastUsedAt: 77 }]);
        expect(await store.tokens.list(other)).toEqual([]);
      });
    });

    describe('kills', () => {
      const kill = (scope: KillRecord['scope'], target: string) =>
        ({ scope, target, at: 1, by: 'local:0', reason: 'test' }) as const;

      it('belong to a workspace, except the one that stops everything', async () => {
        await store.kills.set(workspace, kill('server', 'github'));
        await store.kills.set(other, kill('server', 'github'));
        await store.kills.set(workspace, { ...kill('all', ''), at: 2 });
        const everything = { ...kill('all', ''), at: 2, workspace: null };
        expect(await store.kills.list(workspace)).toEqual([
          { ...kill('server', 'github'), workspace },
          everything,
        ]);
        expect(await store.kills.list(other)).toEqual([
          { ...kill('server', 'github'), workspace: other },
          everything,
        ]);
        expect(await store.kills.listEverywhere()).toHaveLength(3);
        expect(await store.kills.lift(other, 'all', '')).toBe(true);
        expect(await store.kills.lift(other, 'server', 'github')).toBe(true);
        expect(await store.kills.lift(other, 'server', 'github')).toBe(false);
        expect(await store.kills.list(workspace)).toEqual([{ ...kill('server', 'github'), workspace }]);
      });

      it('replaces the reason when set again', async () => {
        await store.kills.set(workspace, kill('token', 't_1'));
        await store.kills.set(workspace, { ...kill('token', 't_1'), reason: 'leaked', at: 9 });
        expect(await store.kills.list(workspace)).toEqual([
          { ...kill('token', 't_1'), reason: 'leaked', at: 9, workspace },
        ]);
      });
    });

    describeAudit(() => ({ store, workspace, other }));

    describe('streams', () => {
      it('are kept as they were said last, by workspace and name', async () => {
        const stream = { name: 'a', sequence: 1, state: { sending: null, n: 'ü\u0000' }, updatedAt: 1 };
        expect(await store.streams.find(workspace, 'a')).toBeNull();
        await store.streams.save(workspace, stream);
        await store.streams.save(workspace, { ...stream, sequence: 7, updatedAt: 2 });
        await store.streams.save(workspace, { ...stream, name: 'b' });
        expect(await store.streams.find(workspace, 'a')).toEqual({ ...stream, sequence: 7, updatedAt: 2 });
        expect(await store.streams.find(workspace, 'b')).toEqual({ ...stream, name: 'b' });
        expect(await store.streams.find(other, 'a')).toBeNull();
      });
    });

    describe('meta', () => {
      it('sets, replaces, and agrees on the first of several', async () => {
        await store.meta.set('k', '1');
        await store.meta.set('k', '2');
        expect(await store.meta.get('k')).toBe('2');
        expect(await store.meta.ensure('k', '3')).toBe('2');
        expect(await store.meta.ensure('new', 'x')).toBe('x');
        expect(await store.meta.get('none')).toBeNull();
      });
    });

    it('refuses politely once it is closed', async () => {
      await store.close();
      await store.close();
      await expect(store.servers.list(workspace)).rejects.toMatchObject({ code: 'store_closed' });
      await expect(store.audit.head(workspace)).rejects.toMatchObject({ code: 'store_closed' });
      expect(() => store.revision()).toThrow(expect.objectContaining({ code: 'store_closed' }));
      await expect(store.check()).rejects.toMatchObject({ code: 'store_closed' });
      await expect(store.transaction(async () => 1)).rejects.toMatchObject({ code: 'store_closed' });
    });
  });
}
