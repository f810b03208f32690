import type { Json, WorkspaceId } from '../../kernel/index.ts';
import type { UsageRecord } from '../records.ts';
import { fromJson, type Scope } from './scope.ts';

/** Whose calls, and what they are calls of. */
interface UsageCaller {
  /** `2026-11-21`. */
  readonly since: string;
  readonly by: { readonly user: string } | { readonly agent: string };
  readonly server?: string;
  readonly tool?: string;
}

/** Counts of what was called and sent, one row for each thing on each day. Nobody caches them. */
export interface UsageRepository {
  /** From one day to another, both included, the earliest first. */
  list(workspace: WorkspaceId, from: string, to: string): Promise<readonly UsageRecord[]>;
  /** All calls of a caller since a day, of one server and tool where they are named. */
  calls(workspace: WorkspaceId, of: UsageCaller): Promise<number>;
  /** Adds or replaces it. */
  save(workspace: WorkspaceId, record: UsageRecord): Promise<void>;
  /** Removes the days before this one. */
  forget(workspace: WorkspaceId, before: string): Promise<void>;
}

export function usageRepository({ db }: Scope): UsageRepository {
  return {
    async list(workspace, from, to) {
      const rows = await db
        .selectFrom('usage')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('day', '>=', from)
        .where('day', '<=', to)
        .orderBy('day')
        .execute();
      return rows.map(({ workspace: _workspace, counts, ...key }) => ({
        ...key,
        counts: fromJson(counts, 'usage.counts'),
      }));
    },
    async calls(workspace, { since, by, server, tool }) {
      let rows = db
        .selectFrom('usage')
        .select('counts')
        .where('workspace', '=', workspace)
        .where('day', '>=', since);
      rows = 'user' in by ? rows.where('actor', '=', `user:${by.user}`) : rows.where('agent', '=', by.agent);
      if (server !== undefined) rows = rows.where('server', '=', server);
      if (tool !== undefined) rows = rows.where('tool', '=', tool);
      return (await rows.execute()).reduce((sum, { counts }) => {
        const kept = fromJson(counts, 'usage.counts');
        const calls = typeof kept === 'object' && kept !== null && 'calls' in kept ? kept['calls'] : 0;
        return sum + Number(calls);
      }, 0);
    },
    async save(workspace, { counts, ...key }) {
      const text = JSON.stringify(counts satisfies Json);
      await db
        .insertInto('usage')
        .values({ workspace, ...key, counts: text })
        .onConflict((conflict) =>
          conflict
            .columns(['workspace', 'day', 'server', 'tool', 'agent', 'actor'])
            .doUpdateSet({ counts: text }),
        )
        .execute();
    },
    async forget(workspace, before) {
      await db.deleteFrom('usage').where('workspace', '=', workspace).where('day', '<', before).execute();
    },
  };
}
