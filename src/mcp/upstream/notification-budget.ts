/** How much one server may say by itself: notifications and requests. What is over it is dropped, and said once a second. */
import { limits } from '../../kernel/index.ts';

export class NotificationBudget {
  readonly #exceeded: () => void;
  #count = 0;
  #chars = 0;
  #isTold = false;
  #windowStartMs = 0;

  /** @param exceeded told once in each second in which there are too many */
  constructor(exceeded: () => void) {
    this.#exceeded = exceeded;
  }

  /** Whether one more may pass now. @param chars how long it is */
  take(nowMs: number, chars: number): boolean {
    if (nowMs - this.#windowStartMs >= 1000) {
      this.#windowStartMs = nowMs;
      this.#count = 0;
      this.#chars = 0;
      this.#isTold = false;
    }
    const isWithin =
      this.#count < limits.mcpNotificationsPerSecondMax &&
      this.#chars <= limits.mcpNotificationCharsPerSecondMax;
    this.#count += 1;
    this.#chars += chars;
    if (!isWithin && !this.#isTold) this.#exceeded();
    this.#isTold ||= !isWithin;
    return isWithin;
  }
}
