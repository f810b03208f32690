/**
 * Between the thread that writes a journal and the one that brings it into the chain: numbers in shared memory that
 * both look at when they please, and messages for the rest. Both ends are this module. Nothing is sent for a record:
 * the far end looks by itself while there is something to do, and is woken when there was nothing.
 */
import {
  AppError,
  type AppErrorKind,
  isAppError,
  type JsonObject,
  limits,
  type Log,
  type LogFields,
  type WorkspaceId,
} from '../../kernel/index.ts';
import type { ChainEnd } from '../chain-writer.ts';
import type { AuditStore, Checkpoint, EventRow } from '../ports.ts';
import type { RecorderListener } from '../recorder.ts';
import type { Scribe, Written } from '../scribe.ts';
import type { Ingested, JournalIngester } from './ingester.ts';
import type { JournalRecord } from './record.ts';

/** A pair of ends that carry structured clones, in order; `worker_threads` has them. */
export interface Channel {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** The other end is gone, or broken; null when that was to be. At most once. */
  onEnd(listener: (error: Error | null) => void): void;
}

interface LinkListener {
  readonly onChained: RecorderListener['onChained'];
  /** Rows of a record whose author waits for them. */
  readonly onPlaced: (record: number, rows: readonly EventRow[]) => void;
  /** The chain does not take the journal at the moment. */
  readonly onFailed: (cause: AppError) => void;
}

/** The near end: where the journal is written. */
export interface IngestLink {
  /** Why the journal does not get into the chain at the moment; null while it does. */
  readonly failure: AppError | null;
  ingested(): Ingested;
  /** @param records how many are in the file now. @param isUrgent somebody waits until the last one is in the chain */
  written(records: number, isUrgent: boolean): void;
  /** Resolves when everything that was written is in the chain, and on the disk there if so asked. @throws AppError with the code of what is in the way */
  settle(onDisk: boolean): Promise<void>;
  seen(workspace: WorkspaceId): Promise<ChainEnd | null>;
  listen(listener: LinkListener): void;
  /** Brings in what is left, and ends the journal if that goes well. */
  close(): Promise<readonly Checkpoint[]>;
}

/** Places in the shared memory. */
const WRITTEN = 0;
const RECORDS = 1;
const EVENTS = 2;
const BYTES = 3;
const ASLEEP = 4;
const NUMBERS = 5;

export const sharedNumbers = (): BigInt64Array<SharedArrayBuffer> =>
  new BigInt64Array(new SharedArrayBuffer(NUMBERS * BigInt64Array.BYTES_PER_ELEMENT));

type Numbers = BigInt64Array<SharedArrayBuffer>;

type Question =
  | { readonly id: null; readonly ask: 'wake'; readonly isUrgent: boolean }
  | { readonly id: null; readonly ask: 'tell' }
  | { readonly id: number; readonly ask: 'settle'; readonly onDisk: boolean }
  | { readonly id: number; readonly ask: 'seen'; readonly workspace: WorkspaceId }
  | { readonly id: number; readonly ask: 'close' };

type Answer =
  | { readonly id: number; readonly value: ChainEnd | readonly Checkpoint[] | null }
  | { readonly id: number; readonly error: PlainError }
  | {
      readonly id: null;
      readonly tell: 'log';
      readonly level: keyof Log;
      readonly event: string;
      readonly fields?: LogFields;
    }
  | {
      readonly id: null;
      readonly tell: 'placed';
      readonly record: number;
      readonly rows: readonly EventRow[];
    }
  | {
      readonly id: null;
      readonly tell: 'chained';
      readonly workspace: WorkspaceId;
      readonly rows: readonly EventRow[];
      readonly checkpoint: Checkpoint | null;
    }
  | { readonly id: null; readonly tell: 'failed'; readonly error: PlainError }
  | { readonly id: null; readonly tell: 'works' };

/** Classes do not survive the way. */
interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly kind: AppErrorKind;
  readonly hint: string | undefined;
  readonly detail: JsonObject | undefined;
}

