/**
 * Bytes that come in pieces, until they are whole. Whoever sends them chooses the pieces: one of a single byte costs some
 * four hundred to keep, so small ones are copied together.
 */

/** Bytes from which on a piece is kept as it is. */
const LARGE = 4096;

export class Pieces {
  #kept: Buffer[] = [];
  /** Where small pieces are copied to: the last that is kept is its beginning. */
  #shelf: Buffer | null = null;
  #length = 0;

  /** In bytes. */
  get length(): number {
    return this.#length;
  }

  /** How many are kept. */
  get count(): number {
    return this.#kept.length;
  }

  push(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#kept.length === 0 || piece.length >= LARGE) {
      this.#kept.push(piece);
      this.#shelf = null;
      return;
    }
    const used = this.#shelf === null ? 0 : (this.#kept.at(-1)?.length ?? 0);
    if (this.#shelf !== null && used + piece.length <= LARGE) {
      piece.copy(this.#shelf, used);
      this.#kept[this.#kept.length - 1] = this.#shelf.subarray(0, used + piece.length);
      return;
    }
    this.#shelf = Buffer.allocUnsafeSlow(LARGE);
    piece.copy(this.#shelf);
    this.#kept.push(this.#shelf.subarray(0, piece.length));
  }

  /** All of it. Begins anew. */
  take(): Buffer {
    const [only] = this.#kept;
    const whole = this.#kept.length === 1 && only !== undefined ? only : Buffer.concat(this.#kept);
    this.clear();
    return whole;
  }

  /** At most so many bytes of its beginning and of its end, without making it whole. Begins anew. */
  takeEdges(bytes: number): { readonly head: Buffer; readonly tail: Buffer } {
    const kept = this.#kept;
    const head: Buffer[] = [];
    const tail: Buffer[] = [];
    for (let at = 0, left = bytes; at < kept.length && left > 0; at += 1) {
      const piece = kept[at]?.subarray(0, left) ?? Buffer.alloc(0);
      head.push(piece);
      left -= piece.length;
    }
    for (let at = kept.length - 1, left = bytes; at >= 0 && left > 0; at -= 1) {
      const piece = kept[at]?.subarray(-left) ?? Buffer.alloc(0);
      tail.unshift(piece);
      left -= piece.length;
    }
    this.clear();
    return { head: Buffer.concat(head), tail: Buffer.concat(tail) };
  }

  clear(): void {
    this.#kept = [];
    this.#shelf = null;
    this.#length = 0;
  }
}
