/**
 * The port through which wrapped tenant keys are kept. The store implements it; it sees ciphertext only.
 */
import type { WorkspaceId } from '../kernel/index.ts';

/**
 * What a workspace's key is for. `data` wraps the data keys of stored values. `audit` is the MAC and signing key
 * of the audit log: random, so that it outlives every rotation of the master key that wraps it.
 */
export type TenantKeyPurpose = 'data' | 'audit';

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
