import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock, Secret, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import {
  createKeyRing,
  createLocalKeyFile,
  type KeyProvider,
  localKeyProvider,
  masterKeyStatus,
  type RowContext,
  rotateMasterKey,
  type SealedValue,
} from '../../src/seal/index.ts';
import { MemoryTenantKeys } from './memory-tenant-keys.ts';

const random = systemRandom;
const clock = fixedClock(0);
const code = (code: string) => expect.objectContaining({ name: 'AppError', code });
const WORKSPACES = ['ws_a', 'ws_b', 'ws_c'].map((id) => id as WorkspaceId);
const context = (workspace: WorkspaceId): RowContext => ({
  workspace,
  table: 'credentials',
  row: 'crd_1',
  version: 1,
  purpose: 'value',
});

let folder: string;
let file: string;
let store: MemoryTenantKeys;
let firstId: string;
let sealed: Map<WorkspaceId, SealedValue>;
let auditKey: Secret;

/** A provider and a ring as a process that has just started has them. */
const fresh = () => {
  const provider = localKeyProvider({ file, random, clock });
  return { provider, ring: createKeyRing({ provider, store, random, clock }) };
};
const rotate = (provider: KeyProvider = fresh().provider) => rotateMasterKey({ provider, store, random });

/** Everything that was sealed at the start still opens, as a process that has just started sees it. */
async function everythingOpens(ring = fresh().ring): Promise<void> {
  for (const [workspace, value] of sealed) {
    expect((await ring.openValue(value, context(workspace))).reveal()).toBe(`value of ${workspace}`);
  }
  expect((await ring.purposeKey(WORKSPACES[0] ?? ('' as WorkspaceId), 'audit')).equals(auditKey)).toBe(true);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-seal-'));
  file = join(folder, 'master.key');
  store = new MemoryTenantKeys();
  firstId = await createLocalKeyFile(file, { random, clock });
  const { ring } = fresh();
  sealed = new Map();
  for (const workspace of WORKSPACES) {
    sealed.set(
      workspace,
      await ring.sealValue(Secret.fromString(`value of ${workspace}`), context(workspace)),
    );
  }
  auditKey = await ring.purposeKey(WORKSPACES[0] ?? ('' as WorkspaceId), 'audit');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('rotating the master key', () => {
  it('re-wraps every tenant key, audit keys too, and retires the old one', async () => {
    const report = await rotate();
    expect(report).toEqual({
      from: firstId,
      to: expect.stringMatching(/^mk-[0-9a-f]{16}$/),
      rewrapped: 4,
      retired: [firstId],
      resumed: false,
    });
    expect(report.to).not.toBe(firstId);
    expect(new Set(store.rows.map((row) => row.masterKeyId))).toEqual(new Set([report.to]));
    expect(await masterKeyStatus(fresh().provider, store)).toEqual({
      provider: 'file',
      keys: [{ id: report.to, createdAt: 0, current: true, wraps: 4 }],
      missing: [],
    });
    await everythingOpens();
  });

  it('can be done again and again', async () => {
    const ids = [firstId];
    for (let i = 0; i < 5; i++) ids.push((await rotate()).to);
    expect(new Set(ids).size).toBe(6);
    await everythingOpens();
  });

  it('can be interrupted before and after every single step, and goes on from there', async () => {
    for (let dieAt = 0; ; dieAt++) {
      const before = (await fresh().provider.current()).id;
      let step = 0;
      const { provider } = fresh();
      const mortal = mortalProvider(provider, () => {
        if (step++ === dieAt) throw new Error('killed');
      });
      store.before = () => {
        if (step++ === dieAt) throw new Error('killed');
      };
      const outcome = await rotate(mortal).catch((error: unknown) => error);
      store.before = () => {};
      if (!(outcome instanceof Error)) {
        // Nothing was left to interrupt.
        expect(dieAt).toBeGreaterThan(15);
        return;
      }
      expect(outcome.message).toBe('killed');
      await everythingOpens();

      const midway = await fresh().provider.all();
      const report = await rotate();
      expect(report.resumed).toBe(midway.length === 2);
      expect(report.to).not.toBe(before);
      expect(await fresh().provider.all()).toHaveLength(1);
      expect(new Set(store.rows.map((row) => row.masterKeyId))).toEqual(new Set([report.to]));
      await everythingOpens();
    }
  });

  it('is not noticed by a process that reads all the time', async () => {
    const reader = fresh().ring;
    const state = { rotating: true, reads: 0 };
    const reading = (async () => {
      while (state.rotating) {
        reader.clear();
        await everythingOpens(reader);
        state.reads += 1;
        // The store is in memory: without this the reader would never let anybody else run.
        await new Promise(setImmediate);
      }
    })();
    for (let i = 0; i < 5; i++) await rotate();
    state.rotating = false;
    await reading;
    expect(state.reads).toBeGreaterThan(0);
  });

  it('does not matter to a reader between reading a row and looking for its key', async () => {
    const { ring } = fresh();
    let once = true;
    const load = store.load.bind(store);
    store.load = async (workspace) => {
      const rows = await load(workspace);
      if (once) {
        once = false;
        await rotate();
      }
      return rows;
    };
    await everythingOpens(ring);
  });

  it('does not lose a tenant key that another process makes meanwhile', async () => {
    const late = 'ws_late' as WorkspaceId;
    const { ring } = fresh();
    const state: { sealed?: Promise<SealedValue> } = {};
    store.before = (operation) => {
      if (operation === 'replace') state.sealed ??= ring.sealValue(Secret.fromString('late'), context(late));
    };
    const report = await rotate();
    store.before = () => {};
    const value = await state.sealed;
    if (value === undefined) throw new Error('nothing was sealed during the rotation');
    expect((await fresh().ring.openValue(value, context(late))).reveal()).toBe('late');
    expect(report.retired).toEqual([firstId]);
    await everythingOpens();
  });

  it('may be started by several at once', async () => {
    await Promise.all([rotate(), rotate(), rotate()]);
    const left = await fresh().provider.all();
    const used = new Set(store.rows.map((row) => row.masterKeyId));
    expect([...used].every((id) => left.some((key) => key.id === id))).toBe(true);
    await everythingOpens();
    await rotate();
    await everythingOpens();
  });

  it('re-wraps all other rows when one is damaged, keeps the key that it needs, and says so', async () => {
    const good = store.rows[1];
    if (good === undefined) throw new Error('no row');
    const wrapped = Buffer.from(good.wrapped);
    wrapped[wrapped.length - 1] = (wrapped.at(-1) ?? 0) ^ 1;
    store.rows[1] = { ...good, wrapped };
    await expect(rotate()).rejects.toEqual(code('seal_tampered'));
    const status = await masterKeyStatus(fresh().provider, store);
    expect(status.keys.map(({ current, wraps }) => ({ current, wraps }))).toEqual([
      { current: false, wraps: 1 },
      { current: true, wraps: 3 },
    ]);

    store.rows[1] = good;
    expect(await rotate()).toMatchObject({ rewrapped: 1, retired: [firstId], resumed: true });
    await everythingOpens();
  });

  it('says which master keys are missing when the file belongs to another vault', async () => {
    await rm(file);
    const strangerId = await createLocalKeyFile(file, { random, clock });
    expect(await masterKeyStatus(fresh().provider, store)).toEqual({
      provider: 'file',
      keys: [{ id: strangerId, createdAt: 0, current: true, wraps: 0 }],
      missing: [{ id: firstId, wraps: 4 }],
    });
    await expect(rotate()).rejects.toEqual(code('seal_key_unknown'));
  });

  it('re-wraps by the current key of the environment, where keys are changed from outside', async () => {
    const text = (byte: string) => Secret.fromString(byte.repeat(32));
    const env = (current: string, ...previous: string[]) =>
      localKeyProvider({ env: { current: text(current), previous: previous.map(text) }, random, clock });
    store.rows = [];
    const value = await createKeyRing({ provider: env('01'), store, random, clock }).sealValue(
      Secret.fromString('v'),
      context(WORKSPACES[0] ?? ('' as WorkspaceId)),
    );
    await expect(rotate(env('01'))).rejects.toEqual(code('seal_master_key_readonly'));
    const report = await rotate(env('02', '01'));
    expect(report).toMatchObject({ rewrapped: 1, retired: [], resumed: true });
    const ring = createKeyRing({ provider: env('02'), store, random, clock });
    expect((await ring.openValue(value, context(WORKSPACES[0] ?? ('' as WorkspaceId)))).reveal()).toBe('v');
  });
});

/** Asks `step` before and after each call that changes something. */
function mortalProvider(provider: KeyProvider, step: () => void): KeyProvider {
  const around = async <T>(act: () => Promise<T>): Promise<T> => {
    step();
    const result = await act();
    step();
    return result;
  };
  return {
    kind: provider.kind,
    current: () => provider.current(),
    byId: (id) => provider.byId(id),
    all: () => provider.all(),
    withCurrent: (work) => around(() => provider.withCurrent((key) => around(() => work(key)))),
    rotate: () => around(() => provider.rotate()),
    retire: (id, unused) => around(() => provider.retire(id, unused)),
  };
}
