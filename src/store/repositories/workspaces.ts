import type { WorkspaceId } from '../../kernel/index.ts';
import type { WorkspaceRecord } from '../records.ts';
import type { WorkspacesTable } from '../schema.ts';
import type { Scope } from './scope.ts';

/** The tenants. The only repository whose methods do not start with a workspace: it is where one comes from. */
export interface WorkspaceRepository {
  /** @throws AppError `store_conflict` when the id or the name is taken */
  insert(workspace: WorkspaceRecord): Promise<void>;
  find(id: WorkspaceId): Promise<WorkspaceRecord | null>;
  findByName(name: string): Promise<WorkspaceRecord | null>;
  list(): Promise<readonly WorkspaceRecord[]>;
}

export function workspaceRepository({ db, touched }: Scope): WorkspaceRepository {
  return {
    async insert(workspace) {
      await db
        .insertInto('workspaces')
        .values({ id: workspace.id, name: workspace.name, created_at: workspace.createdAt })
        .execute();
      touched();
    },
    async find(id) {
      const row = await db.selectFrom('workspaces').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async findByName(name) {
      const row = await db.selectFrom('workspaces').selectAll().where('name', '=', name).executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async list() {
      const rows = await db.selectFrom('workspaces').selectAll().orderBy('name').execute();
      return rows.map(toRecord);
    },
  };
}

const toRecord = (row: WorkspacesTable): WorkspaceRecord => ({
  id: row.id as WorkspaceId,
  name: row.name,
  createdAt: row.created_at,
});
