/**
 * Turns on the one connection. The query builder holds it for as long as a statement or transaction takes,
 * across awaits; the prepared statements of the hot paths run in between, and at once when nobody holds it.
 * Without it, an audit append would land inside whatever transaction happens to be open.
 */
export class ConnectionLock {
  #held = false;
  #retired: (() => Error) | undefined;
  readonly #waiting: (() => void)[] = [];

  /** Resolves when the connection is the caller's, in the order of asking. */
  acquire(): Promise<void> {
    if (this.#retired !== undefined) return Promise.reject(this.#retired());
    if (!this.#held) {
      this.#held = true;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when everybody who asked before has had their turn; whoever asks later gets `reason`. */
  retire(reason: () => Error): Promise<void> {
    const last = this.acquire();
    this.#retired ??= reason;
    return last;
  }

  release(): void {
    const next = this.#waiting.shift();
    // Handed over while still held: nobody can slip in between.
    if (next === undefined) this.#held = false;
    else next();
  }

  /** Runs synchronous work while nobody else is on the connection. */
  async run<T>(work: () => T): Promise<T> {
    // Nothing can take the connection while synchronous code runs, so a free lock need not be taken.
    if (!this.#held && this.#retired === undefined) return work();
    await this.acquire();
    try {
      return work();
    } finally {
      this.release();
    }
  }
}