export function ingestLink(channel: Channel, numbers: Numbers, log: Log): IngestLink {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let failure: AppError | null = null;
  let isGone = false;
  let lastId = 0;
  let listener: LinkListener | null = null;

  function failed(cause: AppError): void {
    failure = cause;
    listener?.onFailed(cause);
  }

  function told(answer: Extract<Answer, { id: null }>): void {
    if (answer.tell === 'log') log[answer.level](answer.event, answer.fields);
    else if (answer.tell === 'placed') listener?.onPlaced(answer.record, answer.rows);
    else if (answer.tell === 'chained') {
      listener?.onChained?.(answer.workspace, answer.rows, answer.checkpoint);
    } else if (answer.tell === 'failed') failed(revived(answer.error));
    else failure = null;
  }

  channel.onMessage((message) => {
    const answer = message as Answer; // written by `serveIngester`, below
    if (answer.id === null) {
      told(answer);
      return;
    }
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('error' in answer) asked?.reject(revived(answer.error));
    else asked?.resolve(answer.value);
  });
  channel.onEnd((cause) => {
    isGone = true;
    const gone = new AppError('audit_writer_gone', 'The thread that writes the audit log has ended.', {
      kind: 'failed',
      hint: 'Restart Sallyport.',
      cause,
    });
    if (cause !== null) log.error('audit_writer_gone', { error: String(cause) });
    failed(gone);
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  });

  /** What comes back is what `serveIngester` has for this question. */
  function ask<T>(question: (id: number) => Question): Promise<T> {
    if (isGone && failure !== null) return Promise.reject(failure);
    lastId += 1;
    const asked = Promise.withResolvers<T>();
    waiting.set(lastId, asked as PromiseWithResolvers<unknown>);
    channel.post(question(lastId));
    return asked.promise;
  }

  return {
    get failure() {
      return failure;
    },
    ingested: () => ({
      records: Number(Atomics.load(numbers, RECORDS)),
      events: Number(Atomics.load(numbers, EVENTS)),
      bytes: Number(Atomics.load(numbers, BYTES)),
    }),
    written(records, isUrgent) {
      Atomics.store(numbers, WRITTEN, BigInt(records));
      const wasAsleep = Atomics.load(numbers, ASLEEP) === 1n && Atomics.exchange(numbers, ASLEEP, 0n) === 1n;
      if (wasAsleep || isUrgent) channel.post({ id: null, ask: 'wake', isUrgent } satisfies Question);
    },
    settle: (onDisk) => ask((id) => ({ id, ask: 'settle', onDisk })),
    seen: (workspace) => ask((id) => ({ id, ask: 'seen', workspace })),
    listen(to) {
      listener = to;
      if (to.onChained !== null) channel.post({ id: null, ask: 'tell' } satisfies Question);
    },
    close: () => ask((id) => ({ id, ask: 'close' })),
  };
}

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
  readonly numbers: Numbers;
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
    const question = message as Question; // written by `ingestLink`, above
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
      await this.#ingester.run(Number(Atomics.load(numbers, WRITTEN)));
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
    Atomics.store(numbers, ASLEEP, 1n);
    if (Number(Atomics.load(numbers, WRITTEN)) === this.#ingester.ingested.records) return;
    Atomics.store(numbers, ASLEEP, 0n);
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
    Atomics.store(numbers, EVENTS, BigInt(events));
    Atomics.store(numbers, BYTES, BigInt(bytes));
    Atomics.store(numbers, RECORDS, BigInt(records));
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

function plain(error: unknown): PlainError {
  if (isAppError(error)) {
    const { code, message, kind, hint, detail } = error;
    return { code, message, kind, hint, detail };
  }
  return {
    code: 'internal_error',
    message: String(error),
    kind: 'failed',
    hint: undefined,
    detail: undefined,
  };
}

const revived = ({ code, message, kind, hint, detail }: PlainError): AppError =>
  new AppError(code, message, {
    kind,
    ...(hint === undefined ? {} : { hint }),
    ...(detail === undefined ? {} : { detail }),
  });
