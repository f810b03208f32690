/**
 * Has packages removed that no server names any more, now and then for as long as the gateway goes on. What every workspace
 * of the home needs is read anew each time; where that cannot be read whole, nothing is removed.
 */
import type { AuditLog } from '../../audit/index.ts';
import { AppError, type Json, limits, type Log, type WorkspaceId } from '../../kernel/index.ts';
import type { PackageStore } from '../../sandbox/index.ts';
import type { Store } from '../../store/index.ts';

export interface CollectorDeps {
  readonly store: {
    readonly workspaces: Pick<Store['workspaces'], 'list'>;
    readonly servers: Pick<Store['servers'], 'list'>;
  };
  readonly packages: Pick<PackageStore, 'collect'>;
  readonly audit: Pick<AuditLog, 'append'>;
  /** Where it is recorded. */
  readonly workspace: WorkspaceId;
  readonly log: Log;
}

/** @returns what ends it */
export function keepCollecting(deps: CollectorDeps): () => void {
  const collect = (): void => {
    collectUnused(deps).catch((error: unknown) =>
      deps.log.warn('package.collect_failed', { why: String(error) }),
    );
  };
  collect();
  const timer = setInterval(collect, limits.packageCollectIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

export async function collectUnused({
  store,
  packages,
  audit,
  workspace,
  log,
}: CollectorDeps): Promise<void> {
  const keep = new Set<string>();
  for (const { id } of await store.workspaces.list()) {
    for (const server of await store.servers.list(id)) {
      if (server.package !== null) keep.add(integrityOf(server.package));
    }
  }
  const { removed, bytes } = await packages.collect(keep);
  if (removed.length === 0) return;
  log.info('package.removed', { removed: [...removed], bytes });
  await audit.append({
    workspace,
    type: 'package.removed',
    actor: { kind: 'system', id: 'gateway' },
    data: { removed: [...removed], bytes },
  });
}

/** @throws AppError for what names no package: it may be one that must stay */
function integrityOf(kept: Json): string {
  const integrity = new Map<string, unknown>(Object.entries(kept ?? {})).get('integrity');
  if (typeof integrity === 'string') return integrity;
  throw new AppError('package_record_unreadable', 'The record of a package does not say which one it is.', {
    kind: 'failed',
  });
}
