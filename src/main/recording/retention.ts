/** Removes recordings that are too old, and the oldest while there is too much of them; now and then, and on record. */
import type { AuditLog } from '../../audit/index.ts';
import { type Clock, limits, type Log, type WorkspaceId } from '../../kernel/index.ts';
import type { Store } from '../../store/index.ts';

export interface RetentionDeps {
  readonly workspace: WorkspaceId;
  readonly recordings: Pick<Store['recordings'], 'sizes' | 'remove'>;
  readonly audit: Pick<AuditLog, 'append'>;
  /** Null: for ever. */
  readonly keepDays: number | null;
  readonly keepMiB: number | null;
  /** Sessions that may still grow here: they stay. */
  readonly growing: () => ReadonlySet<string>;
  readonly clock: Clock;
  readonly log: Log;
}

const DAY_MS = 86_400_000;
const MIB = 1_048_576;

/** @returns what ends it */
export function keepRetention(deps: RetentionDeps): () => void {
  const sweep = (): void => {
    sweepRecordings(deps).catch((error: unknown) =>
      deps.log.warn('recording.sweep_failed', { why: String(error) }),
    );
  };
  sweep();
  const timer = setInterval(sweep, limits.recordingSweepIntervalMs).unref();
  return () => clearInterval(timer);
}

export async function sweepRecordings(deps: RetentionDeps): Promise<void> {
  const { workspace, recordings, audit, keepDays, keepMiB, clock } = deps;
  const growing = deps.growing();
  const lately = clock.now() - limits.recordingElsewhereMs;
  const all = await recordings.sizes(workspace);
  const bytesMax = keepMiB === null ? Infinity : keepMiB * MIB;
  const before = keepDays === null ? -Infinity : clock.now() - keepDays * DAY_MS;
  let bytes = all.reduce((sum, one) => sum + one.bytes, 0);
  for (const one of all) {
    const reason = one.updatedAt < before ? 'age' : bytes > bytesMax ? 'size' : null;
    if (reason === null) break;
    if (growing.has(one.id) || (one.endedAt === null && one.updatedAt > lately)) continue;
    await audit.append({
      workspace,
      type: 'recording.removed',
      actor: { kind: 'system', id: 'gateway' },
      data: { recording: one.id, reason, bytes: one.bytes },
    });
    await recordings.remove(workspace, one.id);
    bytes -= one.bytes;
  }
}
