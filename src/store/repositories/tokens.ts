import type { TokenId, WorkspaceId } from '../../kernel/index.ts';
import type { TokenRecord } from '../records.ts';
import type { TokensTable } from '../schema.ts';
import type { Scope } from './scope.ts';

export interface TokenRepository {
  /** @throws AppError `store_conflict` when the id is taken */
  insert(workspace: WorkspaceId, token: TokenRecord): Promise<void>;
  find(workspace: WorkspaceId, id: TokenId): Promise<TokenRecord | null>;
  /**
   * By the id that a client presented, in whichever workspace. The record names its workspace, and nothing
   * else about the caller is known before.
   */
  findPresented(id: string): Promise<TokenRecord | null>;
  /** Newest first. */
  list(workspace: WorkspaceId): Promise<readonly TokenRecord[]>;
  /** Keeps the first time when it was revoked before. @returns whether there is such a token */
  revoke(workspace: WorkspaceId, id: TokenId, at: number): Promise<boolean>;
  /** For display only: it is not a change that invalidates anything. */
  touch(workspace: WorkspaceId, id: TokenId, lastUsedAt: number): Promise<void>;
}

export function tokenRepository({ db, touched }: Scope): TokenRepository {
  return {
    async insert(workspace, token) {
      await db
        .insertInto('tokens')
        .values({
          workspace,
          id: token.id,
          profile: token.profile,
          agent: token.agent,
          hash: token.hash,
          created_at: token.createdAt,
          expires_at: token.expiresAt,
          revoked_at: token.revokedAt,
          last_used_at: token.lastUsedAt,
        })
        .execute();
      touched();
    },
    async find(workspace, id) {
      const row = await db
        .selectFrom('tokens')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async findPresented(id) {
      const row = await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async list(workspace) {
      const rows = await db
        .selectFrom('tokens')
        .selectAll()
        .where('workspace', '=', workspace)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute();
      return rows.map(toRecord);
    },
    async revoke(workspace, id, at) {
      const result = await db
        .updateTable('tokens')
        .set((build) => ({ revoked_at: build.fn.coalesce('revoked_at', build.val(at)) }))
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .executeTakeFirst();
      touched();
      return result.numUpdatedRows > 0n;
    },
    async touch(workspace, id, lastUsedAt) {
      await db
        .updateTable('tokens')
        .set({ last_used_at: lastUsedAt })
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .execute();
    },
  };
}

const toRecord = (row: TokensTable): TokenRecord => ({
  workspace: row.workspace as WorkspaceId,
  id: row.id as TokenId,
  profile: row.profile,
  agent: row.agent,
  hash: row.hash,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
  lastUsedAt: row.last_used_at,
});
