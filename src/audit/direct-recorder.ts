/**
 * Writes events to the chain in this thread, each on the disk before anybody goes on: for what lives as long as a
 * command. Everything that is handed in during one turn of the event loop goes out together, and so does what arrives
 * while the scribe is busy (group commit). It never drops an event: each is recorded, or its author is told that it is
 * not.
 */
import { AppError, limits, type WorkspaceId } from '../kernel/index.ts';
import type { PreparedEvent } from './canonical.ts';
import type { ChainEnd } from './chain-writer.ts';
import type { Checkpoint, EventRow } from './ports.ts';
import type { Recorder, RecorderListener } from './recorder.ts';
import { type Scribe, unavailable, type Written } from './scribe.ts';

interface Batch {
  readonly events: PreparedEvent[];
  readonly written: PromiseWithResolvers<Written>;
  /** `written` without its value, for everybody who does not need it. */
  readonly recorded: Promise<void>;
}

const noop = (): void => undefined;

/** @param scribe is closed with it */
export const directRecorder = (scribe: Scribe): Recorder => new DirectRecorder(scribe);

class DirectRecorder implements Recorder {
  readonly #scribe: Scribe;
  readonly #queues = new Map<WorkspaceId, Queue>();
  #listener: RecorderListener | null = null;
  /** Events of all workspaces that are not written yet. */
  #waiting = 0;

  constructor(scribe: Scribe) {
    this.#scribe = scribe;
  }

  listen(listener: RecorderListener): void {
    this.#listener = listener;
  }

  record(workspace: WorkspaceId, event: PreparedEvent): Promise<void> {
    const batch = this.#add(workspace, event);
    return batch instanceof AppError ? Promise.reject(batch) : batch.recorded;
  }

  async place(workspace: WorkspaceId, event: PreparedEvent): Promise<EventRow> {
    const batch = this.#add(workspace, event);
    if (batch instanceof AppError) throw batch;
    const index = batch.events.length - 1;
    const row = (await batch.written.promise).rows[index];
    if (row === undefined) throw new Error('the scribe gave no row back');
    return row;
  }

  async drained(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.drained()));
  }

  async seen(workspace: WorkspaceId): Promise<ChainEnd | null> {
    return this.#scribe.seen(workspace);
  }

  async close(): Promise<readonly Checkpoint[]> {
    await this.drained();
    return this.#scribe.close();
  }

  #add(workspace: WorkspaceId, event: PreparedEvent): Batch | AppError {
    if (this.#waiting >= limits.auditQueueEventsMax) {
      const message = 'Too many audit events are waiting to be written.';
      return unavailable(new AppError('audit_queue_full', message, { kind: 'failed' }));
    }
    this.#waiting += 1;
    return this.#queue(workspace).add(event);
  }

  #queue(workspace: WorkspaceId): Queue {
    const known = this.#queues.get(workspace);
    if (known !== undefined) return known;
    const queue = new Queue(
      (events) => this.#write(workspace, events),
      (count) => {
        this.#waiting -= count;
      },
    );
    this.#queues.set(workspace, queue);
    return queue;
  }

  async #write(workspace: WorkspaceId, events: readonly PreparedEvent[]): Promise<Written> {
    const written = await this.#scribe.write(workspace, events);
    this.#listener?.onChained?.(workspace, written.rows, written.checkpoint);
    this.#listener?.onRecorded();
    return written;
  }
}

/** What waits in one workspace. */
class Queue {
  readonly #write: (events: readonly PreparedEvent[]) => Promise<Written>;
  /** After events left the queue, recorded or refused. */
  readonly #onLeft: (count: number) => void;
  /** The last one is still being filled. */
  #waiting: Batch[] = [];
  #isSending = false;
  #flushIsDue = false;
  #drained: PromiseWithResolvers<void> | null = null;

  constructor(
    write: (events: readonly PreparedEvent[]) => Promise<Written>,
    onLeft: (count: number) => void,
  ) {
    this.#write = write;
    this.#onLeft = onLeft;
  }

  add(event: PreparedEvent): Batch {
    const batch = this.#open();
    batch.events.push(event);
    if (!this.#flushIsDue) {
      this.#flushIsDue = true;
      setImmediate(() => {
        this.#flushIsDue = false;
        this.#flush();
      });
    }
    return batch;
  }

  /** Resolves when nothing is waiting any more. */
  async drained(): Promise<void> {
    if (this.#waiting.length === 0 && !this.#isSending) return;
    this.#drained ??= Promise.withResolvers();
    this.#flush();
    await this.#drained.promise;
  }

  #open(): Batch {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.events.length < limits.auditBatchEventsMax) return last;
    const written = Promise.withResolvers<Written>();
    const recorded = written.promise.then(noop);
    // Of those who share it, some may not look.
    recorded.catch(noop);
    const batch = { events: [], written, recorded };
    this.#waiting.push(batch);
    return batch;
  }

  #flush(): void {
    if (this.#isSending) return;
    const batch = this.#waiting.shift();
    if (batch === undefined) {
      this.#drained?.resolve();
      this.#drained = null;
      return;
    }
    this.#isSending = true;
    void this.#send(batch);
  }

  async #send(batch: Batch): Promise<void> {
    try {
      const written = await this.#write(batch.events);
      this.#onLeft(batch.events.length);
      batch.written.resolve(written);
    } catch (cause) {
      // Whoever waits is refused without being tried: what is in the way is most likely still there.
      for (const { events, written } of [batch, ...this.#waiting.splice(0)]) {
        this.#onLeft(events.length);
        written.reject(unavailable(cause));
      }
    }
    this.#isSending = false;
    this.#flush();
  }
}
