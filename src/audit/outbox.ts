/**
 * Events on their way to the scribe, per workspace. Everything that is handed in during one turn of the event loop
 * goes out together, and so does what arrives while the scribe is busy (group commit): the authors of a batch share
 * one message, one transaction and one promise. It never drops an event: each is recorded, or its author is told that
 * it is not.
 */
import { type AppError, limits, type WorkspaceId } from '../kernel/index.ts';
import type { PreparedEvent } from './canonical.ts';
import { type Scribe, unavailable, type Written } from './scribe.ts';

export interface OutboxDeps {
  readonly workspace: WorkspaceId;
  readonly scribe: Scribe;
  /** Whether somebody wants the events of every batch back. */
  readonly wantsAll: boolean;
  /** After each batch, before its authors are told. Must not throw. */
  readonly onRecorded: (batch: readonly PreparedEvent[], written: Written) => void;
  /** After events left the queue, recorded or refused. */
  readonly onLeft: (count: number) => void;
}

interface Batch {
  readonly events: PreparedEvent[];
  readonly written: PromiseWithResolvers<Written>;
  /** `written` without its value, for everybody who does not need it. */
  readonly recorded: Promise<void>;
  wantsHashes: boolean;
}

/** A place in a batch. */
export interface Posted {
  readonly index: number;
  /** Both reject with AppError `audit_unavailable`. */
  readonly recorded: Promise<void>;
  readonly written: Promise<Written>;
}

const noop = (): void => undefined;

export class Outbox {
  readonly #deps: OutboxDeps;
  /** The last one is still being filled. */
  #waiting: Batch[] = [];
  #isSending = false;
  #flushIsDue = false;
  #timerIsSet = false;
  #drained: PromiseWithResolvers<void> | null = null;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  /**
   * @param prompt whether somebody waits; else it may wait for company, up to a limit
   * @param wantsHashes whether what it resolves to has to have the hashes
   */
  add(event: PreparedEvent, prompt: boolean, wantsHashes: boolean): Posted {
    const batch = this.#open();
    batch.events.push(event);
    if (wantsHashes) batch.wantsHashes = true;
    if (prompt) this.#flushSoon();
    else this.#flushInTime();
    return { index: batch.events.length - 1, recorded: batch.recorded, written: batch.written.promise };
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
    const batch = { events: [], written, recorded, wantsHashes: this.#deps.wantsAll };
    this.#waiting.push(batch);
    return batch;
  }

  #flushSoon(): void {
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    setImmediate(() => {
      this.#flushIsDue = false;
      this.#flush();
    });
  }

  #flushInTime(): void {
    if (this.#timerIsSet) return;
    this.#timerIsSet = true;
    setTimeout(() => {
      this.#timerIsSet = false;
      this.#flush();
    }, limits.auditNoteDelayMs);
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
    const { workspace, scribe, onLeft, onRecorded } = this.#deps;
    try {
      const written = await scribe.write(workspace, batch.events, batch.wantsHashes);
      onLeft(batch.events.length);
      onRecorded(batch.events, written);
      batch.written.resolve(written);
    } catch (cause) {
      // Whoever waits is refused without being tried: what is in the way is most likely still there.
      this.#refuse([batch, ...this.#waiting.splice(0)], unavailable(cause));
    }
    this.#isSending = false;
    this.#flush();
  }

  #refuse(refused: readonly Batch[], error: AppError): void {
    for (const { events, written } of refused) {
      this.#deps.onLeft(events.length);
      written.reject(error);
    }
  }
}
