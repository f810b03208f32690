/** The audit log on a connection of its own: beside the store, and on a disk that fails. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, systemClock, type WorkspaceId } from '../../src/kernel/index.ts';
import {
  type AuditWriter,
  openAuditWriter,
  openStore,
  type Store,
  type StoredEvent,
} from '../../src/store/index.ts';
import { row } from './store-records.ts';

const workspace = 'ws_1' as WorkspaceId;
const mac = Buffer.from('mac');
const hashOf = (sequence: number): string => String(sequence).padStart(64, '0');
const event = (sequence: number): StoredEvent => ({
  workspace,
  sequence,
  at: sequence,
  type: 'x',
  actor: { kind: 'local', id: '0' },
  data: { text: 'x'.repeat(2_000) },
  previous: hashOf(sequence - 1),
  hash: hashOf(sequence),
});

describe('the audit writer', () => {
  let directory: string;
  let path: string;
  let store: Store;
  let writer: AuditWriter;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-store-'));
    path = join(directory, 'sallyport.db');
    store = await openStore({ path, log: silentLog, clock: systemClock });
    const raw = new DatabaseSync(path);
    raw.exec('pragma wal_checkpoint(truncate)');
    raw.close();
    writer = openAuditWriter(path);
  });

  afterEach(async () => {
    await writer.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });

  const append = (sequence: number, on: Pick<AuditWriter, 'append'> = writer): Promise<void> =>
    on.append(workspace, [row(event(sequence))], mac);
  const recorded = async (): Promise<number[]> =>
    (await store.audit.read(workspace, 1, 100)).map(({ sequence }) => sequence);

  /** Events in the database's own file, without the write-ahead log beside it. */
  function inDatabaseAlone(): number {
    const copy = join(directory, 'alone.db');
    // By another process: a descriptor of ours that is closed would take SQLite's locks with it.
    execFileSync('cp', [path, copy]);
    const raw = new DatabaseSync(copy);
    const count = raw.prepare('select count(*) from audit_events').get();
    raw.close();
    rmSync(copy);
    return Number(Object.values(count ?? {})[0]);
  }

  it('writes what the store reads, before it is synced as well', async () => {
    await append(1);
    expect(await recorded()).toEqual([1]);
    await writer.sync();
    await append(2);
    expect(await recorded()).toEqual([1, 2]);
    expect(await writer.read(workspace, 2, 9)).toEqual([event(2)]);
  });

  it('takes turns with the store on the same chain', async () => {
    await append(1);
    await append(2, store.audit);
    await expect(append(2)).rejects.toMatchObject({ code: 'audit_chain_moved' });
    await append(3);
    expect(await recorded()).toEqual([1, 2, 3]);
  });

  it('does not move the revision that caches go by', async () => {
    const before = store.revision();
    for (let sequence = 1; sequence <= 5; sequence++) await append(sequence);
    await new Promise((done) => setTimeout(done, 5));
    expect(store.revision()).toBe(before);
  });

  it('fails while the log cannot be synced, and afterwards makes sure of what was in doubt', async () => {
    await append(1);
    await writer.sync();
    // A sync that goes well leaves the event in the log, where it is as safe.
    expect(inDatabaseAlone()).toBe(0);
    await writer.close();
    writer = openAuditWriter(path);
    await append(2);
    renameSync(`${path}-wal`, `${path}-elsewhere`);
    await expect(writer.sync()).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(writer.sync()).rejects.toMatchObject({ code: 'store_unavailable' });
    renameSync(`${path}-elsewhere`, `${path}-wal`);
    await writer.sync();
    expect(inDatabaseAlone()).toBe(2);
    await append(3);
    await writer.sync();
    expect(await recorded()).toEqual([1, 2, 3]);
  });

  it('does not call it safe as long as a reader keeps the log from being moved', async () => {
    await append(1);
    const reader = new DatabaseSync(path);
    reader.exec('begin');
    reader.prepare('select count(*) from audit_events').get();
    await append(2);
    renameSync(`${path}-wal`, `${path}-elsewhere`);
    await expect(writer.sync()).rejects.toMatchObject({ code: 'store_unavailable' });
    renameSync(`${path}-elsewhere`, `${path}-wal`);
    await expect(writer.sync()).rejects.toMatchObject({ code: 'store_unavailable' });
    reader.exec('commit');
    await writer.sync();
    reader.close();
  });

  it('refuses politely once it is closed', async () => {
    await append(1);
    await writer.sync();
    await writer.close();
    await expect(append(2)).rejects.toMatchObject({ code: 'store_closed' });
    writer = openAuditWriter(path);
  });
});
