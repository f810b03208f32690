import type { ServerId, WorkspaceId } from '../../kernel/index.ts';
import type { EraRecord } from '../records.ts';
import type { Scope } from './scope.ts';

/** Which revisions of the protocol each server was found to speak. Nothing depends on it but the time of its next start. */
export interface EraRepository {
  /** Replaces what was known of the server. @throws AppError `store_conflict` when the server is gone */
  save(workspace: WorkspaceId, era: EraRecord): Promise<void>;
  find(workspace: WorkspaceId, server: ServerId): Promise<EraRecord | null>;
}

export function eraRepository({ db }: Pick<Scope, 'db'>): EraRepository {
  return {
    async save(workspace, { server, key, era }) {
      await db
        .insertInto('eras')
        .values({ workspace, server_id: server, key, era })
        .onConflict((conflict) => conflict.columns(['workspace', 'server_id']).doUpdateSet({ key, era }))
        .execute();
    },
    async find(workspace, server) {
      const row = await db
        .selectFrom('eras')
        .select(['key', 'era'])
        .where('workspace', '=', workspace)
        .where('server_id', '=', server)
        .executeTakeFirst();
      return row === undefined ? null : { server, ...row };
    },
  };
}
