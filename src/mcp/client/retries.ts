/**
 * Servers that failed while somebody wanted to know what they have: asked again, ever more rarely, for as long as
 * somebody would hear of it. All clients of one caller share the tries; whether there is anything to tell a client is
 * the client's own question.
 *
 * Must never try where nobody listens.
 */
import { limits } from '../../kernel/index.ts';

/** A client that misses something of a server. */
export interface Missing {
  /** Whose tries these are: the caller and the server. */
  readonly key: string;
  /** Whether it would hear of it now. */
  listens(): boolean;
  /** Asks, and tells the client. Never rejects. @returns whether there is nothing more to try */
  ask(): Promise<boolean>;
}

interface Group {
  readonly missing: Set<Missing>;
  pauseMs: number;
  /** Null while it is being asked, and while nobody listens. */
  timer: NodeJS.Timeout | null;
  asking: boolean;
}

export class Retries {
  readonly #groups = new Map<string, Group>();

  /** From now on, until it has answered or is left; of use again once a client that did not listen does. */
  want(missing: Missing): void {
    const group = this.#groups.get(missing.key) ?? fresh();
    this.#groups.set(missing.key, group);
    group.missing.add(missing);
    this.#schedule(missing.key, group);
  }

  leave(missing: Missing): void {
    const group = this.#groups.get(missing.key);
    if (group?.missing.delete(missing) !== true || group.missing.size > 0) return;
    if (group.timer !== null) clearTimeout(group.timer);
    this.#groups.delete(missing.key);
  }

  close(): void {
    for (const { timer } of this.#groups.values()) if (timer !== null) clearTimeout(timer);
    this.#groups.clear();
  }

  #schedule(key: string, group: Group): void {
    if (group.timer !== null || group.asking || this.#groups.get(key) !== group) return;
    if (!listening(group).next().done) {
      group.timer = setTimeout(() => void this.#due(key, group), group.pauseMs);
      group.timer.unref();
    }
  }

  async #due(key: string, group: Group): Promise<void> {
    group.timer = null;
    const first = listening(group).next();
    if (first.done === true) return;
    group.asking = true;
    group.pauseMs = Math.min(group.pauseMs * 2, limits.mcpRetryPauseMsMax);
    if (await this.#ask(first.value)) {
      // It is there: the others need only look.
      await Promise.all(Array.from(listening(group), (missing) => this.#ask(missing)));
      group.pauseMs = limits.mcpRetryPauseMs;
    }
    group.asking = false;
    this.#schedule(key, group);
  }

  async #ask(missing: Missing): Promise<boolean> {
    const over = await missing.ask();
    if (over) this.leave(missing);
    return over;
  }
}

const fresh = (): Group => ({
  missing: new Set(),
  pauseMs: limits.mcpRetryPauseMs,
  timer: null,
  asking: false,
});

function* listening(group: Group): Generator<Missing, void> {
  for (const missing of group.missing) if (missing.listens()) yield missing;
}
