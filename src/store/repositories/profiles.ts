import type { JsonObject, ProfileId, WorkspaceId } from '../../kernel/index.ts';
import type { ProfileEntry, ProfileRecord } from '../records.ts';
import type { ProfilesTable } from '../schema.ts';
import { expectOne, fromJson, type Scope } from './scope.ts';

export interface ProfileRepository {
  /** @throws AppError `store_conflict` when the name is taken */
  insert(workspace: WorkspaceId, profile: ProfileRecord): Promise<void>;
  /** @throws AppError `store_conflict` when it is gone, or the name is taken */
  update(workspace: WorkspaceId, profile: ProfileRecord): Promise<void>;
  findByName(workspace: WorkspaceId, name: string): Promise<ProfileRecord | null>;
  list(workspace: WorkspaceId): Promise<readonly ProfileRecord[]>;
  /** @returns whether there was one */
  remove(workspace: WorkspaceId, id: ProfileId): Promise<boolean>;
}

export function profileRepository({ db, touched }: Scope): ProfileRepository {
  return {
    async insert(workspace, profile) {
      await db
        .insertInto('profiles')
        .values({ workspace, id: profile.id, created_at: profile.createdAt, ...columns(profile) })
        .execute();
      touched();
    },
    async update(workspace, profile) {
      const result = await db
        .updateTable('profiles')
        .set(columns(profile))
        .where('workspace', '=', workspace)
        .where('id', '=', profile.id)
        .executeTakeFirst();
      expectOne(result.numUpdatedRows, 'The profile has been deleted meanwhile.');
      touched();
    },
    async findByName(workspace, name) {
      const row = await db
        .selectFrom('profiles')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('name', '=', name)
        .executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async list(workspace) {
      const rows = await db
        .selectFrom('profiles')
        .selectAll()
        .where('workspace', '=', workspace)
        .orderBy('name')
        .execute();
      return rows.map(toRecord);
    },
    async remove(workspace, id) {
      const result = await db
        .deleteFrom('profiles')
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .executeTakeFirst();
      touched();
      return result.numDeletedRows > 0n;
    },
  };
}

const columns = (profile: ProfileRecord) => ({
  name: profile.name,
  entries: JSON.stringify(profile.entries),
  options: JSON.stringify(profile.options),
  updated_at: profile.updatedAt,
});

const toRecord = (row: ProfilesTable): ProfileRecord => ({
  id: row.id as ProfileId,
  name: row.name,
  // Written by `columns` above.
  entries: fromJson(row.entries, 'profiles.entries') as unknown as ProfileEntry[],
  options: fromJson(row.options, 'profiles.options') as JsonObject,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});
