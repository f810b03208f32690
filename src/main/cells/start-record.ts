/** What is put on record of a running server's beginning and end: in its own log, and in the audit log. */
import type { ServerRow } from '../../api/index.ts';
import type { AuditLog } from '../../audit/index.ts';
import { printable } from '../../cli/index.ts';
import type { CellId, Clock, WorkspaceId } from '../../kernel/index.ts';
import type { UpstreamExit } from '../../mcp/index.ts';
import type { CellKey } from './cell-key.ts';
import type { LogFiles } from './log-files.ts';

export function startedText({ profile, owner, shared }: CellKey): string {
  if (shared) return 'started for everybody';
  const whom = [
    ...(profile === null ? [] : [`profile ${profile}`]),
    ...(owner === null ? [] : [`user ${owner}`]),
  ];
  return whom.length === 0 ? 'started' : `started for ${whom.join(' and ')}`;
}

/** Sallyport's own words in the log of a server. */
export const noteIn =
  (
    { logs, clock }: { readonly logs: Pick<LogFiles, 'append'>; readonly clock: Clock },
    row: ServerRow,
    cell: CellId,
  ) =>
  (text: string): void =>
    logs.append(row.slug, { at: clock.now(), cell, from: 'sallyport', text: printable(text) });

interface RecordDeps {
  readonly audit: Pick<AuditLog, 'append'>;
  readonly workspace: WorkspaceId;
}

/** The cell is gone either way; a log that cannot be written stops the next start instead. */
export async function recordExit(
  { audit, workspace }: RecordDeps,
  row: ServerRow,
  id: CellId,
  { reason, code, signal, limit, byItself }: UpstreamExit & { readonly byItself: boolean },
): Promise<void> {
  await audit
    .append({
      workspace,
      type: 'cell.exited',
      actor: { kind: 'cell', id },
      server: row.slug,
      data: { reason, code, signal, limit: limit ?? null, byItself },
    })
    .catch(() => undefined);
}
