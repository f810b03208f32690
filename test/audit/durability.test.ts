/** When what was written is acknowledged, when it reaches the disk, and what a disk that fails stops. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AuditEvent, type AuditLog, createAuditLog, createScribe } from '../../src/audit/index.ts';
import type { Durability } from '../../src/audit/durability.ts';
import { fixedClock, limits, type Log, Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { MemoryAuditStore } from './memory-audit-store.ts';

const A = 'ws_a' as WorkspaceId;
const event = (n: number): AuditEvent => ({
  workspace: A,
  type: 'credential.used',
  actor: { kind: 'cell', id: 'cel_1' },
  data: { n },
});

let store: MemoryAuditStore;
let logged: string[];

function open(durability: Durability): AuditLog {
  const clock = fixedClock(1000);
  const key = Secret.fromBytes(Buffer.alloc(32, 5));
  const log: Log = { ...silentLog, error: (what) => void logged.push(what) };
  const scribe = createScribe({ store, key, clock, log, durability });
  return createAuditLog({ store, key, clock, log, scribe });
}

/** Lets everything happen that needs no time to pass. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
};

/** Whether it is over after everything has happened that needs no time. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  void promise
    .catch(() => undefined)
    .finally(() => {
      over = true;
    });
  await settle();
  return over;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  store = new MemoryAuditStore();
  logged = [];
});
afterEach(() => void vi.useRealTimers());

describe('grouped', () => {
  it('acknowledges what is written, and has it on the disk within the delay', async () => {
    const log = open('grouped');
    await log.record(event(1));
    await log.record(event(2));
    expect([store.chain(A).events.length, store.synced]).toEqual([2, []]);
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    // Both with one sync, and none where nothing was written since.
    expect(store.synced).toEqual([2]);
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs * 10);
    expect(store.synced).toEqual([2]);
    await log.record(event(3));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    expect(store.synced).toEqual([2, 3]);
  });

  it('goes on writing while a sync takes its time, and syncs again what came meanwhile', async () => {
    const log = open('grouped');
    const slow = Promise.withResolvers<void>();
    store.beforeSync = () => slow.promise;
    await log.record(event(1));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    await log.record(event(2));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    expect(store.synced).toEqual([]);
    slow.resolve();
    await settle();
    expect(store.synced).toEqual([1, 2]);
  });

  it('refuses everything after a sync that failed, until one succeeds', async () => {
    const log = open('grouped');
    await log.record(event(1));
    store.beforeSync = () => Promise.reject(new Error('EIO'));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    expect(logged).toEqual(['audit_sync_failed']);
    for (const attempt of [
      () => log.record(event(2)),
      () => log.note(event(3)),
      () => log.append(event(4)),
    ]) {
      const refused = attempt();
      refused.catch(() => undefined);
      await vi.advanceTimersByTimeAsync(limits.auditNoteDelayMs);
      await expect(refused).rejects.toMatchObject({ code: 'audit_unavailable', kind: 'failed' });
    }
    expect(store.chain(A).events).toHaveLength(1);
    store.beforeSync = async () => {};
    await log.record(event(5));
    // The one that was in doubt was made sure of first.
    expect([store.synced, store.chain(A).events.length]).toEqual([[1], 2]);
  });

  it('tries the disk again by itself when nobody writes', async () => {
    const log = open('grouped');
    await log.record(event(1));
    store.beforeSync = () => Promise.reject(new Error('EIO'));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    store.beforeSync = async () => {};
    await vi.advanceTimersByTimeAsync(limits.auditSyncRetryMs);
    expect(store.synced).toEqual([1]);
  });

  it('has everything on the disk when it is closed', async () => {
    const log = open('grouped');
    await log.record(event(1));
    const noted = log.note(event(2));
    await log.close();
    await noted;
    expect([store.chain(A).events.length, store.synced.at(-1)]).toEqual([2, 2]);
  });
});

describe('strict', () => {
  it('acknowledges nothing before it is on the disk', async () => {
    const log = open('strict');
    const slow = Promise.withResolvers<void>();
    store.beforeSync = () => slow.promise;
    const recorded = log.record(event(1));
    expect(await isOver(recorded)).toBe(false);
    expect(store.chain(A).events).toHaveLength(1);
    slow.resolve();
    await recorded;
    expect(store.synced).toEqual([1]);
  });

  it('tells the author when the disk fails, and the next ones too, until it works again', async () => {
    const log = open('strict');
    store.beforeSync = () => Promise.reject(new Error('EIO'));
    await expect(log.record(event(1))).rejects.toMatchObject({ code: 'audit_unavailable' });
    await expect(log.record(event(2))).rejects.toMatchObject({ code: 'audit_unavailable' });
    // The second one was not even written.
    expect(store.chain(A).events).toHaveLength(1);
    store.beforeSync = async () => {};
    await log.record(event(3));
    expect((await log.verify(A)).ok).toBe(true);
  });
});
