/** What every database adapter must do. The same tests run on each: the file beside this one says on which. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditStore, EventRow, RecordedEvent } from '../../src/audit/index.ts';
import {
  limits,
  newId,
  type ProfileId,
  type ServerId,
  systemRandom,
  type TokenId,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import type { TenantKeyStore } from '../../src/seal/index.ts';
import type {
  CredentialRecord,
  KillRecord,
  ProbeRecord,
  ServerRecord,
  Store,
  StoredEvent,
  TokenRecord,
  WorkspaceRecord,
} from '../../src/store/index.ts';

/** One empty database, and a second way into it as another process would have. */
export interface Fixture {
  readonly store: Store;
  /** Another connection to the same database. The fixture closes it. */
  another(): Promise<Store>;
  dispose(): Promise<void>;
}

const workspaceRecord = (name: string): WorkspaceRecord => ({
  id: newId<'workspace'>('ws', systemRandom),
  name,
  createdAt: 1,
});

const serverRecord = (slug: string): ServerRecord => ({
  id: newId<'server'>('srv', systemRandom),
  slug,
  manifest: { name: slug, egress: [], nested: { text: 'ü\u0000\ud83d\ude00', n: 1.5, no: null } },
  manifestHash: 'ab'.repeat(32),
  source: 'catalog:github',
  package: null,
  enabled: true,
  createdAt: 10,
  updatedAt: 10,
});

const credentialRecord = (server: ServerId, name: string, owner: string | null): CredentialRecord => ({
  id: newId<'credential'>('crd', systemRandom),
  server,
  name,
  owner,
  version: 1,
  value: Buffer.from([0, 1, 2, 255]),
  dataKey: Buffer.from('wrapped'),
  updatedAt: 20,
  updatedBy: 'local:0',
});

const tokenRecord = (workspace: WorkspaceId): TokenRecord => ({
  workspace,
  id: newId<'token'>('t', systemRandom),
  profile: 'dev',
  agent: 'claude',
  hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA',
  createdAt: 30,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
});

const event = (workspace: WorkspaceId, sequence: number, previous: string): RecordedEvent => ({
  workspace,
  sequence,
  at: 1_700_000_000_000 + sequence,
  type: 'credential.used',
  actor: { kind: 'token', id: 't_1' },
  ...(sequence % 2 === 0 ? { server: 'github' } : {}),
  data: { name: 'TOKEN', list: [1, 'ü', null, { deep: true }] },
  previous,
  hash: sequence.toString(16).padStart(64, '0'),
});

/** As the audit log hands it over. */
export const row = ({
  sequence,
  at,
  type,
  actor,
  server,
  data,
  previous,
  hash,
}: Omit<StoredEvent, 'workspace'>): EventRow => ({
  sequence,
  at,
  type,
  actor: JSON.stringify(actor),
  server: server ?? null,
  data: JSON.stringify(data),
  previous,
  hash,
});

