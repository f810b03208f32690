/**
 * How many frames that carry no message one side may send: pings, pongs, and fragments with nothing in them. Each costs
 * the gateway about as much as a message, and they are worth nothing (ATTACKS 11: ping floods).
 */
import { type Clock, limits } from '../../kernel/index.ts';

export class ControlGate {
  readonly #clock: Clock;
  #left = limits.webSocketControlBurst;
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.monotonic();
  }

  /** @returns false when that is one too many */
  pass(): boolean {
    const now = this.#clock.monotonic();
    const regained = ((now - this.#at) / 1_000) * limits.webSocketControlPerSecond;
    this.#left = Math.min(limits.webSocketControlBurst, this.#left + regained) - 1;
    this.#at = now;
    return this.#left >= 0;
  }
}
