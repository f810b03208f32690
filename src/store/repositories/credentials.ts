import type { CredentialId, ServerId, WorkspaceId } from '../../kernel/index.ts';
import type {
  CredentialIndexRecord,
  CredentialMetadata,
  CredentialRecord,
  CredentialSlot,
} from '../records.ts';
import type { CredentialsTable } from '../schema.ts';
import { asBuffer, expectOne, type Scope } from './scope.ts';

/** Sealed values. One row per slot and owner; a new value replaces the old one and raises the version. */
export interface CredentialRepository {
  /** Exactly this owner's row; there is no falling back to the shared one here. */
  find(workspace: WorkspaceId, slot: CredentialSlot): Promise<CredentialRecord | null>;
  /** Without the ciphertext. */
  list(workspace: WorkspaceId, server?: ServerId): Promise<readonly CredentialMetadata[]>;
  /** @throws AppError `store_conflict` when the slot is taken or the server is gone */
  insert(workspace: WorkspaceId, credential: CredentialRecord): Promise<void>;
  /** @param expectedVersion what the caller read. @throws AppError `store_conflict` when it is another by now */
  update(workspace: WorkspaceId, credential: CredentialRecord, expectedVersion: number): Promise<void>;
  /** @throws AppError `store_conflict` when it is gone or has another version by now */
  remove(workspace: WorkspaceId, id: CredentialId, expectedVersion: number): Promise<void>;

  index(workspace: WorkspaceId): Promise<CredentialIndexRecord | null>;
  /** @param index with a version one above the stored one, 1 for the first. @throws AppError `store_conflict` otherwise */
  replaceIndex(workspace: WorkspaceId, index: CredentialIndexRecord): Promise<void>;
}

export function credentialRepository({ db, touched }: Scope): CredentialRepository {
  return {
    async find(workspace, slot) {
      const row = await db
        .selectFrom('credentials')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('server_id', '=', slot.server)
        .where('name', '=', slot.name)
        .where('owner', '=', slot.owner ?? '')
        .executeTakeFirst();
      return row === undefined ? null : toCredential(row);
    },
    async list(workspace, server) {
      const rows = await db
        .selectFrom('credentials')
        .select(['id', 'server_id', 'name', 'owner', 'version', 'updated_at', 'updated_by'])
        .where('workspace', '=', workspace)
        .$if(server !== undefined, (query) => query.where('server_id', '=', server ?? ''))
        .orderBy('server_id')
        .orderBy('name')
        .orderBy('owner')
        .execute();
      return rows.map(toMetadata);
    },
    async insert(workspace, credential) {
      await db
        .insertInto('credentials')
        .values({
          workspace,
          id: credential.id,
          server_id: credential.server,
          name: credential.name,
          owner: credential.owner ?? '',
          version: credential.version,
          value: credential.value,
          data_key: credential.dataKey,
          updated_at: credential.updatedAt,
          updated_by: credential.updatedBy,
        })
        .execute();
      touched();
    },
    async update(workspace, credential, expectedVersion) {
      const result = await db
        .updateTable('credentials')
        .set({
          version: credential.version,
          value: credential.value,
          data_key: credential.dataKey,
          updated_at: credential.updatedAt,
          updated_by: credential.updatedBy,
        })
        .where('workspace', '=', workspace)
        .where('id', '=', credential.id)
        .where('version', '=', expectedVersion)
        .executeTakeFirst();
      expectOne(result.numUpdatedRows, 'The credential was changed by somebody else meanwhile.');
      touched();
    },
    async remove(workspace, id, expectedVersion) {
      const result = await db
        .deleteFrom('credentials')
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .where('version', '=', expectedVersion)
        .executeTakeFirst();
      expectOne(result.numDeletedRows, 'The credential was changed by somebody else meanwhile.');
      touched();
    },

    async index(workspace) {
      const row = await db
        .selectFrom('credential_index')
        .selectAll()
        .where('workspace', '=', workspace)
        .executeTakeFirst();
      return row === undefined
        ? null
        : { version: row.version, value: asBuffer(row.value), dataKey: asBuffer(row.data_key) };
    },
    async replaceIndex(workspace, index) {
      const values = { version: index.version, value: index.value, data_key: index.dataKey };
      if (index.version === 1) {
        await db
          .insertInto('credential_index')
          .values({ workspace, ...values })
          .execute();
      } else {
        const result = await db
          .updateTable('credential_index')
          .set(values)
          .where('workspace', '=', workspace)
          .where('version', '=', index.version - 1)
          .executeTakeFirst();
        expectOne(result.numUpdatedRows, 'Another credential was changed at the same moment.');
      }
      touched();
    },
  };
}

/** For the adapters that read the hot row without the query builder. */
export const toCredential = (row: Omit<CredentialsTable, 'workspace'>): CredentialRecord => ({
  ...toMetadata(row),
  value: asBuffer(row.value),
  dataKey: asBuffer(row.data_key),
});

const toMetadata = (
  row: Pick<
    CredentialsTable,
    'id' | 'server_id' | 'name' | 'owner' | 'version' | 'updated_at' | 'updated_by'
  >,
): CredentialMetadata => ({
  id: row.id as CredentialId,
  server: row.server_id as ServerId,
  name: row.name,
  owner: row.owner === '' ? null : row.owner,
  version: row.version,
  updatedAt: row.updated_at,
  updatedBy: row.updated_by,
});
