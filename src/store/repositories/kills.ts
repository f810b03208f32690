import type { WorkspaceId } from '../../kernel/index.ts';
import type { KillRecord, KillScope } from '../records.ts';
import type { KillsTable } from '../schema.ts';
import type { Scope } from './scope.ts';

/** Stands in the workspace column for scope `all`. No workspace has it as its id. */
const EVERYWHERE = '';

export interface KillRepository {
  /** Replaces one with the same scope and target. Scope `all` reaches beyond the workspace that it is set from. */
  set(workspace: WorkspaceId, kill: Omit<KillRecord, 'workspace'>): Promise<void>;
  /** @returns whether it was set */
  lift(workspace: WorkspaceId, scope: KillScope, target: string): Promise<boolean>;
  /** What holds for this workspace, scope `all` included; oldest first. */
  list(workspace: WorkspaceId): Promise<readonly KillRecord[]>;
  /** What holds anywhere, for the one process that serves every workspace. */
  listEverywhere(): Promise<readonly KillRecord[]>;
}

export function killRepository({ db, touched }: Scope): KillRepository {
  return {
    async set(workspace, kill) {
      const values = { at: kill.at, by: kill.by, reason: kill.reason };
      await db
        .insertInto('kills')
        .values({
          workspace: column(workspace, kill.scope),
          scope: kill.scope,
          target: kill.target,
          ...values,
        })
        .onConflict((conflict) => conflict.columns(['workspace', 'scope', 'target']).doUpdateSet(values))
        .execute();
      touched();
    },
    async lift(workspace, scope, target) {
      const result = await db
        .deleteFrom('kills')
        .where('workspace', '=', column(workspace, scope))
        .where('scope', '=', scope)
        .where('target', '=', target)
        .executeTakeFirst();
      touched();
      return result.numDeletedRows > 0n;
    },
    async list(workspace) {
      const rows = await db
        .selectFrom('kills')
        .selectAll()
        .where('workspace', 'in', [workspace, EVERYWHERE])
        .orderBy('at')
        .execute();
      return rows.map(toRecord);
    },
    async listEverywhere() {
      const rows = await db.selectFrom('kills').selectAll().orderBy('at').execute();
      return rows.map(toRecord);
    },
  };
}

const column = (workspace: WorkspaceId, scope: KillScope): string =>
  scope === 'all' ? EVERYWHERE : workspace;

const toRecord = (row: KillsTable): KillRecord => ({
  workspace: row.workspace === EVERYWHERE ? null : (row.workspace as WorkspaceId),
  // The table's check constraint lists them.
  scope: row.scope as KillScope,
  target: row.target,
  at: row.at,
  by: row.by,
  reason: row.reason,
});
