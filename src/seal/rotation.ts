/**
 * Rotation of the master key, one tenant key at a time. Every row says which master key wraps it, and that is all
 * the state there is: killed at any point, every row opens by a key that the provider still has, and the next call
 * goes on from there. Readers in other processes need nothing but the provider's habit to look again.
 */
import { isAppError, limits, type Random } from '../kernel/index.ts';
import { seal } from './envelope.ts';
import type { KeyProvider, MasterKeyInfo } from './keys.ts';
import type { Suite } from './suites.ts';
import { openTenantKey, type TenantKeyRow, type TenantKeyStore, tenantKeyContext } from './tenant-keys.ts';

export interface RotationDeps {
  readonly provider: KeyProvider;
  readonly store: TenantKeyStore;
  readonly random: Random;
  readonly suite?: Suite;
}

export interface RotationReport {
  /** The master key before. */
  readonly from: string;
  /** The master key now. */
  readonly to: string;
  /** Rows re-wrapped by this call. */
  readonly rewrapped: number;
  /** Ids of the keys that are gone for good. */
  readonly retired: readonly string[];
  /** True when this call finished an earlier rotation rather than making a new key. */
  readonly resumed: boolean;
}

/**
 * Makes a new master key, re-wraps every tenant key by it, and retires the old ones. When old keys are still there,
 * an earlier rotation did not end (or the environment names previous keys): then no new key is made, and that one
 * is finished.
 *
 * @throws AppError `seal_master_key_readonly`, `seal_master_key_busy`; and, after everything else was re-wrapped,
 *   whatever a row that does not open gave. No key that still wraps a row is retired.
 */
export async function rotateMasterKey(deps: RotationDeps): Promise<RotationReport> {
  const before = await deps.provider.all();
  const previous = before.filter((key) => !key.current);
  const resumed = previous.length > 0;
  const from = resumed ? previous.at(-1) : before.at(-1);
  if (from === undefined) throw new Error('a key provider without any key');
  if (!resumed) await deps.provider.rotate();

  const rewrapped = await rewrapAll(deps);
  const retired: string[] = [];
  for (const { id, current } of await deps.provider.all()) {
    if (!current && (await deps.provider.retire(id, () => wrapsNothing(deps.store, id)))) retired.push(id);
  }
  return { from: from.id, to: (await deps.provider.current()).id, rewrapped, retired, resumed };
}

const wrapsNothing = async (store: TenantKeyStore, id: string): Promise<boolean> =>
  !(await store.list()).some((row) => row.masterKeyId === id);

/** Passes over the rows until one pass finds nothing to do: rows may be added, or re-wrapped by others, meanwhile. */
async function rewrapAll(deps: RotationDeps): Promise<number> {
  let rewrapped = 0;
  let passesWithoutProgress = 0;
  for (let pass = 0; pass < limits.rotationPassesMax; pass++) {
    const { id } = await deps.provider.current();
    const rows = (await deps.store.list()).filter((row) => row.masterKeyId !== id);
    if (rows.length === 0) break;

    let moved = 0;
    let failure: unknown;
    for (const row of rows) {
      try {
        if (await rewrap(row, deps)) moved += 1;
      } catch (error) {
        // One damaged row must not keep all others under the old key.
        if (!isAppError(error)) throw error;
        failure ??= error;
      }
    }
    rewrapped += moved;
    // A row that does not open may only have been moved by another process since it was listed: look once more.
    passesWithoutProgress = moved === 0 ? passesWithoutProgress + 1 : 0;
    if (failure !== undefined && passesWithoutProgress === 2) throw failure;
  }
  return rewrapped;
}

/** @returns false when the row was moved or removed by somebody else meanwhile */
async function rewrap(row: TenantKeyRow, deps: RotationDeps): Promise<boolean> {
  const secret = await openTenantKey(row, deps.provider);
  try {
    return await deps.provider.withCurrent(async (master) => {
      if (row.masterKeyId === master.id) return false;
      const wrapped = seal(secret.bytes(), master, tenantKeyContext(row), {
        suite: deps.suite ?? 1,
        random: deps.random,
      });
      return deps.store.replace({ ...row, masterKeyId: master.id, wrapped }, row.masterKeyId);
    });
  } finally {
    secret.destroy();
  }
}

export interface MasterKeyStatus {
  /** The provider's kind. */
  readonly provider: string;
  /** Oldest first; `wraps` counts tenant keys. */
  readonly keys: readonly (MasterKeyInfo & { readonly wraps: number })[];
  /** Master keys that rows name and the provider does not have: those rows cannot be opened. */
  readonly missing: readonly { readonly id: string; readonly wraps: number }[];
}

/** What `key status` shows, and what a start-up checks before it serves. */
export async function masterKeyStatus(
  provider: KeyProvider,
  store: TenantKeyStore,
): Promise<MasterKeyStatus> {
  const wraps = new Map<string, number>();
  for (const row of await store.list()) wraps.set(row.masterKeyId, (wraps.get(row.masterKeyId) ?? 0) + 1);
  const keys = (await provider.all()).map((key) => ({ ...key, wraps: wraps.get(key.id) ?? 0 }));
  const known = new Set(keys.map((key) => key.id));
  const missing = [...wraps].filter(([id]) => !known.has(id)).map(([id, count]) => ({ id, wraps: count }));
  return { provider: provider.kind, keys, missing };
}
