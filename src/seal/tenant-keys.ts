/**
 * Wrapped tenant keys: the port through which they are kept, and what one is bound to. The store implements the
 * port and sees ciphertext only.
 */
import type { Secret, WorkspaceId } from '../kernel/index.ts';
import type { SealContext } from './context.ts';
import { keyIdOf, open } from './envelope.ts';
import type { KeyProvider } from './keys.ts';
import { tampered } from './seal-error.ts';

/**
 * What a workspace's key is for. `data` wraps the data keys of stored values. `audit` is the MAC and signing key
 * of the audit log: random, so that it outlives every rotation of the master key that wraps it. `masking` is what masked
 * values are hashed with.
 */
export type TenantKeyPurpose = 'data' | 'audit' | 'masking';

/** One row. The primary key is (workspace, purpose, version). */
export interface TenantKeyRow {
  readonly workspace: WorkspaceId;
  readonly purpose: TenantKeyPurpose;
  /** 1, 2, 3 … within (workspace, purpose). The highest wraps; all of them open. */
  readonly version: number;
  /** The master key that `wrapped` is wrapped by. */
  readonly masterKeyId: string;
  /** Envelope of the 32 key bytes. */
  readonly wrapped: Buffer;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

export interface TenantKeyStore {
  /** Every row of a workspace, all purposes and versions. Empty for an unknown workspace. */
  load(workspace: WorkspaceId): Promise<readonly TenantKeyRow[]>;
  /** Durable on return. False, and nothing written, when (workspace, purpose, version) exists already. */
  insert(row: TenantKeyRow): Promise<boolean>;
  /** The rows of all workspaces: what a rotation walks through. */
  list(): Promise<readonly TenantKeyRow[]>;
  /**
   * Puts `masterKeyId` and `wrapped` of `row` in place, durable on return, only while the stored row is still
   * wrapped by `expectedMasterKeyId`. False, and nothing written, when it is not, or is gone.
   */
  replace(row: TenantKeyRow, expectedMasterKeyId: string): Promise<boolean>;
}

export const tenantKeyId = (version: number): string => `tk-${version}`;

/** What the envelope of a tenant key is bound to. Everything of its row but the master key, which changes. */
export function tenantKeyContext(row: Pick<TenantKeyRow, 'workspace' | 'purpose' | 'version'>): SealContext {
  return {
    workspace: row.workspace,
    table: 'tenant_keys',
    row: row.purpose,
    version: row.version,
    purpose: 'tenant-key',
  };
}

/**
 * Opens a row's key. The caller owns it.
 *
 * @throws AppError `seal_key_unknown`, `seal_tampered`, `seal_envelope_malformed`, and as the provider
 */
export async function openTenantKey(row: TenantKeyRow, provider: KeyProvider): Promise<Secret> {
  const id = keyIdOf(row.wrapped);
  // The column is what a rotation goes by: a row whose column and envelope disagree was changed from outside.
  if (id !== row.masterKeyId) throw tampered(id);
  const master = await provider.byId(id);
  return open(row.wrapped, new Map([[id, master]]), tenantKeyContext(row));
}
