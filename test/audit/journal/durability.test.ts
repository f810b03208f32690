/** When what was written is acknowledged, when it reaches the disk, and what a disk that fails stops. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditEvent, AuditLog } from '../../../src/audit/index.ts';
import { limits } from '../../../src/kernel/index.ts';
import { A, type Gateway, JournalWorld, type MemoryJournal, settle } from './journal-world.ts';

const event = (n: number): AuditEvent => ({
  workspace: A,
  type: 'credential.used',
  actor: { kind: 'cell', id: 'cel_1' },
  data: { n },
});

let world: JournalWorld;
let gateway: Gateway;
let log: AuditLog;
let file: MemoryJournal;

async function open(durability: 'grouped' | 'strict'): Promise<void> {
  world = new JournalWorld();
  gateway = await world.gateway('jrn_1', { durability });
  ({ audit: log, file } = gateway);
}

/** Whether it is over after everything has happened that needs no time. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  promise.then(end, end);
  await settle();
  return over;
}

const size = (): number => [...file.segments.values()].reduce((sum, { length }) => sum + length, 0);

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('grouped', () => {
  beforeEach(() => open('grouped'));

  it('acknowledges what is written, and has it on the disk within the delay', async () => {
    await log.record(event(1));
    await log.record(event(2));
    expect(file.synced).toEqual([]);
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    // Both with one sync, and none where nothing was written since.
    expect(file.synced).toEqual([size()]);
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs * 10);
    expect(file.synced).toHaveLength(1);
    await log.record(event(3));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    expect(file.synced).toEqual([file.synced[0], size()]);
  });

  it('goes on writing while a sync takes its time, and syncs again what came meanwhile', async () => {
    const slow = Promise.withResolvers<void>();
    file.beforeSync = () => slow.promise;
    await log.record(event(1));
    const first = size();
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    await log.record(event(2));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    expect(file.synced).toEqual([]);
    slow.resolve();
    await settle();
    expect(file.synced).toEqual([first, size()]);
  });

  it('refuses everything after a sync that failed, until the chain has it on the disk', async () => {
    await log.record(event(1));
    file.beforeSync = () => Promise.reject(new Error('EIO'));
    world.store.beforeSync = () => Promise.reject(new Error('EIO'));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    expect(world.lines).toEqual(['audit_sync_failed']);
    const before = size();
    for (const attempt of [() => log.record(event(2)), () => log.append(event(3))]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'audit_unavailable', kind: 'failed' });
    }
    expect(size()).toBe(before);
    world.store.beforeSync = async () => {};
    file.beforeSync = async () => {};
    await log.record(event(4));
    // What was in doubt got there through the database, and what comes now is in another file.
    expect([world.store.synced, [...file.segments.keys()]]).toEqual([[1], [1, 2]]);
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    expect(file.synced).toHaveLength(1);
  });

  it('tries the disk again by itself when nobody writes', async () => {
    await log.record(event(1));
    file.beforeSync = () => Promise.reject(new Error('EIO'));
    await vi.advanceTimersByTimeAsync(limits.auditSyncDelayMs);
    await vi.advanceTimersByTimeAsync(limits.auditSyncRetryMs);
    await settle();
    expect(world.store.synced).toEqual([1]);
  });

  it('has everything in the chain and on the disk when it is closed', async () => {
    await log.record(event(1));
    const noted = log.note(event(2));
    await log.close();
    await noted;
    expect([world.chained(), world.store.synced.at(-1), world.left]).toEqual([[1, 2], 2, []]);
  });
});

describe('strict', () => {
  beforeEach(() => open('strict'));

  it('acknowledges nothing before it is on the disk', async () => {
    const slow = Promise.withResolvers<void>();
    file.beforeSync = () => slow.promise;
    const recorded = log.record(event(1));
    expect(await isOver(recorded)).toBe(false);
    expect(size()).toBeGreaterThan(0);
    slow.resolve();
    await recorded;
    expect(file.synced).toEqual([size()]);
  });

  it('has one sync for all that were written before it', async () => {
    const slow = Promise.withResolvers<void>();
    file.beforeSync = () => slow.promise;
    const recorded = [log.record(event(1))];
    await nextTurn();
    for (const n of [2, 3, 4]) {
      recorded.push(log.record(event(n)));
      await nextTurn();
    }
    slow.resolve();
    await Promise.all(recorded);
    expect(file.synced).toHaveLength(2);
  });

  it('tells the author when the disk fails, and the next ones too, until it works again', async () => {
    file.beforeSync = () => Promise.reject(new Error('EIO'));
    world.store.beforeSync = () => Promise.reject(new Error('EIO'));
    await expect(log.record(event(1))).rejects.toMatchObject({ code: 'audit_unavailable' });
    const written = size();
    await expect(log.record(event(2))).rejects.toMatchObject({ code: 'audit_unavailable' });
    // The second one was not even written.
    expect(size()).toBe(written);
    file.beforeSync = world.store.beforeSync = async () => {};
    await log.record(event(3));
    expect((await log.verify(A)).problems).toEqual([]);
    expect(world.chained()).toEqual([1, 3]);
  });
});
