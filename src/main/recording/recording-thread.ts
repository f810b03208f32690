/**
 * The thread that masks, seals and stores what is recorded: all of it takes time, and the gateway's own thread serves. It is
 * begun with the first batch, since most gateways record nothing, and anew where it ended by itself: what it had then is lost,
 * and counted. The other end is `recording-writer.ts`.
 */
import { Worker } from 'node:worker_threads';
import { AppError, limits, type Secret, type WorkspaceId } from '../../kernel/index.ts';
import type { Batch, BatchOutcome, RecordingLink } from '../../recording/index.ts';

/** What the thread is started with. */
export interface RecordingThreadData {
  /** The database's file. */
  readonly database: string;
}

type SentPart = Omit<Batch['parts'][number], 'secret'> & {
  /** 32 bytes that the thread alone has. */
  readonly key: Uint8Array;
};

export type ToWriter =
  | { readonly kind: 'learn'; readonly workspace: WorkspaceId; readonly values: readonly Uint8Array[] }
  | { readonly kind: 'write'; readonly batch: Omit<Batch, 'parts'>; readonly parts: readonly SentPart[] }
  | { readonly kind: 'close' };

/** What came of a batch; `broken`: it could not be made into entries. */
export type FromWriter = BatchOutcome | { readonly broken: string };

export function recordingThread(
  database: string,
  memoryMib: number = limits.recordingThreadMib,
): RecordingLink {
  return new ThreadLink({ database }, memoryMib);
}

class ThreadLink implements RecordingLink {
  epoch = 0;
  readonly #place: RecordingThreadData;
  readonly #memoryMib: number;
  #worker: Worker | null = null;
  #waiting: PromiseWithResolvers<FromWriter> | null = null;

  constructor(place: RecordingThreadData, memoryMib: number) {
    this.#place = place;
    this.#memoryMib = memoryMib;
  }

  learn(workspace: WorkspaceId, values: readonly Secret[]): void {
    const sent = values.map((value) => new Uint8Array(value.bytes()));
    // Moved, not copied: the thread zeroes them.
    this.#post({ kind: 'learn', workspace, values: sent }, sent);
  }

  async write({ parts, ...batch }: Batch): Promise<BatchOutcome> {
    const keys: Uint8Array<ArrayBuffer>[] = [];
    const sent = parts.map(({ secret, ...part }) => {
      const key = new Uint8Array(secret.bytes());
      keys.push(key);
      return { ...part, key };
    });
    const waiting = Promise.withResolvers<FromWriter>();
    this.#waiting = waiting;
    this.#post({ kind: 'write', batch, parts: sent }, keys);
    const outcome = await waiting.promise;
    if ('broken' in outcome) throw new Error(outcome.broken);
    return outcome;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    this.#post({ kind: 'close' }, []);
    await ended;
  }

  #post(message: ToWriter, moved: readonly Uint8Array<ArrayBuffer>[]): void {
    this.#worker ??= this.#begun();
    this.#worker.postMessage(
      message,
      moved.map(({ buffer }) => buffer),
    );
  }

  #begun(): Worker {
    const isSource = import.meta.url.endsWith('.ts');
    const worker = new Worker(
      new URL(isSource ? './recording-writer.ts' : './recording-writer.js', import.meta.url),
      {
        name: 'recording-writer',
        workerData: this.#place,
        resourceLimits: { maxOldGenerationSizeMb: this.#memoryMib },
      },
    );
    let why = 'it ended by itself';
    worker.on('message', (outcome: FromWriter) => {
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting?.resolve(outcome);
    });
    worker.on('error', (error: Error) => {
      why = error.message;
    });
    worker.once('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.epoch += 1;
      this.#waiting?.reject(
        new AppError('recording_thread_ended', `The thread that writes recordings has ended: ${why}.`, {
          kind: 'unavailable',
        }),
      );
      this.#waiting = null;
    });
    return worker;
  }
}
