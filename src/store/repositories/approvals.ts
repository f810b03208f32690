import type { ApprovalId, WorkspaceId } from '../../kernel/index.ts';
import type { ApprovalRecord } from '../records.ts';
import type { ApprovalsTable } from '../schema.ts';
import { asBuffer, type Scope } from './scope.ts';

/** Requests that people are asked about. Each change takes the place of exactly the version that it was made from. */
export interface ApprovalRepository {
  /** @returns false, and nothing is written, where the same request waits already */
  insert(workspace: WorkspaceId, approval: ApprovalRecord): Promise<boolean>;
  /**
   * @param approval with a version one above the stored one
   * @returns false, and nothing is written, where the stored one is another by now
   */
  replace(workspace: WorkspaceId, approval: ApprovalRecord): Promise<boolean>;
  find(workspace: WorkspaceId, id: ApprovalId): Promise<ApprovalRecord | null>;
  /** Of one request, those in these states, the oldest first. */
  ofRequest(
    workspace: WorkspaceId,
    hash: string,
    states: readonly string[],
  ): Promise<readonly ApprovalRecord[]>;
  /** The newest first. @param states null: all */
  list(
    workspace: WorkspaceId,
    states: readonly string[] | null,
    max: number,
  ): Promise<readonly ApprovalRecord[]>;
  /** Those whose time is over and that were not changed for it yet. */
  due(workspace: WorkspaceId, now: number): Promise<readonly ApprovalRecord[]>;
  /** How many wait, in all and of this caller. */
  waiting(workspace: WorkspaceId, requester: string): Promise<{ readonly all: number; readonly own: number }>;
  /** How many of this caller's were asked at this time or later, whatever became of them. */
  asked(workspace: WorkspaceId, requester: string, since: number): Promise<number>;
  /** Removes what is over and was changed last before this time. */
  prune(workspace: WorkspaceId, before: number): Promise<void>;
}

export function approvalRepository({ db, touched }: Scope): ApprovalRepository {
  return {
    async insert(workspace, approval) {
      const result = await db
        .insertInto('approvals')
        .values({ workspace, id: approval.id, ...columns(approval) })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      touched();
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },
    async replace(workspace, approval) {
      const result = await db
        .updateTable('approvals')
        .set(columns(approval))
        .where('workspace', '=', workspace)
        .where('id', '=', approval.id)
        .where('version', '=', approval.version - 1)
        .executeTakeFirst();
      touched();
      return result.numUpdatedRows > 0n;
    },
    async find(workspace, id) {
      const row = await db
        .selectFrom('approvals')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('id', '=', id)
        .executeTakeFirst();
      return row === undefined ? null : toRecord(row);
    },
    async ofRequest(workspace, hash, states) {
      const rows = await db
        .selectFrom('approvals')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('hash', '=', hash)
        .where('state', 'in', [...states])
        .orderBy('asked_at')
        .orderBy('id')
        .execute();
      return rows.map(toRecord);
    },
    async list(workspace, states, max) {
      const rows = await db
        .selectFrom('approvals')
        .selectAll()
        .where('workspace', '=', workspace)
        .$if(states !== null, (query) => query.where('state', 'in', [...(states ?? [])]))
        .orderBy('asked_at', 'desc')
        .orderBy('id')
        .limit(max)
        .execute();
      return rows.map(toRecord);
    },
    async due(workspace, now) {
      const rows = await db
        .selectFrom('approvals')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('state', 'in', ['pending', 'approved'])
        .where('ends_at', '<=', now)
        .orderBy('ends_at')
        .execute();
      return rows.map(toRecord);
    },
    async waiting(workspace, requester) {
      const rows = await db
        .selectFrom('approvals')
        .select(['requester', ({ fn }) => fn.countAll<number | string>().as('count')])
        .where('workspace', '=', workspace)
        .where('state', '=', 'pending')
        .groupBy('requester')
        .execute();
      // PostgreSQL counts in numbers that its driver gives as text.
      let [all, own] = [0, 0];
      for (const row of rows) {
        all += Number(row.count);
        if (row.requester === requester) own += Number(row.count);
      }
      return { all, own };
    },
    async asked(workspace, requester, since) {
      const row = await db
        .selectFrom('approvals')
        .select(({ fn }) => fn.countAll<number | string>().as('count'))
        .where('workspace', '=', workspace)
        // Named one by one, so that those of the last while are found without a look at all of them.
        .where('state', 'in', ['pending', 'approved', 'rejected', 'expired', 'revoked', 'executed'])
        .where('asked_at', '>=', since)
        .where('requester', '=', requester)
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    async prune(workspace, before) {
      const result = await db
        .deleteFrom('approvals')
        .where('workspace', '=', workspace)
        .where('state', 'not in', ['pending', 'approved'])
        .where('changed_at', '<', before)
        .executeTakeFirst();
      if (result.numDeletedRows > 0n) touched();
    },
  };
}

const columns = (approval: ApprovalRecord): Omit<ApprovalsTable, 'workspace' | 'id'> => ({
  state: approval.state,
  hash: approval.hash,
  requester: approval.requester,
  version: approval.version,
  asked_at: approval.askedAt,
  ends_at: approval.endsAt,
  changed_at: approval.changedAt,
  value: approval.value,
  data_key: approval.dataKey,
});

const toRecord = (row: ApprovalsTable): ApprovalRecord => ({
  id: row.id as ApprovalId,
  state: row.state,
  hash: row.hash,
  requester: row.requester,
  version: row.version,
  askedAt: row.asked_at,
  endsAt: row.ends_at,
  changedAt: row.changed_at,
  value: asBuffer(row.value),
  dataKey: asBuffer(row.data_key),
});
