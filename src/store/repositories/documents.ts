import type { ServerId, WorkspaceId } from '../../kernel/index.ts';
import type { DocumentRecord } from '../records.ts';
import type { Scope } from './scope.ts';

/** The description that the tools of a server are made from, where it is an API. Goes with its server. */
export interface DocumentRepository {
  /** Replaces the server's document before. @throws AppError `store_conflict` when the server is gone */
  save(workspace: WorkspaceId, document: DocumentRecord): Promise<void>;
  find(workspace: WorkspaceId, server: ServerId): Promise<DocumentRecord | null>;
}

export function documentRepository({ db, touched }: Scope): DocumentRepository {
  return {
    async save(workspace, { server, hash, text }) {
      await db
        .insertInto('documents')
        .values({ workspace, server_id: server, hash, text })
        .onConflict((conflict) => conflict.columns(['workspace', 'server_id']).doUpdateSet({ hash, text }))
        .execute();
      touched();
    },
    async find(workspace, server) {
      const row = await db
        .selectFrom('documents')
        .select(['hash', 'text'])
        .where('workspace', '=', workspace)
        .where('server_id', '=', server)
        .executeTakeFirst();
      return row === undefined ? null : { server, ...row };
    },
  };
}
