/**
 * Turns at dear work, shared fairly among addresses: each stands in the common queue with a few at a time, so that
 * whoever comes with hundreds waits for itself and does not fill the queue for the others.
 */
import { Turnstile } from './turnstile.ts';

export interface TurnLimits {
  /** How many work at once. */
  readonly insideMax: number;
  /** How many of one address wait, and how many of all in the common queue. */
  readonly waitingMax: number;
}

interface Line {
  readonly turnstile: Turnstile;
  /** How many are in it, waiting or inside. */
  length: number;
}

export class AddressTurns {
  readonly #limits: TurnLimits;
  readonly #common: Turnstile;
  /** One for each address that has somebody in it. */
  readonly #lines = new Map<string, Line>();

  constructor(limits: TurnLimits) {
    this.#limits = limits;
    this.#common = new Turnstile(limits.insideMax, limits.waitingMax);
  }

  /** Undefined, and nothing done, when too many of this address, or too many addresses, wait already. */
  async pass<T>(address: string, work: () => Promise<T>): Promise<T | undefined> {
    const line = this.#lineOf(address);
    line.length += 1;
    try {
      return await line.turnstile.pass(() => this.#common.pass(work));
    } finally {
      line.length -= 1;
      if (line.length === 0) this.#lines.delete(address);
    }
  }

  #lineOf(address: string): Line {
    const { insideMax, waitingMax } = this.#limits;
    const line = this.#lines.get(address) ?? { turnstile: new Turnstile(insideMax, waitingMax), length: 0 };
    this.#lines.set(address, line);
    return line;
  }
}
