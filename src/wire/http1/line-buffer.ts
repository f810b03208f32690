/** A line that arrives in pieces: its beginning, until the rest is there. Bounded by who fills it. */

const NONE = Buffer.alloc(0);
const FIRST_BYTES = 256;

export class LineBuffer {
  #bytes = NONE;
  #length = 0;

  /** Bytes held. */
  get length(): number {
    return this.#length;
  }

  /** Copies `bytes` from `start` to `end`: the caller's buffer is not kept. */
  push(bytes: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * this.#bytes.length, length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#length, start, end);
    this.#length = length;
  }

  /** Gives everything away and is empty. */
  take(): Buffer {
    const line = this.#bytes.subarray(0, this.#length);
    this.clear();
    return line;
  }

  clear(): void {
    this.#bytes = NONE;
    this.#length = 0;
  }
}
