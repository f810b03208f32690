/**
 * The upper two levels of keys at work: seals values under data keys of their own, wraps those by the workspace's
 * tenant key, and keeps opened tenant keys in memory, a bounded number of them. It trusts the provider for master
 * keys and nothing that the store returns. It never writes a key that is not wrapped.
 */
import { isAppError, limits, type Random, Secret, type WorkspaceId, type Clock } from '../kernel/index.ts';
import type { SealContext } from './context.ts';
import { keyIdOf, open, seal } from './envelope.ts';
import type { KeyProvider, SealingKey } from './keys.ts';
import { keyUnknown } from './seal-error.ts';
import { KEY_BYTES, type Suite } from './suites.ts';
import {
  openTenantKey,
  type TenantKeyPurpose,
  type TenantKeyRow,
  type TenantKeyStore,
  tenantKeyContext,
  tenantKeyId,
} from './tenant-keys.ts';

export interface KeyRingOptions {
  readonly provider: KeyProvider;
  readonly store: TenantKeyStore;
  readonly random: Random;
  readonly clock: Clock;
  /** For everything sealed from now on; every suite opens. Default 1. */
  readonly suite?: Suite;
}

/** A context whose workspace is known to be one. */
export interface RowContext extends SealContext {
  readonly workspace: WorkspaceId;
}

/** A value at rest: two envelopes, both bound to the same row. */
export interface SealedValue {
  /** The value, under its data key. */
  readonly value: Buffer;
  /** The data key, under the workspace's tenant key. */
  readonly dataKey: Buffer;
}

export interface KeyRing {
  /**
   * Seals a value under a fresh data key. `plaintext` stays the caller's. May write a tenant key to the store:
   * call it before a transaction is opened, not inside of one.
   */
  sealValue(plaintext: Secret, context: RowContext): Promise<SealedValue>;
  /**
   * The caller owns the result and destroys it after use.
   *
   * @throws AppError `seal_tampered`, `seal_key_unknown`, `seal_envelope_malformed`, `seal_suite_unknown`,
   *   and whatever the provider throws
   */
  openValue(sealed: SealedValue, context: RowContext): Promise<Secret>;
  /** Wraps a 32-byte key by the workspace's newest tenant key. */
  wrap(key: Secret, context: RowContext): Promise<Buffer>;
  /** The reverse of `wrap`; the caller owns the result. @throws as `openValue` */
  unwrap(wrapped: Uint8Array, context: RowContext): Promise<Secret>;
  /**
   * A random key that stays the same for the life of the workspace, through every rotation of the master key;
   * made when first asked for. The caller owns the copy that it gets.
   */
  purposeKey(workspace: WorkspaceId, purpose: Exclude<TenantKeyPurpose, 'data'>): Promise<Secret>;
  /** Adds a tenant key to a workspace; what was wrapped by older ones still opens. @returns the new version */
  renewTenantKey(workspace: WorkspaceId): Promise<number>;
  /** Zeroes every opened key. The ring can still be used: it reads them anew. */
  clear(): void;
}

/** The opened keys of one (workspace, purpose). */
interface KeySet {
  readonly byId: ReadonlyMap<string, SealingKey>;
  readonly newest: SealingKey;
  readonly newestVersion: number;
}

/** How often a set is read again because a rotation moved a row between reading it and opening it. */
const RELOADS_MAX = 3;

export function createKeyRing(options: KeyRingOptions): KeyRing {
  return new OpenKeyRing(options);
}

class OpenKeyRing implements KeyRing {
  readonly #provider: KeyProvider;
  readonly #store: TenantKeyStore;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #sealOptions: { readonly suite: Suite; readonly random: Random };
  /** In order of last use. */
  readonly #sets = new Map<string, KeySet>();
  readonly #loading = new Map<string, Promise<void>>();

  constructor(options: KeyRingOptions) {
    this.#provider = options.provider;
    this.#store = options.store;
    this.#random = options.random;
    this.#clock = options.clock;
    this.#sealOptions = { suite: options.suite ?? 1, random: options.random };
  }

