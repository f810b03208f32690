/**
 * Paces the TLS handshakes of one cell. What a handshake costs is a signature, made the moment that the ClientHello is
 * looked at: a cell that opens connections as fast as it can would have the event loop to itself. So many may begin
 * per second, and few of them in one turn; the others wait in their order.
 */
import { type Clock, limits } from '../kernel/index.ts';

/** Begins a handshake. @returns false when nobody wants it any more: it has cost nothing */
export type Begin = () => boolean;

const MS_PER_SECOND = 1_000;

export class HandshakeGate {
  readonly #clock: Clock;
  readonly #waiting: Begin[] = [];
  /** Handshakes that may begin now, and when that was reckoned, in monotonic milliseconds. */
  #allowed: number = limits.cellHandshakesBurst;
  #reckonedAt: number;
  /** Of this turn of the event loop. */
  #begun = 0;
  #isTurnCounted = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#reckonedAt = clock.monotonic();
  }

  /** Handshakes that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Begins it now or when it is its turn. @returns false when too many wait: it never will */
  pass(begin: Begin): boolean {
    if (this.#waiting.length >= limits.cellHandshakesWaitingMax) return false;
    this.#waiting.push(begin);
    this.#drain();
    return true;
  }

  /** Forgets those that wait. */
  close(): void {
    this.#waiting.length = 0;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #drain(): void {
    while (this.#waiting.length > 0 && this.#begun < limits.cellHandshakesPerTurn) {
      if (!this.#mayBegin()) {
        this.#timer ??= setTimeout(() => {
          this.#timer = null;
          this.#drain();
        }, this.#msToNext()).unref();
        return;
      }
      const begin = this.#waiting.shift();
      if (begin === undefined || !begin()) continue;
      this.#allowed -= 1;
      this.#begun += 1;
      this.#countTurn();
    }
  }

  #mayBegin(): boolean {
    const now = this.#clock.monotonic();
    const earned = ((now - this.#reckonedAt) * limits.cellHandshakesPerSecond) / MS_PER_SECOND;
    this.#allowed = Math.min(limits.cellHandshakesBurst, this.#allowed + earned);
    this.#reckonedAt = now;
    return this.#allowed >= 1;
  }

  #msToNext(): number {
    return Math.ceil(((1 - this.#allowed) * MS_PER_SECOND) / limits.cellHandshakesPerSecond);
  }

  /** Whatever else is ready comes first, then the next few. */
  #countTurn(): void {
    if (this.#isTurnCounted) return;
    this.#isTurnCounted = true;
    setImmediate(() => {
      this.#isTurnCounted = false;
      this.#begun = 0;
      this.#drain();
    });
  }
}
