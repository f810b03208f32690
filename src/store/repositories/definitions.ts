import { limits, type ServerId, type WorkspaceId } from '../../kernel/index.ts';
import type { DefinitionPlace, DefinitionRecord } from '../records.ts';
import type { Scope } from './scope.ts';

/** What each server shows to agents, and what was decided about it. Goes with its server when that is removed. */
export interface DefinitionRepository {
  /** By kind, name and state. @param state of those that are wanted; absent: of all */
  list(
    workspace: WorkspaceId,
    server: ServerId,
    state?: DefinitionRecord['state'],
  ): Promise<readonly DefinitionRecord[]>;
  /**
   * Each replaces the one in its place. In a transaction all of them are saved or none.
   *
   * @throws AppError `store_conflict` when the server is gone
   */
  save(workspace: WorkspaceId, definitions: readonly DefinitionRecord[]): Promise<void>;
  /** @returns whether there was one */
  remove(workspace: WorkspaceId, place: DefinitionPlace): Promise<boolean>;
}

export function definitionRepository({ db, touched }: Scope): DefinitionRepository {
  return {
    async list(workspace, server, state) {
      const all = db
        .selectFrom('definitions')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('server_id', '=', server);
      const rows = await (state === undefined ? all : all.where('state', '=', state))
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
    async save(workspace, definitions) {
      for (let from = 0; from < definitions.length; ) {
        // Full ones and single ones, so that there are no more than two statements to be compiled.
        const isFull = definitions.length - from >= limits.storeRowsPerStatement;
        const some = definitions.slice(from, from + (isFull ? limits.storeRowsPerStatement : 1));
        from += some.length;
        await db
          .insertInto('definitions')
          .values(some.map(({ server, ...values }) => ({ workspace, server_id: server, ...values })))
          .onConflict((conflict) =>
            conflict.columns(['workspace', 'server_id', 'kind', 'name', 'state']).doUpdateSet((values) => ({
              hash: values.ref('excluded.hash'),
              text: values.ref('excluded.text'),
              at: values.ref('excluded.at'),
              by: values.ref('excluded.by'),
            })),
          )
          .execute();
      }
      if (definitions.length > 0) touched();
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
