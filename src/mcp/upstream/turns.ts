/**
 * Whose turn it is on the one thread that all servers share. What was read of a server and can wait is looked at in steps, one
 * server after the other, and all of them together for no longer at a time than anybody else can be kept waiting: however
 * many flood, a server that says little is heard in between.
 *
 * Trusts a step to be short: it is never interrupted.
 */
import { type Clock, limits } from '../../kernel/index.ts';

/** Does a little of something. @returns whether there is more of it */
export type Step = () => boolean;

export class Turns {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** The next first. */
  #waiting: Step[] = [];
  #isPlanned = false;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Begins in a later turn of the event loop, behind what waits already. */
  add(step: Step): void {
    this.#waiting.push(step);
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned || this.#waiting.length === 0) return;
    this.#isPlanned = true;
    setImmediate(() => this.#take());
  }

  #take(): void {
    this.#isPlanned = false;
    const untilMs = this.#clock.monotonic() + limits.mcpTurnMs;
    try {
      do {
        const step = this.#waiting.shift();
        if (step === undefined) return;
        if (step()) this.#waiting.push(step);
      } while (this.#clock.monotonic() < untilMs);
    } finally {
      this.#plan();
    }
  }
}
