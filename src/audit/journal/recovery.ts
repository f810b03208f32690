/**
 * What a gateway does first: bring into the chain what gateways that have died left in their journals, in the order in
 * which those were begun, and each record once. What is not theirs, or not as they wrote it, is put on record and kept
 * aside; it is never taken over, and never passed over in silence.
 *
 * Whoever runs it has the folder for itself (`JournalFolder`), so that no journal is begun meanwhile.
 */
import { type Clock, isAppError, limits, type Log, type WorkspaceId } from '../../kernel/index.ts';
import { prepareEvent } from '../canonical.ts';
import type { AuditStore, JournalRow } from '../ports.ts';
import type { Scribe } from '../scribe.ts';
import { type IngesterDeps, JournalIngester, journalForged } from './ingester.ts';
import type { JournalKeys } from './keys.ts';
import type { JournalFolder } from './ports.ts';

export interface RecoveryDeps {
  readonly folder: JournalFolder;
  readonly store: AuditStore;
  readonly scribe: Scribe;
  readonly keys: JournalKeys;
  /** Whose chain says what was wrong with a journal. */
  readonly workspace: WorkspaceId;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws whatever keeps the store or a chain from taking what is there: then it stays where it is */
export async function recoverJournals(deps: RecoveryDeps): Promise<void> {
  const { folder, store } = deps;
  const journals = new Set([...folder.journals(), ...(await store.journals()).map(({ id }) => id)]);
  for (const journal of [...journals].toSorted()) {
    if (!folder.isName(journal)) {
      await refuseName(deps, journal);
      continue;
    }
    const claim = folder.claim(journal);
    if (claim === null) continue;
    try {
      // What is known of it is asked for now: until it was claimed, its gateway could still end it.
      const row = (await store.journals()).find(({ id }) => id === journal);
      await recover(deps, journal, row);
    } finally {
      claim.release();
    }
  }
}

/** The end of a journal whose records are all in the chain, and on the disk there. */
export async function endJournal(
  { source, store, keys }: Pick<IngesterDeps, 'source' | 'store' | 'keys'>,
  journal: string,
  records: number,
): Promise<void> {
  await store.sync();
  // In this order, on the disk too: whatever is there after a crash in between says by itself what is left to do.
  await store.putJournal(keys.signRow({ id: journal, records, closed: true }));
  await store.sync();
  for (const segment of source.segments()) source.remove(segment);
  await store.forgetJournal(journal);
}

async function recover(deps: RecoveryDeps, journal: string, row: JournalRow | undefined): Promise<void> {
  const { folder, store, scribe, keys, log } = deps;
  const source = folder.source(journal);
  const segments = source.segments();
  try {
    if (row === undefined) {
      // One that was just about to begin has nothing in it.
      if (segments.some((segment) => source.read(segment, 0, 1).length > 0))
        throw journalForged(journal, 'row', 0);
      for (const segment of segments) source.remove(segment);
      return;
    }
    if (!keys.isRowGenuine(row)) throw journalForged(journal, 'row', 0);
    if (!row.closed && segments.length === 0) throw journalForged(journal, 'gap', row.records);
    let { records } = row;
    if (!row.closed) {
      const ingester = new JournalIngester({ journal, source, keys, store, scribe });
      await ingester.run();
      ({ records } = ingester.ingested);
      const torn = ingester.torn();
      log.info('audit_journal_recovered', { journal, records: records - row.records, tornBytes: torn });
    }
    await endJournal({ source, store, keys }, journal, records);
  } catch (error) {
    if (!isAppError(error) || error.code !== 'audit_journal_forged') throw error;
    await reject(deps, journal, error.detail ?? {});
  }
}

type Detail = NonNullable<ReturnType<typeof journalForged>['detail']>;

/** On record first: a crash in between puts it there twice. */
async function reject(deps: RecoveryDeps, journal: string, detail: Detail): Promise<void> {
  await tell(deps, detail);
  deps.folder.setAside(journal);
  await deps.store.forgetJournal(journal);
}

/** There is no such file that could be a journal's, and none is looked for. */
async function refuseName(deps: RecoveryDeps, journal: string): Promise<void> {
  const shown = journal.slice(0, limits.auditJournalNameShownChars).toWellFormed();
  await tell(deps, { journal: shown, fault: 'row', record: 0 });
  await deps.store.forgetJournal(journal);
}

async function tell({ store, scribe, workspace, clock, log }: RecoveryDeps, detail: Detail): Promise<void> {
  log.error('audit_journal_forged', detail);
  const event = {
    workspace,
    type: 'audit.journal_forged' as const,
    actor: { kind: 'system' as const, id: 'gateway' },
    data: detail,
  };
  await scribe.write(workspace, [prepareEvent(event, Math.floor(clock.now()))]);
  await store.sync();
}
