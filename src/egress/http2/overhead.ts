/**
 * What a cell sends over HTTP/2 that is neither head nor body: pings, settings, window updates, padding, the headers of
 * frames that hold one byte. The protocol bounds none of them and nghttp2 answers each; what they cost is the event
 * loop that other cells wait for (ATTACKS 12). Each connection may send a little of it, and as much again as it sends
 * and is sent of what it is there for; all connections of a cell have some more between them.
 */
import { limits } from '../../kernel/index.ts';
import type { CellOverhead } from '../cell-overhead.ts';

const MS_PER_SECOND = 1_000;

export class ConnectionOverhead {
  readonly #cell: CellOverhead;
  readonly #bytesRead: () => number;
  readonly #onTooMuch: () => void;
  /** Of the bytes that were read, those that are accounted for. */
  #accounted = 0;
  /** What is not, and was not forgiven; below zero, what may still come on account of heads and bodies. */
  #level = 0;
  #drawn = 0;
  #reckonedAt: number;
  #isScheduled = false;

  /** @param bytesRead of the connection, all of them, without those of TLS */
  constructor(cell: CellOverhead, bytesRead: () => number, onTooMuch: () => void) {
    this.#cell = cell;
    this.#bytesRead = bytesRead;
    this.#onTooMuch = onTooMuch;
    this.#reckonedAt = cell.clock.monotonic();
  }

  /** A header list came. @param raw names and values after each other */
  head(raw: readonly string[]): void {
    let bytes = limits.http2FieldBytes;
    for (const text of raw) bytes += text.length + limits.http2FieldBytes;
    this.body(bytes);
  }

  /** Bytes of a body came: so much more may have been around them, in frames that are small. */
  arrived(bytes: number): void {
    this.body(2 * bytes);
  }

  /** Bytes of a body went: it takes window updates to have them sent. */
  body(bytes: number): void {
    this.#accounted += bytes;
    this.look();
  }

  /** Something came: what it was, is judged when all that was read with it has been seen. */
  look(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#turnEnded);
  }

  readonly #turnEnded = (): void => {
    this.#isScheduled = false;
    this.judge();
  };

  judge(): void {
    const now = this.#cell.clock.monotonic();
    const forgiven = ((now - this.#reckonedAt) / MS_PER_SECOND) * limits.http2OverheadBytesPerSecond;
    this.#reckonedAt = now;
    const read = this.#bytesRead();
    const level = this.#level + read - this.#accounted - forgiven;
    this.#accounted = read;
    this.#level = Math.max(level, -limits.http2OverheadCreditBytesMax);
    if (this.#level > limits.http2OverheadBytes) this.#draw(this.#level - limits.http2OverheadBytes);
    else if (this.#level < 0) this.#giveBack(Math.min(this.#drawn, -this.#level));
  }

  #draw(bytes: number): void {
    if (!this.#cell.draw(bytes)) {
      this.#onTooMuch();
      return;
    }
    this.#level -= bytes;
    this.#drawn += bytes;
  }

  #giveBack(bytes: number): void {
    this.#cell.giveBack(bytes);
    this.#level += bytes;
    this.#drawn -= bytes;
  }
}
