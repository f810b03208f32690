import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fixedClock,
  limits,
  type Log,
  type ProfileId,
  type ServerId,
  silentLog,
  systemClock,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import { MIGRATIONS } from '../../src/store/sqlite/migrations.ts';
import { openStore, type Store, type StoreOptions } from '../../src/store/index.ts';
import { describeServerFacts } from './server-facts-suite.ts';
import { describeStoreChanges } from './store-changes-suite.ts';
import { row } from './store-records.ts';
import { describeStore, type Fixture } from './store-suite.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'sallyport-store-'));

const sqlite = async (): Promise<Fixture> => {
  const directory = folder();
  const path = join(directory, 'sallyport.db');
  const opened: Store[] = [];
  const open = async (): Promise<Store> => {
    const store = await openStore({ path, log: silentLog, clock: systemClock });
    opened.push(store);
    return store;
  };
  return {
    store: await open(),
    another: open,
    async dispose() {
      for (const store of opened) await store.close();
      rmSync(directory, { recursive: true });
    },
  };
};

describeStore('SQLite', sqlite);
describeStoreChanges('SQLite', sqlite);
describeServerFacts('SQLite', sqlite);

describe('the SQLite file', () => {
  let directory: string;
  let path: string;
  const open = (more: Partial<StoreOptions> = {}): Promise<Store> =>
    openStore({ path, log: silentLog, clock: systemClock, ...more });

  beforeEach(() => {
    directory = folder();
    path = join(directory, 'sallyport.db');
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8);

  it("is the owner's alone, with its companions", async () => {
    const store = await open();
    await store.meta.set('a', '1');
    for (const file of [path, `${path}-wal`, `${path}-shm`])
      expect([file, mode(file)]).toEqual([file, '600']);
    await store.close();
  });

  it('is made private again when it was opened up, and says so', async () => {
    await (await open()).close();
    const events: string[] = [];
    const log: Log = { ...silentLog, warn: (event) => void events.push(event) };
    const { chmodSync } = await import('node:fs');
    chmodSync(path, 0o644);
    await (await open({ log })).close();
    expect(mode(path)).toBe('600');
    expect(events).toEqual(['store.mode_tightened']);
  });

  it('has its companions made private again that a killed process left', async () => {
    const killed = await open();
    await killed.meta.set('a', '1');
    const { chmodSync } = await import('node:fs');
    for (const file of [`${path}-wal`, `${path}-shm`]) chmodSync(file, 0o664);
    const store = await open();
    expect(await store.meta.get('a')).toBe('1');
    expect([mode(`${path}-wal`), mode(`${path}-shm`)]).toEqual(['600', '600']);
    await store.close();
    await killed.close();
  });

  it.skipIf(process.platform !== 'linux')('keeps its locks when it is opened a second time', async () => {
    const locks = (): number => {
      const { ino } = statSync(path);
      return readFileSync('/proc/locks', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`:${ino} `)).length;
    };
    const first = await open();
    await first.meta.set('a', '1');
    expect(locks()).toBe(1);
    const second = await open();
    await second.meta.get('a');
    expect(locks()).toBe(1);
    await second.close();
    await first.close();
  });

  it('holds everything after a close: the write-ahead log is folded in', async () => {
    const store = await open();
    await store.meta.set('needle', 'haystack-7531');
    await store.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(readFileSync(path).includes('haystack-7531')).toBe(true);
    const again = await open({ mustExist: true });
    expect(await again.meta.get('needle')).toBe('haystack-7531');
    await again.close();
  });

  it('keeps what was acknowledged when nobody closed it', async () => {
    const store = await open();
    await store.meta.set('a', '1');
    const { copyFileSync } = await import('node:fs');
    const copy = join(directory, 'copy.db');
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    const recovered = await openStore({ path: copy, log: silentLog, clock: systemClock });
    expect(await recovered.meta.get('a')).toBe('1');
    await recovered.close();
    await store.close();
  });

  it('is durable at each commit, in write-ahead mode', async () => {
    const { SqliteConnection } = await import('../../src/store/sqlite/connection.ts');
    const connection = SqliteConnection.open(path);
    expect(connection.all('pragma journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(connection.number('pragma synchronous')).toBe(2);
    expect(connection.number('pragma foreign_keys')).toBe(1);
    expect(connection.number('pragma secure_delete')).toBe(1);
    connection.close();
  });

  it('must be there where it is expected', async () => {
    await expect(open({ mustExist: true })).rejects.toMatchObject({
      code: 'store_missing',
      kind: 'not_found',
    });
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, '');
    await expect(open({ mustExist: true })).rejects.toMatchObject({ code: 'store_missing' });
  });

  it('says store_unavailable where no file can be', async () => {
    path = join(directory, 'none', 'sallyport.db');
    await expect(open()).rejects.toMatchObject({ code: 'store_unavailable' });
    path = directory;
    const before = mode(directory);
    await expect(open()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(mode(directory)).toBe(before);
  });

  it('says store_schema_newer for a database of the future, and leaves it alone', async () => {
    await (await open()).close();
    const raw = new DatabaseSync(path);
    raw.exec(`insert into schema_migrations values (1000, 'from the future', 0)`);
    raw.close();
    await expect(open()).rejects.toMatchObject({
      code: 'store_schema_newer',
      kind: 'failed',
      detail: { path, found: 1000, known: MIGRATIONS.length },
    });
  });

  it('says store_corrupt for a file that is no database', async () => {
    writeFileSync(path, 'This is a text file that somebody put in the wrong place.\n'.repeat(100));
    await expect(open()).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  it("says store_corrupt for somebody else's database", async () => {
    const raw = new DatabaseSync(path);
    raw.exec('create table theirs (a)');
    raw.close();
    await expect(open()).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  const filled = async (): Promise<void> => {
    const store = await open();
    for (let index = 0; index < 200; index += 1) await store.meta.set(`key-${index}`, 'x'.repeat(200));
    await store.close();
  };

  it('says store_corrupt for a truncated file', async () => {
    await filled();
    truncateSync(path, Math.floor(statSync(path).size / 2));
    await expect(open()).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  it('says store_corrupt for a file with a page overwritten', async () => {
    await filled();
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, statSync(path).size - 3 * 4096);
    closeSync(file);
    await expect(open()).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  it('passes its own check when it is whole', async () => {
    await filled();
    const store = await open();
    await expect(store.check()).resolves.toBeUndefined();
    await store.close();
  });

  it('runs the missing migrations only, once, and records them', async () => {
    await (await open()).close();
    const next = MIGRATIONS.length + 1;
    const added = { version: next, name: 'a column', statements: ['alter table meta add column note text'] };
    const migrations = [...MIGRATIONS, added];
    const stores = await Promise.all([open({ migrations }), open({ migrations })]);
    for (const store of stores) await store.close();
    const raw = new DatabaseSync(path);
    expect(raw.prepare('select version, name from schema_migrations order by version').all()).toEqual([
      ...MIGRATIONS.map(({ version, name }) => ({ version, name })),
      { version: next, name: 'a column' },
    ]);
    raw.close();
    await expect(open()).rejects.toMatchObject({ code: 'store_schema_newer' });
  });

  it('gives profiles of before their options', async () => {
    await (await open({ migrations: MIGRATIONS.slice(0, 4) })).close();
    const raw = new DatabaseSync(path);
    raw.exec(`insert into workspaces values ('ws_1', 'default', 1)`);
    raw.exec(`insert into profiles values ('ws_1', 'prf_1', 'dev', '[]', 1, 1)`);
    raw.close();
    const store = await open();
    expect(await store.profiles.findByName('ws_1' as WorkspaceId, 'dev')).toMatchObject({ options: {} });
    await store.close();
  });

  it('leaves the schema as it was when a migration fails', async () => {
    await (await open()).close();
    const next = MIGRATIONS.length + 1;
    const broken = {
      version: next,
      name: 'broken',
      statements: ['create table half (a)', 'no such statement'],
    };
    await expect(open({ migrations: [...MIGRATIONS, broken] })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    const store = await open();
    expect(await store.workspaces.list()).toEqual([]);
    await store.close();
  });

  it('sees its own changes at once, and those of others after a moment', async () => {
    const clock = fixedClock(1);
    const [store, another] = [await open({ clock }), await open()];
    const changed = (): boolean => {
      const before = revision;
      revision = store.revision();
      return revision !== before;
    };
    let revision = store.revision();
    await store.meta.set('a', '1');
    expect([changed(), changed()]).toEqual([true, false]);
    await another.meta.set('a', '2');
    expect(changed()).toBe(false);
    clock.advance(limits.storeRevisionGlanceMs);
    expect([changed(), changed()]).toEqual([true, false]);
    await store.close();
    await another.close();
  });

  it('says store_locked when another process does not let go', async () => {
    const { SqliteConnection } = await import('../../src/store/sqlite/connection.ts');
    const store = await open();
    const holder = new DatabaseSync(path);
    holder.exec('begin immediate');
    const impatient = SqliteConnection.open(path, 1);
    expect(() => impatient.immediate(() => 1)).toThrow(expect.objectContaining({ code: 'store_locked' }));
    holder.exec('rollback');
    expect(impatient.immediate(() => 1)).toBe(1);
    holder.close();
    impatient.close();
    await store.close();
  });

  it('says store_unavailable when there is no space, writes nothing by halves, and goes on afterwards', async () => {
    const { SqliteConnection } = await import('../../src/store/sqlite/connection.ts');
    const { sqliteAudit } = await import('../../src/store/sqlite/audit.ts');
    await (await open()).close();
    const connection = SqliteConnection.open(path);
    const audit = sqliteAudit(connection);
    const workspace = 'ws_1' as WorkspaceId;
    const event = (sequence: number, previous: string) => ({
      workspace,
      sequence,
      at: 1,
      type: 'x',
      actor: { kind: 'local', id: '0' },
      data: { text: 'x'.repeat(4000) },
      previous,
      hash: String(sequence).padStart(64, '0'),
    });
    const batch = Array.from({ length: 50 }, (_, index) => event(index + 1, String(index).padStart(64, '0')));
    connection.exec(`pragma max_page_count = ${connection.number('pragma page_count') + 20}`);
    await expect(audit.append(workspace, batch.map(row), Buffer.from('mac'))).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await audit.read(workspace, 1, 9)).toEqual([]);
    expect(await audit.head(workspace)).toBeNull();
    connection.exec('pragma max_page_count = 1000000');
    await audit.append(workspace, batch.map(row), Buffer.from('mac'));
    expect((await audit.head(workspace))?.sequence).toBe(50);
    connection.close();
  });

  it('shows an edited audit event instead of failing on it', async () => {
    const store = await open();
    const workspace = 'ws_1' as WorkspaceId;
    const event = {
      workspace,
      sequence: 1,
      at: 1,
      type: 'x',
      actor: { kind: 'local', id: '0' },
      data: {},
      previous: '0'.repeat(64),
      hash: 'aa',
    };
    await store.audit.append(workspace, [row(event)], Buffer.from('mac'));
    const raw = new DatabaseSync(path);
    raw.exec(`update audit_events set data = '{"a":'`);
    raw.close();
    expect(await store.audit.read(workspace, 1, 9)).toEqual([{ ...event, data: { unreadable: '{"a":' } }]);
    await store.close();
  });

  it('says store_corrupt for a row that was edited into what it never wrote', async () => {
    const store = await open();
    const workspace = 'ws_1' as WorkspaceId;
    await store.workspaces.insert({ id: workspace, name: 'default', createdAt: 1 });
    const times = { createdAt: 1, updatedAt: 1 };
    const server = { id: 'srv_1' as ServerId, slug: 'github', manifest: {}, manifestHash: '', source: 'x' };
    await store.servers.insert(workspace, { ...server, package: {}, enabled: true, ...times });
    await store.profiles.insert(workspace, {
      id: 'prf_1' as ProfileId,
      name: 'dev',
      entries: [],
      options: {},
      ...times,
    });
    const raw = new DatabaseSync(path);
    const corrupt = (column: string) =>
      expect.objectContaining({ code: 'store_corrupt', detail: { column } }) as unknown;
    raw.exec(`update profiles set options = ''`);
    await expect(store.profiles.list(workspace)).rejects.toEqual(corrupt('profiles.options'));
    raw.exec(`update profiles set entries = '['`);
    await expect(store.profiles.list(workspace)).rejects.toEqual(corrupt('profiles.entries'));
    raw.exec(`update servers set package = ''`);
    await expect(store.servers.list(workspace)).rejects.toEqual(corrupt('servers.package'));
    raw.exec(`update servers set manifest = '{'`);
    await expect(store.servers.list(workspace)).rejects.toEqual(corrupt('servers.manifest'));
    raw.exec(`update workspaces set created_at = 9007199254740993`);
    await expect(store.workspaces.list()).rejects.toMatchObject({ code: 'store_corrupt' });
    raw.close();
    await store.close();
  });
});
