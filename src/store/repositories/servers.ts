import type { ServerId, WorkspaceId } from '../../kernel/index.ts';
import type { ServerRecord } from '../records.ts';
import type { ServersTable } from '../schema.ts';
import { expectOne, fromJson, type Scope } from './scope.ts';

export interface ServerRepository {
  /** @throws AppError `store_conflict` when the slug is taken */
  insert(workspace: WorkspaceId, server: ServerRecord): Promise<void>;
  /** Replaces everything but the id and the time of creation. @throws AppError `store_conflict` when it is gone, or the slug is taken */
  update(workspace: WorkspaceId, server: ServerRecord): Promise<void>;
  find(workspace: WorkspaceId, id: ServerId): Promise<ServerRecord | null>;
  findBySlug(workspace: WorkspaceId, slug: string): Promise<ServerRecord | null>;
  list(workspace: WorkspaceId): Promise<readonly ServerRecord[]>;
  /** @returns whether there was one. @throws AppError `store_conflict` while it has credentials */
  remove(workspace: WorkspaceId, id: ServerId): Promise<boolean>;
}

export function serverRepository({ db, touched }: Scope): ServerRepository {
  const servers = (workspace: WorkspaceId) =>
    db.selectFrom('servers').selectAll().where('workspace', '=', workspace);
  return {
    async insert(workspace, server) {
      await db
        .insertInto('servers')
        .values({ workspace, id: server.id, created_at: server.createdAt, ...columns(server) })
        .execute();
      touched();
    },
    async update(workspace, server) {
      const result = await db
        .updateTable('servers')
        .set(columns(server))
        .where('workspace', '=', workspace)
        .where('id', '=', server.id)
        .executeTakeFirst();
      expectOne(result.numUpdatedRows, 'The server has been removed meanwhile.');
      touched();
    },
    async find(workspace, id) {
      const row = await servers(workspace).where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async findBySlug(workspace, slug) {
      const row = await servers(workspace).where('slug', '=', slug).executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async list(workspace) {
      const rows = await servers(workspace).orderBy('slug').execute();
      return rows.map(toRecord);
    },
    async remove(workspace, id) {
      const result = await db
        .deleteFrom('servers')
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .executeTakeFirst();
      touched();
      return result.numDeletedRows > 0n;
    },
  };
}

const columns = (server: ServerRecord) => ({
  slug: server.slug,
  manifest: JSON.stringify(server.manifest),
  manifest_hash: server.manifestHash,
  source: server.source,
  package: server.package === null ? null : JSON.stringify(server.package),
  enabled: server.enabled ? 1 : 0,
  updated_at: server.updatedAt,
});

const toRecord = (row: ServersTable): ServerRecord => ({
  id: row.id as ServerId,
  slug: row.slug,
  manifest: fromJson(row.manifest, 'servers.manifest'),
  manifestHash: row.manifest_hash,
  source: row.source,
  package: row.package === null ? null : fromJson(row.package, 'servers.package'),
  enabled: row.enabled === 1,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});
