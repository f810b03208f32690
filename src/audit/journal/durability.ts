/**
 * When an event that was written is acknowledged, and when it is on the disk. Written means in the journal: it outlives
 * the end of this process, however that comes (`kill -9` included), but not a loss of power. One sync serves every
 * batch that was written before it began.
 *
 * `grouped` acknowledges what is written and syncs within a bounded delay. `strict` acknowledges after the sync.
 * In both, a sync that fails ends the recording: nothing is acknowledged before one has succeeded again.
 */
import { limits } from '../../kernel/index.ts';

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

  /** Whether the last sync failed: then nothing is written before a `flush` has succeeded. */
  get failed(): boolean {
    return this.#failed;
  }

  /** After something was written. @returns what to wait for before it is acknowledged; null when it may be at once. Rejects with whatever the sync does */
  written(): Promise<void> | null {
    this.#dirty = true;
    if (this.#deps.durability === 'strict') return this.flush();
    this.#arm(limits.auditSyncDelayMs);
    return null;
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

  /** Again: what was put off until the next attempt is not. */
  #works(): void {
    this.#failed = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#dirty && !this.#closed) this.#arm(limits.auditSyncDelayMs);
  }

  #begin(): Promise<void> {
    this.#dirty = false;
    const running = this.#deps.sync().then(
      () => {
        this.#running = null;
        if (this.#failed) this.#works();
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
