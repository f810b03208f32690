/** What a store keeps of the audit log: a part of `store-suite.ts`. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { AuditStore } from '../../src/audit/index.ts';
import type { WorkspaceId } from '../../src/kernel/index.ts';
import type { Store } from '../../src/store/index.ts';
import { event, NO_EVENT, row } from './store-records.ts';

/** An empty store with two workspaces. */
interface Place {
  readonly store: Store;
  readonly workspace: WorkspaceId;
  readonly other: WorkspaceId;
}

/** @param place as it is when a test begins */
export function describeAudit(place: () => Place): void {
  describe('audit', () => {
    let store: Store;
    let workspace: WorkspaceId;
    let other: WorkspaceId;

    beforeEach(() => {
      ({ store, workspace, other } = place());
    });

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
        await expect(store.audit.append(workspace, batch.map(row), Buffer.from('x'))).rejects.toMatchObject({
          code: 'audit_chain_moved',
        });
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
}
