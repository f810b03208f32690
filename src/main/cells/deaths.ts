/** How a server died by itself, again and again, and for how long it is not started because of that. */
import type { Trouble } from '../../api/index.ts';
import { AppError, type Clock, limits } from '../../kernel/index.ts';

export class Deaths {
  readonly #slug: string;
  readonly #clock: Clock;
  #inARow = 0;
  /** `Clock.monotonic()` before which it is not started again. */
  #notBefore = 0;
  #reason = '';
  /** `Clock.now()` of the last one. */
  #at = 0;

  constructor(slug: string, clock: Clock) {
    this.#slug = slug;
    this.#clock = clock;
  }

  /** @param bornMs `Clock.monotonic()` at its start @returns how many in a row */
  add(bornMs: number, reason: string): number {
    const nowMs = this.#clock.monotonic();
    this.#inARow = nowMs - bornMs >= limits.cellHealthyMs ? 1 : this.#inARow + 1;
    this.#reason = reason;
    this.#at = this.#clock.now();
    const pauseMs = limits.cellBackoffMs * 2 ** (this.#inARow - 1);
    this.#notBefore = nowMs + Math.min(pauseMs, limits.cellBackoffMsMax);
    return this.#inARow;
  }

  forgive(): void {
    this.#inARow = 0;
    this.#notBefore = 0;
  }

  /** @throws AppError `cell_backing_off` while it is too early for another start */
  checkStart(): void {
    if (this.#waitMs <= 0) return;
    const often = this.#inARow === 1 ? 'a moment ago' : `${this.#inARow} times in a row`;
    const seconds = Math.ceil(this.#waitMs / 1_000);
    throw new AppError(
      'cell_backing_off',
      `\`${this.#slug}\` stopped ${often} (${this.#reason}); it starts again in ${seconds} s.`,
      {
        kind: 'unavailable',
        hint: `See what it said: \`sallyport server logs ${this.#slug}\`.`,
      },
    );
  }

  /** Null when there was none since it was forgiven. */
  get trouble(): Trouble | null {
    if (this.#inARow === 0) return null;
    const waitMs = Math.max(0, Math.ceil(this.#waitMs));
    return { deaths: this.#inARow, reason: this.#reason, at: this.#at, waitMs };
  }

  get #waitMs(): number {
    return this.#notBefore - this.#clock.monotonic();
  }
}
