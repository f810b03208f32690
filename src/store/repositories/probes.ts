import type { ServerId, WorkspaceId } from '../../kernel/index.ts';
import type { ProbeRecord } from '../records.ts';
import { fromJson, type Scope } from './scope.ts';

/** The last probe of each server. Goes with its server when that is removed. */
export interface ProbeRepository {
  /** Replaces the server's probe before. @throws AppError `store_conflict` when the server is gone */
  save(workspace: WorkspaceId, probe: ProbeRecord): Promise<void>;
  find(workspace: WorkspaceId, server: ServerId): Promise<ProbeRecord | null>;
}

export function probeRepository({ db }: Pick<Scope, 'db'>): ProbeRepository {
  return {
    async save(workspace, probe) {
      const values = {
        at: probe.at,
        manifest_hash: probe.manifestHash,
        report: JSON.stringify(probe.report),
      };
      await db
        .insertInto('probes')
        .values({ workspace, server_id: probe.server, ...values })
        .onConflict((conflict) => conflict.columns(['workspace', 'server_id']).doUpdateSet(values))
        .execute();
    },
    async find(workspace, server) {
      const row = await db
        .selectFrom('probes')
        .selectAll()
        .where('workspace', '=', workspace)
        .where('server_id', '=', server)
        .executeTakeFirst();
      if (row === undefined) return null;
      return {
        server,
        at: row.at,
        manifestHash: row.manifest_hash,
        report: fromJson(row.report, 'probes.report'),
      };
    },
  };
}
