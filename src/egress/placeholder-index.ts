/**
 * Finds the placeholders of all cells in text and bytes, in one pass however many there are. A placeholder is
 * no secret; where one turns up decides whether a request is what the manifest declared (ATTACKS 9), and one of
 * another cell is an incident. Placeholders come and go with cells, so nothing is rebuilt: a filter over the
 * last bytes of each says where a comparison is worth it.
 */
import type { CellId } from '../kernel/index.ts';

export interface PlaceholderEntry {
  readonly cell: CellId;
  readonly credential: string;
  readonly placeholder: string;
}

export interface PlaceholderHit {
  readonly entry: PlaceholderEntry;
  /** Position of its first character. */
  readonly start: number;
}

/** Characters at the end of a placeholder that make up its key: random ones, where shapes put them. */
const KEY_CHARS = 4;
const FILTER_SIZE = 1 << 16;
const FILTER_MASK = FILTER_SIZE - 1;
const LATIN1 = 'latin1';

const mix = (a: number, b: number, c: number, d: number): number =>
  (Math.imul(a | (b << 8) | (c << 16) | (d << 24), 0x9e37_79b1) >>> 16) & FILTER_MASK;

const slotOf = (text: string, end: number): number =>
  mix(text.charCodeAt(end - 4), text.charCodeAt(end - 3), text.charCodeAt(end - 2), text.charCodeAt(end - 1));

export class PlaceholderIndex {
  /** Placeholders whose key falls into each slot. */
  readonly #filter = new Uint16Array(FILTER_SIZE);
  readonly #bySlot = new Map<number, PlaceholderEntry[]>();
  #shortest = Number.POSITIVE_INFINITY;
  #longest = 0;

  /** Length of the longest placeholder, in bytes: what a streaming search has to look back by. */
  get longest(): number {
    return this.#longest;
  }

  /** Length of the shortest one that there ever was: a shorter text holds none. */
  get shortest(): number {
    return this.#shortest;
  }

  add(entry: PlaceholderEntry): void {
    const { placeholder } = entry;
    if (placeholder.length < KEY_CHARS)
      throw new Error('a placeholder is too short to be told from other text');
    const slot = slotOf(placeholder, placeholder.length);
    this.#bySlot.set(slot, [...(this.#bySlot.get(slot) ?? []), entry]);
    this.#filter[slot] = (this.#filter[slot] ?? 0) + 1;
    /* Removal leaves these as they are: too wide is slower, never wrong. */
    this.#shortest = Math.min(this.#shortest, placeholder.length);
    this.#longest = Math.max(this.#longest, placeholder.length);
  }

  removeCell(cell: CellId): void {
    for (const [slot, entries] of this.#bySlot) {
      const kept = entries.filter((entry) => entry.cell !== cell);
      if (kept.length === entries.length) continue;
      this.#filter[slot] = kept.length;
      if (kept.length === 0) this.#bySlot.delete(slot);
      else this.#bySlot.set(slot, kept);
    }
  }

  /** The first placeholder in `text`; null when there is none. */
  find(text: string): PlaceholderHit | null {
    const first = this.#shortest - 1;
    if (text.length <= first) return null;
    let window =
      (text.charCodeAt(first - 3) << 8) |
      (text.charCodeAt(first - 2) << 16) |
      (text.charCodeAt(first - 1) << 24);
    /* Of characters beyond a byte only that much counts here: too much is compared, never too little. */
    for (let last = first; last < text.length; last += 1) {
      window = (window >>> 8) | (text.charCodeAt(last) << 24);
      const slot = (Math.imul(window, 0x9e37_79b1) >>> 16) & FILTER_MASK;
      if (this.#filter[slot] === 0) continue;
      for (const entry of this.#bySlot.get(slot) ?? []) {
        const start = last + 1 - entry.placeholder.length;
        if (start >= 0 && text.startsWith(entry.placeholder, start)) return { entry, start };
      }
    }
    return null;
  }

  /** The same in bytes. */
  findInBytes(bytes: Buffer): PlaceholderHit | null {
    if (bytes.length < this.#shortest) return null;
    let window =
      ((bytes[this.#shortest - 4] ?? 0) << 8) |
      ((bytes[this.#shortest - 3] ?? 0) << 16) |
      ((bytes[this.#shortest - 2] ?? 0) << 24);
    for (let last = this.#shortest - 1; last < bytes.length; last += 1) {
      window = (window >>> 8) | ((bytes[last] ?? 0) << 24);
      const slot = (Math.imul(window, 0x9e37_79b1) >>> 16) & FILTER_MASK;
      if (this.#filter[slot] === 0) continue;
      for (const entry of this.#bySlot.get(slot) ?? []) {
        const start = last + 1 - entry.placeholder.length;
        if (start >= 0 && bytes.toString(LATIN1, start, last + 1) === entry.placeholder)
          return { entry, start };
      }
    }
    return null;
  }
}
