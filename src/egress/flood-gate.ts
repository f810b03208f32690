/**
 * Keeps a hostile cell from flooding the audit log with refusals: the first of each kind is recorded, then
 * repetitions are only counted until the interval is over, and there is a bound on all of them together.
 */
import { type Clock, limits } from '../kernel/index.ts';

interface Seen {
  readonly since: number;
  suppressed: number;
}

export class FloodGate {
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();
  #intervalStart = 0;
  #recorded = 0;
  /** Not recorded since the last event that was. */
  #unreported = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#intervalStart = clock.monotonic();
  }

  /**
   * @param key what makes two refusals the same
   * @returns null when this one is only counted; else how many were only counted before it
   */
  pass(key: string): number | null {
    const now = this.#clock.monotonic();
    if (now - this.#intervalStart >= limits.cellRefusalIntervalMs) {
      this.#intervalStart = now;
      this.#recorded = 0;
    }
    const seen = this.#seen.get(key);
    if (seen !== undefined && now - seen.since < limits.cellRefusalIntervalMs) {
      seen.suppressed += 1;
      return null;
    }
    if (this.#recorded >= limits.cellRefusalEventsMax) {
      this.#unreported += 1;
      return null;
    }
    this.#recorded += 1;
    this.#seen.delete(key);
    this.#seen.set(key, { since: now, suppressed: 0 });
    if (this.#seen.size > limits.cellRefusalKeysMax) {
      const [oldest] = this.#seen.keys();
      if (oldest !== undefined) this.#seen.delete(oldest);
    }
    const suppressed = (seen?.suppressed ?? 0) + this.#unreported;
    this.#unreported = 0;
    return suppressed;
  }
}
