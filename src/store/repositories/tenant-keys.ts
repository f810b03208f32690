import type { WorkspaceId } from '../../kernel/index.ts';
import type { TenantKeyRecord } from '../records.ts';
import type { TenantKeysTable } from '../schema.ts';
import { asBuffer, type Scope } from './scope.ts';

/** Wrapped tenant keys: what the key ring's `TenantKeyStore` asks for. */
export interface TenantKeyRepository {
  /** Every row of a workspace, all purposes and versions. */
  load(workspace: WorkspaceId): Promise<readonly TenantKeyRecord[]>;
  /** @returns false, with nothing written, when (workspace, purpose, version) is there already */
  insert(row: TenantKeyRecord): Promise<boolean>;
  /** The rows of all workspaces: what a rotation of the master key walks through. */
  list(): Promise<readonly TenantKeyRecord[]>;
  /** @returns false, with nothing written, unless the stored row is still wrapped by `expectedMasterKeyId` */
  replace(row: TenantKeyRecord, expectedMasterKeyId: string): Promise<boolean>;
}

export function tenantKeyRepository({ db, touched }: Scope): TenantKeyRepository {
  const rows = () =>
    db.selectFrom('tenant_keys').selectAll().orderBy('workspace').orderBy('purpose').orderBy('version');
  return {
    async load(workspace) {
      return (await rows().where('workspace', '=', workspace).execute()).map(toRecord);
    },
    async insert(row) {
      const result = await db
        .insertInto('tenant_keys')
        .values({
          workspace: row.workspace,
          purpose: row.purpose,
          version: row.version,
          master_key_id: row.masterKeyId,
          wrapped: row.wrapped,
          created_at: row.createdAt,
        })
        .onConflict((conflict) => conflict.columns(['workspace', 'purpose', 'version']).doNothing())
        .executeTakeFirst();
      touched();
      return result.numInsertedOrUpdatedRows === 1n;
    },
    async list() {
      return (await rows().execute()).map(toRecord);
    },
    async replace(row, expectedMasterKeyId) {
      const result = await db
        .updateTable('tenant_keys')
        .set({ master_key_id: row.masterKeyId, wrapped: row.wrapped })
        .where('workspace', '=', row.workspace)
        .where('purpose', '=', row.purpose)
        .where('version', '=', row.version)
        .where('master_key_id', '=', expectedMasterKeyId)
        .executeTakeFirst();
      touched();
      return result.numUpdatedRows === 1n;
    },
  };
}

const toRecord = (row: TenantKeysTable): TenantKeyRecord => ({
  workspace: row.workspace as WorkspaceId,
  // Only `insert` above writes it.
  purpose: row.purpose as TenantKeyRecord['purpose'],
  version: row.version,
  masterKeyId: row.master_key_id,
  wrapped: asBuffer(row.wrapped),
  createdAt: row.created_at,
});
