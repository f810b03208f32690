import type { WorkspaceId } from '../../kernel/index.ts';
import type { PolicyRecord } from '../records.ts';
import type { Scope } from './scope.ts';

/** The owner's rules: a text for the workspace, and one for each profile that has its own. */
export interface PolicyRepository {
  /** Replaces the one of the same profile. */
  save(workspace: WorkspaceId, policy: PolicyRecord): Promise<void>;
  /** The workspace's first, then by profile. */
  list(workspace: WorkspaceId): Promise<readonly PolicyRecord[]>;
  /** @returns whether there was one */
  remove(workspace: WorkspaceId, profile: string | null): Promise<boolean>;
}

/** The empty string stands for the workspace's: null would escape the primary key. */
const WORKSPACE = '';

export function policyRepository({ db, touched }: Scope): PolicyRepository {
  return {
    async save(workspace, { profile, text, updatedAt, updatedBy }) {
      const values = { text, updated_at: updatedAt, updated_by: updatedBy };
      await db
        .insertInto('policies')
        .values({ workspace, profile: profile ?? WORKSPACE, ...values })
        .onConflict((conflict) => conflict.columns(['workspace', 'profile']).doUpdateSet(values))
        .execute();
      touched();
    },
    async list(workspace) {
      const rows = await db
        .selectFrom('policies')
        .selectAll()
        .where('workspace', '=', workspace)
        .orderBy('profile')
        .execute();
      return rows.map(({ profile, text, updated_at, updated_by }) => ({
        profile: profile === WORKSPACE ? null : profile,
        text,
        updatedAt: updated_at,
        updatedBy: updated_by,
      }));
    },
    async remove(workspace, profile) {
      const result = await db
        .deleteFrom('policies')
        .where('workspace', '=', workspace)
        .where('profile', '=', profile ?? WORKSPACE)
        .executeTakeFirst();
      touched();
      return result.numDeletedRows > 0n;
    },
  };
}
