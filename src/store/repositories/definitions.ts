import type { ServerId, WorkspaceId } from '../../kernel/index.ts';
import type { DefinitionPlace, DefinitionRecord } from '../records.ts';
import type { Scope } from './scope.ts';

/** What each server shows to agents, and what was decided about it. Goes with its server when that is removed. */
export interface DefinitionRepository {
  /** By kind, name and state. */
  list(workspace: WorkspaceId, server: ServerId): Promise<readonly DefinitionRecord[]>;
  /** Replaces the one in the same place. @throws AppError `store_conflict` when the server is gone */
  save(workspace: WorkspaceId, definition: DefinitionRecord): Promise<void>;
  /** @returns whether there was one */
  remove(workspace: WorkspaceId, place: DefinitionPlace): Promise<boolean>;
}

export function definitionRepository({ db, touched }: Scope): DefinitionRepository {
  return {
    async list(workspace, server) {
      const rows = await db
        .selectFrom('definitions')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('server_id', '=', server)
        .orderBy('kind')
        .orderBy('name')
        .orderBy('state')
        .execute();
      return rows.map(({ kind, name, state, hash, text, at, by }) => ({
        server,
        kind,
        name,
        state,
        hash,
        text,
        at,
        by,
      }));
    },
    async save(workspace, { server, kind, name, state, ...values }) {
      await db
        .insertInto('definitions')
        .values({ workspace, server_id: server, kind, name, state, ...values })
        .onConflict((conflict) =>
          conflict.columns(['workspace', 'server_id', 'kind', 'name', 'state']).doUpdateSet(values),
        )
        .execute();
      touched();
    },
    async remove(workspace, { server, kind, name, state }) {
      const result = await db
        .deleteFrom('definitions')
        .where('workspace', '=', workspace)
        .where('server_id', '=', server)
        .where('kind', '=', kind)
        .where('name', '=', name)
        .where('state', '=', state)
        .executeTakeFirst();
      touched();
      return result.numDeletedRows > 0n;
    },
  };
}
