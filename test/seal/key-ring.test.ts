import { describe, expect, it } from 'vitest';
import { fixedClock, limits, Secret, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import {
  createKeyRing,
  type KeyProvider,
  keyIdOf,
  localKeyProvider,
  type RowContext,
  type TenantKeyRow,
} from '../../src/seal/index.ts';
import { MemoryTenantKeys } from './memory-tenant-keys.ts';

const clock = fixedClock(7000);
const random = systemRandom;
const A = 'ws_a' as WorkspaceId;
const B = 'ws_b' as WorkspaceId;
const code = (code: string) => expect.objectContaining({ name: 'AppError', code });
const context = (change: Partial<RowContext> = {}): RowContext => ({
  workspace: A,
  table: 'credentials',
  row: 'crd_1',
  version: 1,
  purpose: 'value',
  ...change,
});

const envProvider = (fill: number, ...previous: number[]): KeyProvider => {
  const text = (byte: number) => Secret.fromBytes(Buffer.from(Buffer.alloc(32, byte).toString('hex')));
  return localKeyProvider({ env: { current: text(fill), previous: previous.map(text) }, random, clock });
};

function world(provider = envProvider(1)) {
  const store = new MemoryTenantKeys();
  return { store, provider, ring: createKeyRing({ provider, store, random, clock }) };
}

describe('a sealed value', () => {
  it('opens again, in this process and in another', async () => {
    const { store, provider, ring } = world();
    const sealed = await ring.sealValue(Secret.fromString('s3cret'), context());
    expect((await ring.openValue(sealed, context())).reveal()).toBe('s3cret');
    const other = createKeyRing({ provider, store, random, clock });
    expect((await other.openValue(sealed, context())).reveal()).toBe('s3cret');
    expect(keyIdOf(sealed.value)).toBe('dk-1');
    expect(keyIdOf(sealed.dataKey)).toBe('tk-1');
    expect(store.rows).toMatchObject([
      {
        workspace: A,
        purpose: 'data',
        version: 1,
        masterKeyId: (await provider.current()).id,
        createdAt: 7000,
      },
    ]);
  });

  it('has a data key of its own each time', async () => {
    const { ring } = world();
    const first = await ring.sealValue(Secret.fromString('same'), context());
    const second = await ring.sealValue(Secret.fromString('same'), context());
    await expect(ring.openValue({ value: first.value, dataKey: second.dataKey }, context())).rejects.toEqual(
      code('seal_tampered'),
    );
  });

  it('does not contain the value, and neither does the data key', async () => {
    const { store, ring } = world();
    const sealed = await ring.sealValue(Secret.fromString('correct horse'), context());
    for (const bytes of [sealed.value, sealed.dataKey, ...store.rows.map((row) => row.wrapped)]) {
      expect(bytes.includes('correct')).toBe(false);
    }
  });

  it.each<[string, Partial<RowContext>]>([
    ['row', { row: 'crd_2' }],
    ['table', { table: 'grants' }],
    ['version', { version: 2 }],
    ['purpose', { purpose: 'refresh' }],
  ])('does not open in another %s', async (_what, change) => {
    const { ring } = world();
    const sealed = await ring.sealValue(Secret.fromString('s3cret'), context());
    await expect(ring.openValue(sealed, context(change))).rejects.toEqual(code('seal_tampered'));
  });

  it('does not open in another workspace, even when all of its rows are moved there', async () => {
    const { store, ring } = world();
    const sealed = await ring.sealValue(Secret.fromString('s3cret'), context());
    await ring.sealValue(Secret.fromString('other'), context({ workspace: B }));
    await expect(ring.openValue(sealed, context({ workspace: B }))).rejects.toEqual(code('seal_tampered'));
    store.rows = store.rows.filter((row) => row.workspace === A).map((row) => ({ ...row, workspace: B }));
    ring.clear();
    await expect(ring.openValue(sealed, context({ workspace: B }))).rejects.toEqual(code('seal_tampered'));
  });

  it('does not take its data key for a value, or a value for a data key', async () => {
    const { ring } = world();
    const sealed = await ring.sealValue(Secret.fromBytes(Buffer.alloc(32, 9)), context());
    await expect(ring.unwrap(sealed.dataKey, context())).rejects.toEqual(code('seal_tampered'));
    await expect(ring.openValue({ value: sealed.value, dataKey: sealed.value }, context())).rejects.toEqual(
      code('seal_key_unknown'),
    );
  });

  it('opens by either suite, whichever the ring seals with', async () => {
    const { store, provider, ring } = world();
    const gcm = createKeyRing({ provider, store, random, clock, suite: 2 });
    const byOne = await ring.sealValue(Secret.fromString('one'), context());
    const byTwo = await gcm.sealValue(Secret.fromString('two'), context());
    expect([byOne.value[1], byOne.dataKey[1], byTwo.value[1], byTwo.dataKey[1]]).toEqual([1, 1, 2, 2]);
    expect((await gcm.openValue(byOne, context())).reveal()).toBe('one');
    expect((await ring.openValue(byTwo, context())).reveal()).toBe('two');
  });
});

describe('a tenant key row', () => {
  const changes: [string, (row: TenantKeyRow) => Partial<TenantKeyRow>, string][] = [
    ['moved to another version', () => ({ version: 2 }), 'seal_tampered'],
    ['moved to another purpose', () => ({ purpose: 'data' }), 'seal_tampered'],
    [
      'said to be wrapped by another master key',
      () => ({ masterKeyId: 'mk-0000000000000000' }),
      'seal_tampered',
    ],
    ['cut short', (row) => ({ wrapped: row.wrapped.subarray(0, 20) }), 'seal_envelope_malformed'],
    ['emptied', () => ({ wrapped: Buffer.alloc(0) }), 'seal_envelope_malformed'],
  ];
  it.each(changes)('that was %s does not open', async (_what, change, expected) => {
    const { store, ring } = world();
    await ring.purposeKey(A, 'audit');
    store.rows = store.rows.map((row) => ({ ...row, ...change(row) }));
    ring.clear();
    const asked =
      store.rows[0]?.purpose === 'data'
        ? ring.wrap(Secret.fromString('k'), context())
        : ring.purposeKey(A, 'audit');
    await expect(asked).rejects.toEqual(code(expected));
  });

  it('that was moved to another workspace does not open', async () => {
    const { store, ring } = world();
    await ring.purposeKey(A, 'audit');
    store.rows = store.rows.map((row) => ({ ...row, workspace: B }));
    await expect(ring.purposeKey(B, 'audit')).rejects.toEqual(code('seal_tampered'));
  });

  it('does not open under another master key, and says that it is not the one', async () => {
    const { store, ring } = world(envProvider(1));
    const sealed = await ring.sealValue(Secret.fromString('s3cret'), context());
    const stranger = createKeyRing({ provider: envProvider(2), store, random, clock });
    await expect(stranger.openValue(sealed, context())).rejects.toEqual(code('seal_key_unknown'));
    await expect(stranger.sealValue(Secret.fromString('x'), context())).rejects.toEqual(
      code('seal_key_unknown'),
    );
    const informed = createKeyRing({ provider: envProvider(2, 1), store, random, clock });
    expect((await informed.openValue(sealed, context())).reveal()).toBe('s3cret');
  });

  it('is made once, however many ask for it at the same time', async () => {
    const { store, provider, ring } = world();
    const others = [1, 2, 3].map(() => createKeyRing({ provider, store, random, clock }));
    const rings = [ring, ...others];
    const sealed = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const by = rings[i % rings.length] ?? ring;
        return by.sealValue(Secret.fromString(`value ${i}`), context({ row: `crd_${i}` }));
      }),
    );
    expect(store.rows).toHaveLength(1);
    for (const [i, value] of sealed.entries()) {
      expect((await ring.openValue(value, context({ row: `crd_${i}` }))).reveal()).toBe(`value ${i}`);
    }
  });

  it('is read once and then kept', async () => {
    const { store, ring } = world();
    const sealed = await ring.sealValue(Secret.fromString('s3cret'), context());
    store.before = (operation) => {
      throw new Error(`the store was asked to ${operation}`);
    };
    expect((await ring.openValue(sealed, context())).reveal()).toBe('s3cret');
    ring.clear();
    await expect(ring.openValue(sealed, context())).rejects.toThrow('the store was asked to load');
  });

  it('can be followed by a new version, which other processes find', async () => {
    const { store, provider, ring } = world();
    const old = await ring.sealValue(Secret.fromString('old'), context());
    const reader = createKeyRing({ provider, store, random, clock });
    await reader.openValue(old, context());
    expect(await ring.renewTenantKey(A)).toBe(2);
    const fresh = await ring.sealValue(Secret.fromString('fresh'), context());
    expect(keyIdOf(fresh.dataKey)).toBe('tk-2');
    expect((await reader.openValue(fresh, context())).reveal()).toBe('fresh');
    expect((await reader.openValue(old, context())).reveal()).toBe('old');
  });

  it('is one of a bounded number in memory, the least recently used ones read again', async () => {
    const { store, ring } = world();
    const names = Array.from({ length: limits.tenantKeysOpenMax + 1 }, (_, i) => `ws_${i}` as WorkspaceId);
    for (const workspace of names) await ring.wrap(Secret.fromString('k'), context({ workspace }));
    const loads: string[] = [];
    store.before = (operation) => {
      loads.push(operation);
    };
    await ring.wrap(Secret.fromString('k'), context({ workspace: names.at(-1) ?? A }));
    expect(loads).toEqual([]);
    await ring.wrap(Secret.fromString('k'), context({ workspace: names[0] ?? A }));
    expect(loads).toEqual(['load']);
  });
});

describe('a purpose key', () => {
  it('stays the same, is no data key, and differs between workspaces', async () => {
    const { store, provider, ring } = world();
    const first = await ring.purposeKey(A, 'audit');
    const other = createKeyRing({ provider, store, random, clock });
    expect((await other.purposeKey(A, 'audit')).equals(first)).toBe(true);
    expect((await ring.purposeKey(B, 'audit')).equals(first)).toBe(false);
    expect(first.length).toBe(32);
    await ring.sealValue(Secret.fromString('x'), context());
    expect(store.rows.map((row) => `${row.workspace} ${row.purpose}`)).toEqual([
      'ws_a audit',
      'ws_b audit',
      'ws_a data',
    ]);
  });

  it('is a copy: whoever gets it may zero it', async () => {
    const { ring } = world();
    const first = await ring.purposeKey(A, 'audit');
    const copy = Buffer.from(first.bytes());
    first.destroy();
    expect((await ring.purposeKey(A, 'audit')).bytes().equals(copy)).toBe(true);
  });
});