  async sealValue(plaintext: Secret, context: RowContext): Promise<SealedValue> {
    const secret = Secret.fromBytes(this.#random.bytes(KEY_BYTES));
    try {
      const key = { id: `dk-${context.version}`, secret };
      return {
        value: seal(plaintext.bytes(), key, context, this.#sealOptions),
        dataKey: await this.wrap(secret, dataKeyContext(context)),
      };
    } finally {
      secret.destroy();
    }
  }

  async openValue(sealed: SealedValue, context: RowContext): Promise<Secret> {
    const secret = await this.unwrap(sealed.dataKey, dataKeyContext(context));
    try {
      const id = keyIdOf(sealed.value);
      return open(sealed.value, new Map([[id, { id, secret }]]), context);
    } finally {
      secret.destroy();
    }
  }

  wrap(key: Secret, context: RowContext): Promise<Buffer> {
    return this.#withNewest(context.workspace, 'data', (tenantKey) =>
      seal(key.bytes(), tenantKey, context, this.#sealOptions),
    );
  }

  async unwrap(wrapped: Uint8Array, context: RowContext): Promise<Secret> {
    const id = keyIdOf(wrapped);
    for (let attempt = 0; attempt <= RELOADS_MAX; attempt++) {
      const set = this.#cached(context.workspace, 'data');
      if (set?.byId.has(id) === true) return open(wrapped, set.byId, context);
      // Another process may have added this version since the set was read.
      await this.#load(context.workspace, 'data');
    }
    throw keyUnknown(id);
  }

  purposeKey(workspace: WorkspaceId, purpose: Exclude<TenantKeyPurpose, 'data'>): Promise<Secret> {
    return this.#withNewest(workspace, purpose, (key) => copyOf(key.secret));
  }

  async renewTenantKey(workspace: WorkspaceId): Promise<number> {
    await this.#load(workspace, 'data');
    const version = (this.#cached(workspace, 'data')?.newestVersion ?? 0) + 1;
    await this.#insert(workspace, 'data', version);
    await this.#load(workspace, 'data');
    return version;
  }

  clear(): void {
    for (const key of this.#sets.keys()) this.#drop(key);
  }

  /** `work` is synchronous, so that no key can be dropped while it is in use. */
  async #withNewest<T>(
    workspace: WorkspaceId,
    purpose: TenantKeyPurpose,
    work: (key: SealingKey) => T,
  ): Promise<T> {
    for (let attempt = 0; attempt <= RELOADS_MAX; attempt++) {
      const set = this.#cached(workspace, purpose);
      if (set !== undefined) return work(set.newest);
      await this.#load(workspace, purpose);
      if (!this.#sets.has(setKey(workspace, purpose))) {
        // Whoever inserts first wins; the others read the winner's key.
        await this.#insert(workspace, purpose, 1);
        await this.#load(workspace, purpose);
      }
    }
    throw new Error('opened tenant keys were dropped again and again before they could be used');
  }

  async #insert(workspace: WorkspaceId, purpose: TenantKeyPurpose, version: number): Promise<void> {
    const secret = Secret.fromBytes(this.#random.bytes(KEY_BYTES));
    try {
      await this.#provider.withCurrent(async (master) => {
        const place = { workspace, purpose, version };
        const wrapped = seal(secret.bytes(), master, tenantKeyContext(place), this.#sealOptions);
        await this.#store.insert({ ...place, masterKeyId: master.id, wrapped, createdAt: this.#clock.now() });
      });
    } finally {
      secret.destroy();
    }
  }

  /** Reads and opens a set, if the store has one. Callers that come while it is being read share the result. */
  #load(workspace: WorkspaceId, purpose: TenantKeyPurpose): Promise<void> {
    const key = setKey(workspace, purpose);
    const running = this.#loading.get(key);
    if (running !== undefined) return running;
    const loading = this.#read(workspace, purpose, key).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  async #read(workspace: WorkspaceId, purpose: TenantKeyPurpose, key: string): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const rows = (await this.#store.load(workspace)).filter((row) => row.purpose === purpose);
      if (rows.length === 0) return;
      try {
        this.#keep(key, await this.#openAll(rows));
        return;
      } catch (error) {
        // A rotation may have re-wrapped the row and retired its old master key after it was read.
        if (attempt >= RELOADS_MAX || !isAppError(error) || error.code !== 'seal_key_unknown') throw error;
      }
    }
  }

  async #openAll(rows: readonly TenantKeyRow[]): Promise<KeySet> {
    const byId = new Map<string, SealingKey>();
    try {
      let newest: { key: SealingKey; version: number } | undefined;
      for (const row of rows) {
        const key = { id: tenantKeyId(row.version), secret: await openTenantKey(row, this.#provider) };
        byId.set(key.id, key);
        if (newest === undefined || row.version > newest.version) newest = { key, version: row.version };
      }
      if (newest === undefined) throw new Error('a key set without keys');
      return { byId, newest: newest.key, newestVersion: newest.version };
    } catch (error) {
      zero(byId);
      throw error;
    }
  }

  #cached(workspace: WorkspaceId, purpose: TenantKeyPurpose): KeySet | undefined {
    const key = setKey(workspace, purpose);
    const set = this.#sets.get(key);
    if (set !== undefined) {
      this.#sets.delete(key);
      this.#sets.set(key, set);
    }
    return set;
  }

  #keep(key: string, set: KeySet): void {
    this.#drop(key);
    this.#sets.set(key, set);
    for (const oldest of this.#sets.keys()) {
      if (this.#sets.size <= limits.tenantKeysOpenMax) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const set = this.#sets.get(key);
    if (set === undefined) return;
    this.#sets.delete(key);
    zero(set.byId);
  }
}

function zero(keys: ReadonlyMap<string, SealingKey>): void {
  for (const key of keys.values()) key.secret.destroy();
}

function copyOf(secret: Secret): Secret {
  const bytes = Buffer.alloc(secret.length);
  secret.bytes().copy(bytes);
  return Secret.fromBytes(bytes);
}

/** A workspace's id has no NUL, so no two pairs have the same key. */
const setKey = (workspace: WorkspaceId, purpose: TenantKeyPurpose): string => `${purpose}\0${workspace}`;

/** The data key lies beside the value and must not be mistaken for it, or for that of another column. */
const dataKeyContext = (context: RowContext): RowContext => ({
  ...context,
  purpose: `data-key:${context.purpose}`,
});
