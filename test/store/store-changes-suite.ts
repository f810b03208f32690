/** What a store makes of changes: all or nothing, seen by other processes, and noticed. For every database adapter. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits, type WorkspaceId } from '../../src/kernel/index.ts';
import type { Store } from '../../src/store/index.ts';
import {
  credentialRecord,
  event,
  NO_EVENT,
  row,
  serverRecord,
  tokenRecord,
  workspaceRecord,
} from './store-records.ts';
import type { Fixture } from './store-suite.ts';

export function describeStoreChanges(name: string, open: () => Promise<Fixture>): void {
  describe(`changes of a store on ${name}`, () => {
    let fixture: Fixture;
    let store: Store;
    let workspace: WorkspaceId;

    beforeEach(async () => {
      fixture = await open();
      store = fixture.store;
      const record = workspaceRecord('default');
      await store.workspaces.insert(record);
      workspace = record.id;
    });

    afterEach(async () => {
      await fixture.dispose();
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
        await another.streams.save(workspace, { name: 'a', sequence: 1, state: {}, updatedAt: 1 });
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
  });
}
