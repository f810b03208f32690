/**
 * What a cell may send that is neither head nor body: frames of HTTP/2 without either, the lines around chunks of one byte.
 * It costs the event loop that other cells wait for, and carries nothing (ATTACKS 12). All connections of a cell
 * share it, so that another connection is no way to more of it.
 */
import { type Clock, limits } from '../kernel/index.ts';

const MS_PER_SECOND = 1_000;

export class CellOverhead {
  readonly clock: Clock;
  #left: number = limits.cellOverheadBytes;
  #reckonedAt: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.#reckonedAt = clock.monotonic();
  }

  /** @returns false when that is more than there is */
  draw(bytes: number): boolean {
    const now = this.clock.monotonic();
    const regained = ((now - this.#reckonedAt) / MS_PER_SECOND) * limits.cellOverheadBytesPerSecond;
    this.#reckonedAt = now;
    this.#left = Math.min(limits.cellOverheadBytes, this.#left + regained);
    if (this.#left < bytes) return false;
    this.#left -= bytes;
    return true;
  }

  /** It turned out to be part of a head or body after all. */
  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}
