/** The far end of a journal's way into the chain: looks for what was written, brings it in, and answers questions. */
import { limits, type Log, type LogFields, type WorkspaceId } from '../../kernel/index.ts';
import type { ChainEnd } from '../chain-writer.ts';
import type { AuditStore, Checkpoint } from '../ports.ts';
import type { Scribe, Written } from '../scribe.ts';
import type { JournalIngester } from './ingester.ts';
import {
  type Answer,
  AT,
  type Channel,
  plain,
  type Question,
  readNumber,
  type SharedNumbers,
  writeNumber,
} from './protocol.ts';
import type { JournalRecord } from './record.ts';

/** The log of the far end: its lines go to the near one, which has a place for them. */
export function channelLog(channel: Channel): Log {
  const to = (level: keyof Log) => (event: string, fields?: LogFields) =>
    channel.post({
      id: null,
      tell: 'log',
      level,
      event,
      ...(fields === undefined ? {} : { fields }),
    } satisfies Answer);
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
}

export interface IngesterService {
  readonly channel: Channel;
  readonly numbers: SharedNumbers;
  readonly store: AuditStore;
  readonly scribe: Scribe;
  readonly ingester: (onIngested: OnIngested) => JournalIngester;
  /** The journal is in the chain as a whole, and all of it on the disk. */
  readonly end: (records: number) => Promise<void>;
  /** Last of all, before the near end hears that it is over: nothing is used any more. */
  readonly onClosed: () => Promise<void>;
  readonly log: Log;
}

type OnIngested = (workspace: WorkspaceId, records: readonly JournalRecord[], written: Written) => void;

/** The far end: looks for what was written, and answers questions. Resolves when it was closed. */
export function serveIngester(service: IngesterService): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const server = new IngesterServer(service);
  service.channel.onMessage((message) => {
    const question = message as Question; // written by `link.ts`
    if (question.ask === 'wake') server.wake(question.isUrgent);
    else if (question.ask === 'tell') server.tellsAll = true;
    else {
      void server.answer(question).then(() => {
        if (question.ask === 'close') resolve();
      });
    }
  });
  return closed;
}

class IngesterServer {
  tellsAll = false;
  readonly #service: IngesterService;
  readonly #ingester: JournalIngester;
  #timer: NodeJS.Timeout | null = null;
  /** Passes take turns. */
  #last: Promise<void> = Promise.resolve();
  #idlePasses = 0;
  #hasFailed = false;
  #isClosed = false;

  constructor(service: IngesterService) {
    this.#service = service;
    this.#ingester = service.ingester((workspace, records, written) =>
      this.#ingested(workspace, records, written),
    );
    this.#rest();
  }

  wake(isUrgent: boolean): void {
    this.#idlePasses = 0;
    if (isUrgent) void this.#pass().catch(() => undefined);
    else this.#lookIn(limits.auditIngestEveryMs);
  }

  async answer(question: Exclude<Question, { id: null }>): Promise<void> {
    const { channel } = this.#service;
    const { id } = question;
    try {
      channel.post({ id, value: await this.#valueFor(question) } satisfies Answer);
    } catch (error) {
      channel.post({ id, error: plain(error) } satisfies Answer);
    }
  }

  async #valueFor(
    question: Exclude<Question, { id: null }>,
  ): Promise<ChainEnd | readonly Checkpoint[] | null> {
    const { scribe, store } = this.#service;
    if (question.ask === 'seen') return scribe.seen(question.workspace);
    if (question.ask === 'close') return this.#close();
    await this.#pass();
    if (question.onDisk) await store.sync();
    return null;
  }

  async #close(): Promise<readonly Checkpoint[]> {
    const { scribe, end, onClosed, log } = this.#service;
    let isWhole = true;
    try {
      await this.#pass();
    } catch {
      // Whoever opens the home next finds the rest where it is.
      isWhole = false;
    }
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const checkpoints = await scribe.close();
    if (isWhole) {
      await end(this.#ingester.ingested.records).catch((error: unknown) => {
        log.error('audit_journal_not_ended', { error: String(error) });
      });
    }
    await onClosed();
    return checkpoints;
  }

  /** Brings in what is there now. @throws whatever is in the way */
  #pass(): Promise<void> {
    this.#last = this.#last.then(
      () => this.#ingest(),
      () => this.#ingest(),
    );
    return this.#last;
  }

  async #ingest(): Promise<void> {
    const { channel, numbers } = this.#service;
    const before = this.#ingester.ingested.records;
    try {
      await this.#ingester.run(readNumber(numbers, AT.written));
      this.#publish();
      if (this.#hasFailed) channel.post({ id: null, tell: 'works' } satisfies Answer);
      this.#hasFailed = false;
    } catch (error) {
      this.#failed(error);
      throw error;
    }
    this.#idlePasses = this.#ingester.ingested.records === before ? this.#idlePasses + 1 : 0;
    if (this.#idlePasses < limits.auditIngestIdlePasses) this.#lookIn(limits.auditIngestEveryMs);
    else this.#rest();
  }

  /** Until it is woken. What was written before the near end could know is seen here. */
  #rest(): void {
    const { numbers } = this.#service;
    writeNumber(numbers, AT.asleep, 1);
    if (readNumber(numbers, AT.written) === this.#ingester.ingested.records) return;
    writeNumber(numbers, AT.asleep, 0);
    this.#lookIn(limits.auditIngestEveryMs);
  }

  #lookIn(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#pass().catch(() => undefined);
    }, delayMs);
  }

  #failed(error: unknown): void {
    const { channel, log } = this.#service;
    if (!this.#hasFailed) log.error('audit_ingest_failed', { error: String(error) });
    this.#hasFailed = true;
    channel.post({ id: null, tell: 'failed', error: plain(error) } satisfies Answer);
    this.#lookIn(limits.auditIngestRetryMs);
  }

  #publish(): void {
    const { numbers } = this.#service;
    const { records, events, bytes } = this.#ingester.ingested;
    writeNumber(numbers, AT.events, events);
    writeNumber(numbers, AT.bytes, bytes);
    writeNumber(numbers, AT.records, records);
  }

  #ingested(workspace: WorkspaceId, records: readonly JournalRecord[], { rows, checkpoint }: Written): void {
    const { channel } = this.#service;
    let at = 0;
    for (const record of records) {
      const end = at + record.events.length;
      if (record.isPlaceWanted) {
        channel.post({
          id: null,
          tell: 'placed',
          record: record.number,
          rows: rows.slice(at, end),
        } satisfies Answer);
      }
      at = end;
    }
    this.#publish();
    if (this.tellsAll) {
      channel.post({ id: null, tell: 'chained', workspace, rows, checkpoint } satisfies Answer);
    }
  }
}