const NO_EVENT = '0'.repeat(64);

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

    describe('audit', () => {
      it('satisfies the port of the audit log, and gives events back as they were', async () => {
        const port: AuditStore = store.audit;
        expect(await port.head(workspace)).toBeNull();
        const first = event(workspace, 1, NO_EVENT);
        const second = event(workspace, 2, first.hash);
        await port.append(workspace, [row(first), row(second)], Buffer.from('mac'));
        const third = event(workspace, 3, second.hash);
        await port.append(workspace, [row(third)], Buffer.from('mac3'));
        expect(await port.head(workspace)).toEqual({
          sequence: 3,
          hash: third.hash,
          mac: Buffer.from('mac3'),
        });
        expect(await port.read(workspace, 1, 100)).toEqual([first, second, third]);
        expect(await port.read(workspace, 2, 1)).toEqual([second]);
        expect(await port.read(workspace, 4, 1)).toEqual([]);
        expect(await port.read(other, 1, 100)).toEqual([]);
        expect(await port.head(other)).toBeNull();
      });

      it('refuses events that do not continue the chain, and writes none of them', async () => {
        const first = event(workspace, 1, NO_EVENT);
        await store.audit.append(workspace, [row(first)], Buffer.from('mac'));
        const elsewhere = event(workspace, 2, 'ff'.repeat(32));
        const again = event(workspace, 1, NO_EVENT);
        for (const batch of [[elsewhere], [again], [elsewhere, event(workspace, 3, elsewhere.hash)]]) {
          await expect(store.audit.append(workspace, batch.map(row), Buffer.from('x'))).rejects.toMatchObject(
            {
              code: 'audit_chain_moved',
            },
          );
        }
        expect(await store.audit.read(workspace, 1, 9)).toEqual([first]);
        expect((await store.audit.head(workspace))?.mac).toEqual(Buffer.from('mac'));
      });

      it('writes all of a batch or nothing', async () => {
        const first = event(workspace, 1, NO_EVENT);
        const batch = [first, { ...event(workspace, 2, first.hash), sequence: 1 }];
        await expect(store.audit.append(workspace, batch.map(row), Buffer.from('x'))).rejects.toMatchObject({
          code: 'store_conflict',
        });
        expect(await store.audit.read(workspace, 1, 9)).toEqual([]);
        expect(await store.audit.head(workspace)).toBeNull();
      });

      it('keeps checkpoints in order', async () => {
        const checkpoint = (sequence: number) => ({
          workspace,
          sequence,
          hash: 'aa',
          at: 1,
          publicKey: 'pk',
          signature: 'sig',
        });
        await store.audit.addCheckpoint(checkpoint(20));
        await store.audit.addCheckpoint(checkpoint(10));
        expect(await store.audit.checkpoints(workspace)).toEqual([checkpoint(10), checkpoint(20)]);
        expect(await store.audit.checkpoints(other)).toEqual([]);
      });

      it('changes a journal with the events that came from it, or neither', async () => {
        const { audit } = store;
        const journal = (records: number, closed = false) => ({
          id: 'jrn_1',
          records,
          closed,
          mac: Buffer.from(`${records}`),
        });
        const step = (from: number, records: number) => ({ from, row: journal(records) });
        const first = event(workspace, 1, NO_EVENT);
        const second = event(workspace, 2, first.hash);
        await audit.putJournal({ ...journal(0), id: 'jrn_2' });
        const moved = { code: 'audit_journal_moved' };
        const mac = Buffer.from('mac');
        await expect(audit.append(workspace, [row(first)], mac, step(0, 3))).rejects.toMatchObject(moved);
        await audit.putJournal(journal(0));
        await expect(audit.append(workspace, [row(first)], mac, step(1, 3))).rejects.toMatchObject(moved);
        expect(await audit.read(workspace, 1, 9)).toEqual([]);
        await audit.append(workspace, [row(first)], mac, step(0, 3));
        await expect(audit.append(workspace, [row(second)], mac, step(0, 3))).rejects.toMatchObject(moved);
        await expect(audit.append(workspace, [row(first)], mac, step(3, 4))).rejects.toMatchObject({
          code: 'audit_chain_moved',
        });
        expect(await audit.journals()).toEqual([journal(3), { ...journal(0), id: 'jrn_2' }]);
        await audit.putJournal(journal(3, true));
        await expect(audit.append(workspace, [row(second)], mac, step(3, 4))).rejects.toMatchObject(moved);
        expect(await audit.read(workspace, 1, 9)).toEqual([first]);
        await audit.forgetJournal('jrn_2');
        expect(await audit.journals()).toEqual([journal(3, true)]);
      });

      it('does not land inside a transaction that happens to be open', async () => {
        const first = event(workspace, 1, NO_EVENT);
        let appended: Promise<void> | undefined;
        const failing = store.transaction(async (repositories) => {
          await repositories.meta.set('a', '1');
          appended = store.audit.append(workspace, [row(first)], Buffer.from('mac'));
          await repositories.meta.set('b', '2');
          throw new Error('changed my mind');
        });
        await expect(failing).rejects.toThrow('changed my mind');
        await appended;
        expect(await store.meta.get('a')).toBeNull();
        expect(await store.audit.read(workspace, 1, 9)).toEqual([first]);
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

    describe('transactions', () => {
      it('does all or nothing', async () => {
        await store.transaction(async ({ meta, servers }) => {
          await meta.set('a', '1');
          await servers.insert(workspace, serverRecord('github'));
        });
        expect(await store.meta.get('a')).toBe('1');
        const failing = store.transaction(async ({ meta, servers }) => {
          await meta.set('a', '2');
          await servers.insert(workspace, serverRecord('github'));
        });
        await expect(failing).rejects.toMatchObject({ code: 'store_conflict' });
        expect(await store.meta.get('a')).toBe('1');
        expect(await store.servers.list(workspace)).toHaveLength(1);
      });

      it('lets nobody see a change before it is committed', async () => {
        const server = serverRecord('github');
        await store.servers.insert(workspace, server);
        const credential = credentialRecord(server.id, 'TOKEN', null);
        let seen: Promise<unknown> | undefined;
        const failing = store.transaction(async ({ credentials }) => {
          await credentials.insert(workspace, credential);
          seen = store.credentials.find(workspace, credential);
          await credentials.list(workspace);
          throw new Error('no');
        });
        await expect(failing).rejects.toThrow('no');
        expect(await seen).toBeNull();
      });
    });

    describe('revision', () => {
      it('moves with every change that may be cached, and stays otherwise', async () => {
        const token = tokenRecord(workspace);
        await store.tokens.insert(workspace, token);
        let before = store.revision();
        expect(store.revision()).toBe(before);
        await store.audit.append(workspace, [row(event(workspace, 1, NO_EVENT))], Buffer.from('mac'));
        await store.tokens.touch(workspace, token.id, 1);
        await store.tokens.list(workspace);
        expect(store.revision()).toBe(before);
        const changes = [
          () => store.tokens.revoke(workspace, token.id, 1),
          () => store.kills.set(workspace, { scope: 'server', target: 'x', at: 1, by: 'b', reason: '' }),
          () => store.kills.lift(workspace, 'server', 'x'),
          () => store.servers.insert(workspace, serverRecord('github')),
          () => store.transaction(async ({ meta }) => meta.set('a', '1')),
        ];
        for (const change of changes) {
          await change();
          expect(store.revision()).not.toBe(before);
          before = store.revision();
        }
      });

      it('moves when another process commits', async () => {
        const another = await fixture.another();
        const before = store.revision();
        await another.kills.set(workspace, { scope: 'all', target: '', at: 1, by: 'b', reason: 'r' });
        await pause(limits.storeRevisionGlanceMs + 1);
        expect(store.revision()).not.toBe(before);
        expect(await store.kills.listEverywhere()).toHaveLength(1);
      });

      it('stays when another process records events and uses of tokens', async () => {
        const another = await fixture.another();
        const token = tokenRecord(workspace);
        await store.tokens.insert(workspace, token);
        const before = store.revision();
        await another.audit.append(workspace, [row(event(workspace, 1, NO_EVENT))], Buffer.from('mac'));
        await another.tokens.touch(workspace, token.id, 1);
        await pause(limits.storeRevisionGlanceMs + 1);
        expect(store.revision()).toBe(before);
        await another.tokens.revoke(workspace, token.id, 1);
        await pause(limits.storeRevisionGlanceMs + 1);
        expect(store.revision()).not.toBe(before);
      });

      it('is another one than ever before after a change that was taken back', async () => {
        let during: number | undefined;
        const before = store.revision();
        const failing = store.transaction(async ({ meta }) => {
          await meta.set('a', '1');
          during = store.revision();
          throw new Error('changed my mind');
        });
        await expect(failing).rejects.toThrow('changed my mind');
        // Not committed: nobody can have cached anything of it.
        expect([during, store.revision()]).toEqual([before, before]);
        await store.meta.set('a', '2');
        expect(store.revision()).not.toBe(before);
      });
    });

    describe('two processes', () => {
      it('notice each other on the audit chain and on versions', async () => {
        const another = await fixture.another();
        const first = event(workspace, 1, NO_EVENT);
        await store.audit.append(workspace, [row(first)], Buffer.from('mac'));
        await expect(another.audit.append(workspace, [row(first)], Buffer.from('mac'))).rejects.toMatchObject(
          {
            code: 'audit_chain_moved',
          },
        );
        await another.audit.append(workspace, [row(event(workspace, 2, first.hash))], Buffer.from('mac2'));
        expect((await store.audit.head(workspace))?.sequence).toBe(2);
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
