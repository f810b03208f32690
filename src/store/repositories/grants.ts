import type { ServerId, WorkspaceId } from '../../kernel/index.ts';
import type { GrantPlace, GrantRecord } from '../records.ts';
import { fromJson, type Scope } from './scope.ts';

/**
 * What authorization servers granted for each server, without a single secret: those are credentials. Goes with its server.
 */
export interface GrantRepository {
  /** The latest first. */
  list(workspace: WorkspaceId, server: ServerId): Promise<readonly GrantRecord[]>;
  /** Replaces the one in the same place. @throws AppError `store_conflict` when the server is gone */
  save(workspace: WorkspaceId, grant: GrantRecord): Promise<void>;
  /** @returns whether there was one */
  remove(workspace: WorkspaceId, place: GrantPlace): Promise<boolean>;
}

/** The empty string for a grant that the workspace shares: null would escape the unique key. */
const ownerColumn = (owner: string | null): string => owner ?? '';

export function grantRepository({ db, touched }: Scope): GrantRepository {
  return {
    async list(workspace, server) {
      const rows = await db
        .selectFrom('grants')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('server_id', '=', server)
        .orderBy('updated_at', 'desc')
        .orderBy('owner')
        .orderBy('issuer')
        .execute();
      return rows.map((row) => ({
        server,
        owner: row.owner === '' ? null : row.owner,
        issuer: row.issuer,
        data: fromJson(row.data, 'grants.data'),
        updatedAt: row.updated_at,
      }));
    },
    async save(workspace, { server, owner, issuer, data, updatedAt }) {
      const values = { data: JSON.stringify(data), updated_at: updatedAt };
      await db
        .insertInto('grants')
        .values({ workspace, server_id: server, owner: ownerColumn(owner), issuer, ...values })
        .onConflict((conflict) =>
          conflict.columns(['workspace', 'server_id', 'owner', 'issuer']).doUpdateSet(values),
        )
        .execute();
      touched();
    },
    async remove(workspace, { server, owner, issuer }) {
      const result = await db
        .deleteFrom('grants')
        .where('workspace', '=', workspace)
        .where('server_id', '=', server)
        .where('owner', '=', ownerColumn(owner))
        .where('issuer', '=', issuer)
        .executeTakeFirst();
      touched();
      return result.numDeletedRows > 0n;
    },
  };
}
