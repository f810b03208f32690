/**
 * Brings a journal into the chains, in order and exactly once: how far it has come changes in the same transaction as
 * the chain does. It trusts neither the files nor the database, but their MACs.
 */
import { AppError, limits, type WorkspaceId } from '../../kernel/index.ts';
import type { AuditStore } from '../ports.ts';
import type { Scribe, Written } from '../scribe.ts';
import type { JournalKeys } from './keys.ts';
import type { JournalSource } from './ports.ts';
import { type JournalFault, JournalReader } from './reader.ts';
import type { JournalRecord } from './record.ts';

export interface IngesterDeps {
  /** Its id. */
  readonly journal: string;
  readonly source: JournalSource;
  readonly keys: JournalKeys;
  readonly store: AuditStore;
  readonly scribe: Scribe;
  /** How far an ingester of this journal had come before, which is no more; default: there was none. */
  readonly before?: Ingested;
  /** After each transaction. Must not throw. */
  readonly onIngested?: (workspace: WorkspaceId, records: readonly JournalRecord[], written: Written) => void;
}

/** How far the chain has come. */
export interface Ingested {
  readonly records: number;
  readonly events: number;
  readonly bytes: number;
}

export class JournalIngester {
  readonly #deps: IngesterDeps;
  /** Null when it has to be looked up how far the chain has come. */
  #reader: JournalReader | null = null;
  /** Records that are in the chain: those with a lower number. */
  #ingested = 0;
  /** Number of the record that is read next. */
  #next = 0;
  /** Read already, and part of the next transaction. */
  #ahead: JournalRecord | null = null;
  /** Every record that came by, once. */
  readonly #counted: { -readonly [Key in keyof Ingested]: Ingested[Key] };
  /** What was found behind the last record that was read. Those before it come in all the same. */
  #fault: AppError | null = null;
  /** The first segment that may still be there. */
  #oldest = 0;

  constructor(deps: IngesterDeps) {
    this.#deps = deps;
    this.#counted = { records: 0, events: 0, bytes: 0, ...deps.before };
    this.#ingested = this.#counted.records;
  }

  /** Records that are in the chain, as far as is known, and the events and bytes of those that this process brought there. */
  get ingested(): Ingested {
    return { ...this.#counted, records: this.#ingested };
  }

  /**
   * Brings in every record with a lower number than this; default: all that there are.
   *
   * @throws AppError `audit_journal_forged`; whatever keeps the store or the chain from taking them
   */
  async run(until: number = Infinity): Promise<void> {
    try {
      const reader = this.#reader ?? (await this.#resume());
      for (;;) {
        const records = this.#collect(reader, until);
        const [first] = records;
        if (first === undefined) break;
        await this.#write(first.workspace, records);
        await this.#removeBefore(reader.segment);
      }
      if (this.#fault !== null) throw this.#fault;
      if (until !== Infinity && this.#next < until)
        throw journalForged(this.#deps.journal, 'gap', this.#next);
    } catch (error) {
      this.#reader = null;
      throw error;
    }
  }

  /** After `run` of everything: bytes that a crash left behind the last record. @throws AppError `audit_journal_forged` */
  torn(): number {
    const rest = this.#reader?.rest();
    if (rest === undefined) return 0;
    if (!rest.ok) throw journalForged(this.#deps.journal, rest.error, this.#next);
    return rest.value;
  }

  async #resume(): Promise<JournalReader> {
    const { journal, source, keys, store } = this.#deps;
    const row = (await store.journals()).find(({ id }) => id === journal);
    // One that was genuine once stays so: whoever copied it can put it back, and have events come in again.
    const isOurs = row !== undefined && keys.isRowGenuine(row) && row.records >= this.#ingested;
    if (!isOurs || row.closed) throw journalForged(journal, 'row', this.#ingested);
    this.#ingested = this.#next = row.records;
    this.#ahead = this.#fault = null;
    this.#reader = new JournalReader(journal, source, keys);
    this.#oldest = this.#reader.segment;
    return this.#reader;
  }

  /** The next records of one workspace, up to a limit. */
  #collect(reader: JournalReader, until: number): readonly JournalRecord[] {
    const records: JournalRecord[] = [];
    let events = 0;
    while (events < limits.auditBatchEventsMax) {
      const record = this.#ahead ?? this.#read(reader, until);
      this.#ahead = record;
      if (record === null || record.workspace !== (records[0] ?? record).workspace) break;
      this.#ahead = null;
      records.push(record);
      events += record.events.length;
    }
    return records;
  }

  #read(reader: JournalReader, until: number): JournalRecord | null {
    while (this.#fault === null && this.#next < until) {
      const read = reader.next();
      if (!read.ok) return this.#failed(read.error);
      const record = read.value;
      if (record === null) return null;
      if (record.number > this.#next) return this.#failed('gap');
      if (record.number === this.#next) {
        this.#next += 1;
        return record;
      }
      // It is in the chain already, and comes by again because the journal is read from its first segment on.
      this.#count(record);
    }
    return null;
  }

  #failed(fault: JournalFault): null {
    this.#fault = journalForged(this.#deps.journal, fault, this.#next);
    return null;
  }

  async #write(workspace: WorkspaceId, records: readonly JournalRecord[]): Promise<void> {
    const { journal, keys, scribe, onIngested } = this.#deps;
    const from = this.#ingested;
    const row = keys.signRow({ id: journal, records: from + records.length, closed: false });
    const events = records.flatMap((record) => record.events);
    const written = await scribe.write(workspace, events, { from, row });
    this.#ingested = row.records;
    for (const record of records) this.#count(record);
    onIngested?.(workspace, records, written);
  }

  #count({ number, events, bytes }: JournalRecord): void {
    if (number < this.#counted.records) return;
    this.#counted.records = number + 1;
    this.#counted.events += events.length;
    this.#counted.bytes += bytes;
  }

  /** Segments that are in the chain as a whole. That goes to the disk first. */
  async #removeBefore(segment: number): Promise<void> {
    if (this.#oldest === segment) return;
    await this.#deps.store.sync();
    for (; this.#oldest < segment; this.#oldest += 1) this.#deps.source.remove(this.#oldest);
  }
}

const FAULTS: Readonly<Record<JournalFault | 'row', string>> = {
  forged: 'it was changed or damaged',
  gap: 'records of it are missing',
  row: 'the database knows another state of it',
};

/** @param record number of the first one that is not what it should be */
export const journalForged = (journal: string, fault: JournalFault | 'row', record: number): AppError =>
  new AppError('audit_journal_forged', `The audit journal ${journal} cannot be trusted: ${FAULTS[fault]}.`, {
    kind: 'failed',
    hint: 'Restart Sallyport, which sets the journal aside, and run `sallyport audit verify`.',
    detail: { journal, fault, record },
  });
