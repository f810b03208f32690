/** Lets a few through at a time, a bounded number wait, and turns the rest away. For work that is dear. */
export class Turnstile {
  readonly #insideMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(insideMax: number, waitingMax: number) {
    this.#insideMax = insideMax;
    this.#waitingMax = waitingMax;
  }

  /** Undefined, and nothing done, when too many wait already. */
  async pass<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#inside < this.#insideMax) this.#inside += 1;
    else if (this.#waiting.length >= this.#waitingMax) return undefined;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed over: the number inside stays.
      if (next === undefined) this.#inside -= 1;
      else next();
    }
  }
}
