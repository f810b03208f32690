/**
 * Who takes a home's audit events in. Before anything else, what gateways that have died left in their journals comes
 * into the chain.
 */
import {
  createScribe,
  type Durability,
  ingestLink,
  journalKeys,
  journalRecorder,
  recoverJournals,
  type Recorder,
  type Scribe,
  sharedNumbers,
} from '../audit/index.ts';
import { type Clock, isAppError, type Log, type Random, Secret, type WorkspaceId } from '../kernel/index.ts';
import type { Store } from '../store/index.ts';
import { startAuditThread } from './audit-thread.ts';
import { homeJournals, type HomeJournals, type OwnJournal } from './journal-folder.ts';

export interface AuditRecording {
  /** The database's file, and the folder of the home's journals. */
  readonly database: string;
  readonly folder: string;
  readonly store: Store;
  readonly workspace: WorkspaceId;
  /** The audit key. Stays the caller's. */
  readonly key: Secret;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Where the chain itself cannot be trusted, nothing can be taken over, and `sallyport audit verify` must run. */
const CHAIN_CODES: readonly string[] = ['audit_head_forged', 'audit_rolled_back'];

/**
 * For what lives as long as a command: takes over what there is. @returns what writes to the chain itself
 * @throws AppError `audit_journal_busy`, `store_*`
 */
export async function recoveredScribe(recording: AuditRecording): Promise<Scribe> {
  const { folder, store } = recording;
  const journals = homeJournals(folder);
  const scribe = createScribe({ ...recording, store: store.audit });
  const isClean = journals.isUnused || journals.journals().length === 0;
  if (isClean && (await store.audit.journals()).length === 0) return scribe;
  await journals.alone(() => recover(recording, journals, scribe));
  return scribe;
}

/**
 * For what serves requests: a journal of its own, and a thread that brings it into the chain, begun anew where it
 * ends by itself. A thread takes longer to start than most commands take.
 *
 * @throws AppError `audit_journal_busy`, `store_*`
 */
export async function journaledRecorder(
  recording: AuditRecording,
  durability: Durability,
): Promise<Recorder> {
  const { folder, database, store, key, clock, log } = recording;
  const journals = homeJournals(folder);
  const own = await journals.alone(async () => {
    const scribe = createScribe({ ...recording, store: store.audit });
    await recover(recording, journals, scribe);
    await scribe.close();
    return begin(recording, journals);
  });
  const numbers = sharedNumbers();
  const place = { database, folder, journal: own.id, numbers };
  const threadKey = Secret.fromBytes(new Uint8Array(key.bytes()));
  return journalRecorder({
    journal: own.id,
    file: own.file,
    keys: journalKeys(key),
    link: ingestLink(() => startAuditThread(place, threadKey), numbers, log),
    durability,
    clock,
    log,
    onClosed() {
      threadKey.destroy();
      own.release();
    },
  });
}

async function recover(recording: AuditRecording, folder: HomeJournals, scribe: Scribe): Promise<void> {
  const { store, workspace, key, clock, log } = recording;
  const keys = journalKeys(key);
  try {
    await recoverJournals({ folder, store: store.audit, scribe, keys, workspace, clock, log });
  } catch (error) {
    if (!isAppError(error) || !CHAIN_CODES.includes(error.code)) throw error;
    log.error('audit_journal_left', { code: error.code });
  } finally {
    keys.destroy();
  }
}

/** The database knows a journal before there is anything in it. */
async function begin(
  { store, key, clock, random }: AuditRecording,
  journals: HomeJournals,
): Promise<OwnJournal> {
  const keys = journalKeys(key);
  const own = journals.begin(clock, random);
  try {
    await store.audit.putJournal(keys.signRow({ id: own.id, records: 0, closed: false }));
    return own;
  } catch (error) {
    own.file.close();
    own.release();
    throw error;
  } finally {
    keys.destroy();
  }
}
