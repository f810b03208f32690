/**
 * When an event that was written is acknowledged, and when it is on the disk. Written means committed: it outlives
 * the end of this process, however that comes (`kill -9` included), but not a loss of power. One sync serves every
 * batch that was written before it began.
 *
 * `grouped` acknowledges what is written and syncs within a bounded delay. `strict` acknowledges after the sync.
 * In both, a sync that fails ends the recording: nothing is acknowledged before one has succeeded again.
 */
import { limits } from '../kernel/index.ts';

export type Durability = 'grouped' | 'strict';

export interface SyncerDeps {
  readonly durability: Durability;
  readonly sync: () => Promise<void>;
  /** A sync failed that nobody waits for. */
  readonly onFailure: (error: unknown) => void;
}

export class Syncer {
  readonly #deps: SyncerDeps;
  #timer: NodeJS.Timeout | null = null;
  /** The sync that is going on, and the one that begins after it. */
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #dirty = false;
  #failed = false;
  #closed = false;

  constructor(deps: SyncerDeps) {
    this.#deps = deps;
  }

  /** Before anything is written. @throws whatever the sync does while it still fails */
  async admit(): Promise<void> {
    if (this.#failed) await this.flush();
  }

  /** After something was written. Resolves when it may be acknowledged. @throws whatever the sync does, in `strict` */
  async written(): Promise<void> {
    this.#dirty = true;
    if (this.#deps.durability === 'strict') return this.flush();
    this.#arm(limits.auditSyncDelayMs);
    return undefined;
  }

  /** Resolves when everything that was written before the call is on the disk. @throws whatever the sync does */
  flush(): Promise<void> {
    if (!this.#dirty) return this.#next ?? this.#running ?? Promise.resolve();
    if (this.#running === null) return this.#begin();
    // What is going on may have begun before the last write.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.#begin();
      });
    return this.#next;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.flush();
  }

  #arm(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.flush().catch(this.#deps.onFailure);
    }, delayMs);
  }

  #begin(): Promise<void> {
    this.#dirty = false;
    const running = this.#deps.sync().then(
      () => {
        this.#failed = false;
        this.#running = null;
      },
      (error: unknown) => {
        this.#failed = this.#dirty = true;
        this.#running = null;
        if (!this.#closed) this.#arm(limits.auditSyncRetryMs);
        throw error;
      },
    );
    this.#running = running;
    return running;
  }
}
