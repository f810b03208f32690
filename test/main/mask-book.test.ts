/** Hashes of masked values: the same for the same value for as long as a workspace lasts, and of no use to another. */
import { expect, it } from 'vitest';
import { fixedClock, Secret, silentLog, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import { maskBook } from '../../src/main/masking/mask-book.ts';
import type { DecidedMask } from '../../src/policy/index.ts';
import { createKeyRing, localKeyProvider } from '../../src/seal/index.ts';
import { MemoryTenantKeys } from '../seal/memory-tenant-keys.ts';

const clock = fixedClock(7000);
const random = systemRandom;
const current = Secret.fromBytes(Buffer.from(Buffer.alloc(32, 1).toString('hex')));
const provider = localKeyProvider({ env: { current, previous: [] }, random, clock });
const mask: DecidedMask = {
  do: 'mask',
  rule: 'r',
  detectors: [],
  keys: ['a'],
  pointers: [],
  patterns: [],
  strategy: 'hash',
  keepLast: 4,
};

it('outlive the gateway, and differ between workspaces', async () => {
  const store = new MemoryTenantKeys();
  const started = (): ReturnType<typeof maskBook> =>
    maskBook({ ring: createKeyRing({ provider, store, random, clock }), log: silentLog });
  const hashed = async (book: ReturnType<typeof maskBook>, workspace: string, value: string) =>
    (await book.maskersOf(workspace as WorkspaceId, [mask])).placed?.maskJson(JSON.stringify({ a: value }))
      .text;

  const first = started();
  const once = await hashed(first, 'ws_a', 'x');
  expect(once).toMatch(/^\{"a":"\[hash:[\w-]{16}\]"\}$/);
  expect(await hashed(first, 'ws_a', 'x')).toBe(once);
  expect(await hashed(first, 'ws_a', 'y')).not.toBe(once);
  expect(await hashed(started(), 'ws_a', 'x')).toBe(once);
  expect(await hashed(started(), 'ws_b', 'x')).not.toBe(once);
  expect(store.rows.map(({ workspace, purpose }) => [workspace, purpose])).toEqual([
    ['ws_a', 'masking'],
    ['ws_b', 'masking'],
  ]);
});

it('need no key where nothing is hashed', async () => {
  const store = new MemoryTenantKeys();
  const book = maskBook({ ring: createKeyRing({ provider, store, random, clock }), log: silentLog });
  const masks = [{ ...mask, strategy: 'redact' }] as const;
  const maskers = await book.maskersOf('ws_a' as WorkspaceId, masks);
  expect(maskers.placed?.maskJson('{"a":1}').text).toBe('{"a":0}');
  expect(await book.maskersOf('ws_a' as WorkspaceId, masks)).toBe(maskers);
  expect(store.rows).toEqual([]);
});
