/** What a store keeps of a server besides its manifest. Like `store-suite.ts`, for every database adapter. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ApprovalId,
  limits,
  newId,
  type ServerId,
  systemRandom,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import type {
  ApprovalRecord,
  DefinitionRecord,
  GrantRecord,
  ServerRecord,
  Store,
} from '../../src/store/index.ts';
import type { Fixture } from './store-suite.ts';

const TEXT = '{"name":"ü\u0000\ud83d\ude00","n":12345678901234567890}';

const serverRecord = (slug: string): ServerRecord => ({
  id: newId<'server'>('srv', systemRandom),
  slug,
  manifest: {},
  manifestHash: 'ab'.repeat(32),
  source: 'x',
  package: null,
  enabled: true,
  createdAt: 1,
  updatedAt: 1,
});

const definition = (server: ServerId, more: Partial<DefinitionRecord> = {}): DefinitionRecord => ({
  server,
  kind: 'tool',
  name: 'search',
  state: 'approved',
  hash: 'a',
  text: TEXT,
  at: 1,
  by: 'local:0',
  ...more,
});

const grant = (server: ServerId, more: Partial<GrantRecord> = {}): GrantRecord => ({
  server,
  owner: null,
  issuer: 'https://a.example',
  data: { scopes: ['read'], note: 'ü\u0000' },
  updatedAt: 1,
  ...more,
});

export function describeServerFacts(name: string, open: () => Promise<Fixture>): void {
  describe(`what a store on ${name} keeps of servers`, () => {
    let fixture: Fixture;
    let store: Store;
    let workspace: WorkspaceId;
    let other: WorkspaceId;
    let server: ServerId;

    beforeEach(async () => {
      fixture = await open();
      store = fixture.store;
      const record = serverRecord('github');
      [workspace, other] = [newId('ws', systemRandom), newId('ws', systemRandom)];
      await store.workspaces.insert({ id: workspace, name: 'default', createdAt: 1 });
      await store.workspaces.insert({ id: other, name: 'other', createdAt: 1 });
      await store.servers.insert(workspace, record);
      server = record.id;
    });

    afterEach(() => fixture.dispose());

    it('definitions: one of each state in a place, to the last character', async () => {
      const waiting = definition(server, { state: 'pending', hash: 'b', text: '{}', at: 2, by: 'cell:c' });
      const prompt = definition(server, { kind: 'prompt' });
      for (const each of [waiting, definition(server), prompt]) {
        await store.definitions.save(workspace, [each]);
      }
      expect(await store.definitions.list(workspace, server)).toEqual([prompt, definition(server), waiting]);
      expect(await store.definitions.list(other, server)).toEqual([]);
      expect(await store.definitions.list(workspace, server, 'pending')).toEqual([waiting]);
      expect(await store.definitions.list(workspace, server, 'rejected')).toEqual([]);

      const approved = { ...waiting, state: 'approved', by: 'usr_1' } as const;
      await store.transaction(async ({ definitions }) => {
        await definitions.save(workspace, [approved]);
        expect(await definitions.remove(workspace, waiting)).toBe(true);
      });
      expect(await store.definitions.list(workspace, server)).toEqual([prompt, approved]);
      expect(await store.definitions.remove(workspace, waiting)).toBe(false);
      expect(await store.definitions.remove(other, approved)).toBe(false);
      expect(await store.definitions.list(workspace, server)).toHaveLength(2);
    });

    it('definitions: many at once, each in the place of the one before', async () => {
      const many = (text: string) =>
        Array.from({ length: 2 * limits.storeRowsPerStatement + 3 }, (_, n) =>
          definition(server, { name: `tool ${String(n).padStart(3, '0')}`, text: `${text} ${n}`, at: n }),
        );
      await store.definitions.save(workspace, []);
      await store.definitions.save(workspace, many('first'));
      expect(await store.definitions.list(workspace, server)).toEqual(many('first'));
      await store.definitions.save(workspace, many('second'));
      expect(await store.definitions.list(workspace, server)).toEqual(many('second'));
    });

    it('a document: the last one, to the last character', async () => {
      expect(await store.documents.find(workspace, server)).toBeNull();
      await store.documents.save(workspace, { server, hash: 'a', text: TEXT });
      expect(await store.documents.find(workspace, server)).toEqual({ server, hash: 'a', text: TEXT });
      await store.documents.save(workspace, { server, hash: 'b', text: 'openapi: 3.1.0\n' });
      expect(await store.documents.find(workspace, server)).toMatchObject({ hash: 'b' });
      expect(await store.documents.find(other, server)).toBeNull();
    });

    it('the revisions that it speaks, and what they were found for', async () => {
      expect(await store.eras.find(workspace, server)).toBeNull();
      await store.eras.save(workspace, { server, key: 'manifest one', era: 'session' });
      await store.eras.save(workspace, { server, key: 'manifest two', era: 'both' });
      expect(await store.eras.find(workspace, server)).toEqual({ server, key: 'manifest two', era: 'both' });
      expect(await store.eras.find(other, server)).toBeNull();
    });

    it('grants: one for each owner and issuer, the latest first', async () => {
      const shared = grant(server);
      const [elsewhere, owned] = [
        grant(server, { issuer: 'https://b.example', updatedAt: 3 }),
        grant(server, { owner: 'usr_1', data: null, updatedAt: 2 }),
      ];
      for (const each of [shared, elsewhere, owned]) await store.grants.save(workspace, each);
      expect(await store.grants.list(workspace, server)).toEqual([elsewhere, owned, shared]);
      expect(await store.grants.list(other, server)).toEqual([]);
      const renewed = { ...shared, data: ['new'], updatedAt: 4 };
      await store.grants.save(workspace, renewed);
      expect(await store.grants.remove(other, owned)).toBe(false);
      expect(await store.grants.remove(workspace, owned)).toBe(true);
      expect(await store.grants.remove(workspace, owned)).toBe(false);
      expect(await store.grants.list(workspace, server)).toEqual([renewed, elsewhere]);
    });

    it('rules: one text for the workspace and for each profile, to the last character', async () => {
      const policy = (profile: string | null, text: string) => ({
        profile,
        text,
        updatedAt: 1,
        updatedBy: 'local:0',
      });
      const before = store.revision();
      for (const each of [policy('dev', 'a'), policy(null, TEXT), policy('dev', 'b')])
        await store.policies.save(workspace, each);
      expect(store.revision()).not.toBe(before);
      expect(await store.policies.list(workspace)).toEqual([policy(null, TEXT), policy('dev', 'b')]);
      expect(await store.policies.list(other)).toEqual([]);
      expect(await store.policies.remove(other, null)).toBe(false);
      expect(await store.policies.remove(workspace, null)).toBe(true);
      expect(await store.policies.remove(workspace, null)).toBe(false);
      expect(await store.policies.list(workspace)).toEqual([policy('dev', 'b')]);
    });

    it('approvals: each version once, one that waits for each request, and whose time is over', async () => {
      const approval = (name: string, more: Partial<ApprovalRecord> = {}): ApprovalRecord => ({
        id: name as ApprovalId,
        state: 'pending',
        hash: 'sha256-1',
        requester: 'token:a',
        version: 1,
        askedAt: 1,
        endsAt: 10,
        changedAt: 1,
        value: Buffer.from([0, 1, 255]),
        dataKey: Buffer.from('k'),
        ...more,
      });
      const { approvals } = store;
      const elsewhere = (await fixture.another()).approvals;
      const before = store.revision();
      expect(
        await Promise.all([
          approvals.insert(workspace, approval('apr_1')),
          elsewhere.insert(workspace, approval('apr_2')),
        ]),
      ).toEqual([true, false]);
      expect(store.revision()).not.toBe(before);
      expect(await approvals.insert(other, approval('apr_1'))).toBe(true);
      expect(await approvals.find(workspace, approval('apr_1').id)).toEqual(approval('apr_1'));
      expect(await approvals.find(workspace, approval('apr_2').id)).toBeNull();

      const next = approval('apr_1', { version: 2, state: 'approved', endsAt: 20, changedAt: 2 });
      const replaced = await Promise.all([
        approvals.replace(workspace, next),
        elsewhere.replace(workspace, { ...next, state: 'rejected' }),
      ]);
      expect(replaced.filter(Boolean)).toHaveLength(1);
      expect(await elsewhere.replace(workspace, approval('apr_9', { version: 2 }))).toBe(false);
      expect(await approvals.insert(workspace, approval('apr_3', { askedAt: 5 }))).toBe(true);
      expect(
        (await approvals.ofRequest(workspace, 'sha256-1', ['approved', 'rejected', 'pending'])).map(
          ({ id }) => id,
        ),
      ).toEqual(['apr_1', 'apr_3']);
      expect(await approvals.ofRequest(workspace, 'sha256-2', ['pending'])).toEqual([]);
      expect((await approvals.list(workspace, null, 1)).map(({ id }) => id)).toEqual(['apr_3']);
      expect((await approvals.due(workspace, 10)).map(({ id }) => id)).toEqual(['apr_3']);
      expect(await approvals.due(workspace, 9)).toEqual([]);
      expect(await approvals.waiting(workspace, 'token:a')).toEqual({ all: 1, own: 1 });
      expect(await approvals.waiting(workspace, 'token:b')).toEqual({ all: 1, own: 0 });
      expect(await approvals.asked(workspace, 'token:a', 1)).toBe(2);
      expect(await approvals.asked(workspace, 'token:a', 2)).toBe(1);
      expect(await approvals.asked(workspace, 'token:b', 0)).toBe(0);
      const over = approval('apr_3', { version: 2, state: 'expired', endsAt: null, changedAt: 100 });
      expect(await approvals.replace(workspace, over)).toBe(true);
      await approvals.prune(workspace, 100);
      expect(await approvals.find(workspace, over.id)).toEqual(over);
      await approvals.prune(workspace, 101);
      expect(await approvals.find(workspace, over.id)).toBeNull();
      expect(await approvals.find(other, approval('apr_1').id)).not.toBeNull();
    });

    it('nothing without the server, and nothing after it', async () => {
      const save = [
        () => store.definitions.save(workspace, [definition(server)]),
        () => store.documents.save(workspace, { server, hash: 'a', text: TEXT }),
        () => store.eras.save(workspace, { server, key: 'k', era: 'session' }),
        () => store.grants.save(workspace, grant(server)),
      ];
      for (const each of save) await each();
      await store.servers.remove(workspace, server);
      for (const each of save) await expect(each()).rejects.toMatchObject({ code: 'store_conflict' });
      expect(await store.definitions.list(workspace, server)).toEqual([]);
      expect(await store.documents.find(workspace, server)).toBeNull();
      expect(await store.eras.find(workspace, server)).toBeNull();
      expect(await store.grants.list(workspace, server)).toEqual([]);
    });

    it('the revision moves with all of it but what was only found, whoever changes it', async () => {
      const another = await fixture.another();
      const changes = (writer: Store): readonly (() => Promise<unknown>)[] => [
        () => writer.definitions.save(workspace, [definition(server)]),
        () => writer.definitions.remove(workspace, definition(server)),
        () => writer.documents.save(workspace, { server, hash: 'a', text: '' }),
        () => writer.grants.save(workspace, grant(server)),
        () => writer.grants.remove(workspace, grant(server)),
      ];
      for (const writer of [store, another]) {
        for (const change of changes(writer)) {
          const before = store.revision();
          await change();
          await pause(limits.storeRevisionGlanceMs + 1);
          expect(store.revision()).not.toBe(before);
        }
      }
      // Every few seconds it moves whatever was written, which can fall between two of these, but not between all.
      const moves: boolean[] = [];
      for (const key of ['a', 'b', 'c']) {
        const before = store.revision();
        await store.eras.save(workspace, { server, key, era: 'session' });
        await pause(limits.storeRevisionGlanceMs + 1);
        moves.push(store.revision() !== before);
      }
      expect(moves).toContain(false);
    });
  });
}
