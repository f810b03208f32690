/** How many notifications one server may send: what is over it is dropped, and said once a second. */
import { limits } from '../kernel/index.ts';

export class NotificationBudget {
  readonly #exceeded: () => void;
  #count = 0;
  #windowStartMs = 0;

  /** @param exceeded told once in each second in which there are too many */
  constructor(exceeded: () => void) {
    this.#exceeded = exceeded;
  }

  /** Whether one more may pass now. */
  take(nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= 1000) {
      this.#windowStartMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count === limits.mcpNotificationsPerSecondMax + 1) this.#exceeded();
    return this.#count <= limits.mcpNotificationsPerSecondMax;
  }
}
