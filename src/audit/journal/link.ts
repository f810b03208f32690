/** The near end of a journal's way into the chain: where it is written. */
import { AppError, type Log, type WorkspaceId } from '../../kernel/index.ts';
import type { ChainEnd } from '../chain-writer.ts';
import type { Checkpoint, EventRow } from '../ports.ts';
import type { RecorderListener } from '../recorder.ts';
import type { Ingested } from './ingester.ts';
import {
  type Answer,
  AT,
  type Channel,
  type Question,
  readNumber,
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

export function ingestLink(channel: Channel, numbers: SharedNumbers, log: Log): IngestLink {
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
    const answer = message as Answer; // written by `ingest-service.ts`
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

  /** What comes back is what the far end has for this question. */
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
      records: readNumber(numbers, AT.records),
      events: readNumber(numbers, AT.events),
      bytes: readNumber(numbers, AT.bytes),
    }),
    written(records, isUrgent) {
      writeNumber(numbers, AT.written, records);
      const wasAsleep =
        Atomics.load(numbers, AT.asleep) === 1n && Atomics.exchange(numbers, AT.asleep, 0n) === 1n;
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
