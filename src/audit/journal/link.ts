/**
 * The near end of a journal's way into the chain: where it is written. A far end that dies, or cannot begin, is begun anew
 * after a while, and finds in the journal and the database how far it had come.
 */
import { AppError, limits, type Log, type WorkspaceId } from '../../kernel/index.ts';
import type { ChainEnd } from '../chain-writer.ts';
import type { Checkpoint, EventRow } from '../ports.ts';
import type { RecorderListener } from '../recorder.ts';
import type { Ingested } from './ingester.ts';
import {
  type Answer,
  AT,
  type Channel,
  type Question,
  ingestedIn,
  revived,
  type SharedNumbers,
  writeNumber,
} from './protocol.ts';

interface LinkListener {
  readonly onChained: RecorderListener['onChained'];
  /** Rows of a record whose author waits for them. */
  readonly onPlaced: (record: number, rows: readonly EventRow[]) => void;
  /** The chain does not take the journal at the moment. */
  readonly onFailed: (cause: AppError) => void;
}

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

/** @param begin the far end, with the same `numbers`; may throw what keeps it from beginning */
export function ingestLink(begin: () => Channel, numbers: SharedNumbers, log: Log): IngestLink {
  const link = new Link(begin, numbers, log);
  link.begin();
  return link;
}

class Link implements IngestLink {
  failure: AppError | null = null;
  readonly #begin: () => Channel;
  readonly #numbers: SharedNumbers;
  readonly #log: Log;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;
  #listener: LinkListener | null = null;
  /** Null while there is no far end. */
  #channel: Channel | null = null;
  #isClosing = false;
  #restart: NodeJS.Timeout | null = null;
  #restartMs: number = limits.auditWriterRestartMs;

  constructor(begin: () => Channel, numbers: SharedNumbers, log: Log) {
    this.#begin = begin;
    this.#numbers = numbers;
    this.#log = log;
  }

  begin(): void {
    try {
      const channel = this.#begin();
      channel.onMessage((message) => this.#received(message as Answer)); // written by `ingest-service.ts`
      channel.onEnd((cause) => this.#ended(cause));
      this.#channel = channel;
    } catch (error) {
      this.#ended(error instanceof Error ? error : new Error('it did not begin', { cause: error }));
    }
  }

  ingested(): Ingested {
    return ingestedIn(this.#numbers);
  }

  written(records: number, isUrgent: boolean): void {
    const numbers = this.#numbers;
    writeNumber(numbers, AT.written, records);
    const wasAsleep =
      Atomics.load(numbers, AT.asleep) === 1n && Atomics.exchange(numbers, AT.asleep, 0n) === 1n;
    if (wasAsleep || isUrgent) this.#post({ id: null, ask: 'wake', isUrgent });
  }

  settle(onDisk: boolean): Promise<void> {
    return this.#ask((id) => ({ id, ask: 'settle', onDisk }));
  }

  seen(workspace: WorkspaceId): Promise<ChainEnd | null> {
    return this.#ask((id) => ({ id, ask: 'seen', workspace }));
  }

  listen(listener: LinkListener): void {
    this.#listener = listener;
    this.#askForAll();
  }

  close(): Promise<readonly Checkpoint[]> {
    this.#isClosing = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    return this.#ask((id) => ({ id, ask: 'close' }));
  }

  #askForAll(): void {
    const listener = this.#listener;
    if (listener !== null && listener.onChained !== null) this.#post({ id: null, ask: 'tell' });
  }

  #post(question: Question): void {
    this.#channel?.post(question);
  }

  /** What comes back is what the far end has for this question. */
  #ask<T>(question: (id: number) => Question): Promise<T> {
    if (this.#channel === null && this.failure !== null) return Promise.reject(this.failure);
    this.#lastId += 1;
    const asked = Promise.withResolvers<T>();
    this.#waiting.set(this.#lastId, asked as PromiseWithResolvers<unknown>);
    this.#post(question(this.#lastId));
    return asked.promise;
  }

  #received(answer: Answer): void {
    if (answer.id === null) {
      this.#told(answer);
      return;
    }
    const asked = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) asked?.reject(revived(answer.error));
    else asked?.resolve(answer.value);
  }

  #told(answer: Extract<Answer, { id: null }>): void {
    if (answer.tell === 'log') this.#log[answer.level](answer.event, answer.fields);
    else if (answer.tell === 'placed') this.#listener?.onPlaced(answer.record, answer.rows);
    else if (answer.tell === 'chained') {
      this.#listener?.onChained?.(answer.workspace, answer.rows, answer.checkpoint);
    } else if (answer.tell === 'failed') this.#failed(revived(answer.error));
    else this.#works();
  }

  #works(): void {
    this.failure = null;
    this.#restartMs = limits.auditWriterRestartMs;
  }

  #failed(cause: AppError): void {
    this.failure = cause;
    this.#listener?.onFailed(cause);
  }

  /** @param cause null where that was to be */
  #ended(cause: Error | null): void {
    this.#channel = null;
    const gone = writerGone(cause);
    this.#failed(gone);
    for (const { reject } of this.#waiting.values()) reject(gone);
    this.#waiting.clear();
    if (this.#isClosing && cause === null) return;
    this.#log.error('audit_writer_gone', { error: String(cause) });
    if (this.#isClosing) return;
    this.#restart = setTimeout(() => this.#beginAnew(), this.#restartMs);
    this.#restart.unref();
    this.#restartMs = Math.min(2 * this.#restartMs, limits.auditWriterRestartMsMax);
  }

  /** Nothing is recorded until it has brought in what there is. */
  #beginAnew(): void {
    this.begin();
    if (this.#channel === null) return;
    this.#askForAll();
    this.settle(false).then(
      () => {
        this.#works();
        this.#log.info('audit_writer_back');
      },
      () => undefined, // it has said why, and tells when that is over; or it is gone again
    );
  }
}

const writerGone = (cause: Error | null): AppError =>
  new AppError('audit_writer_gone', 'The thread that writes the audit log has ended.', {
    kind: 'unavailable',
    hint: "It is started again by itself; the gateway's log says what ended it. If it stays so, restart Sallyport.",
    cause,
  });
