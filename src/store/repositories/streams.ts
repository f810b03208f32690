import type { WorkspaceId } from '../../kernel/index.ts';
import type { StreamRecord } from '../records.ts';
import { fromJson, type Scope } from './scope.ts';

/** How far each reader of the audit log has come. Written all the time, and not counted as a change. */
export interface StreamRepository {
  find(workspace: WorkspaceId, name: string): Promise<StreamRecord | null>;
  /** Adds or replaces it. */
  save(workspace: WorkspaceId, stream: StreamRecord): Promise<void>;
}

export function streamRepository({ db }: Scope): StreamRepository {
  return {
    async find(workspace, name) {
      const row = await db
        .selectFrom('streams')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('name', '=', name)
        .executeTakeFirst();
      if (row === undefined) return null;
      return {
        name,
        sequence: row.sequence,
        state: fromJson(row.state, 'streams.state'),
        updatedAt: row.updated_at,
      };
    },
    async save(workspace, { name, sequence, state, updatedAt }) {
      const values = { sequence, state: JSON.stringify(state), updated_at: updatedAt };
      await db
        .insertInto('streams')
        .values({ workspace, name, ...values })
        .onConflict((conflict) => conflict.columns(['workspace', 'name']).doUpdateSet(values))
        .execute();
    },
  };
}
