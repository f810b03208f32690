/**
 * Finds the placeholders of all cells in text and bytes, in one pass however many there are. A placeholder is
 * no secret; where one turns up decides whether a request is what the manifest declared (ATTACKS 9), and one of
 * another cell is an incident. Placeholders come and go with cells, so nothing is rebuilt.
 *
 * The pass looks at four characters, and goes on behind all that they rule out: four that stand in no placeholder's end
 * rule out every one that would end within the next dozen characters (Wu and Manber, 1994).
 */
import type { CellId } from '../../kernel/index.ts';

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

/** Characters that are looked at together. */
const GRAM_CHARS = 4;
/** Of the end of a placeholder, where shapes put what is random, so many characters are told from other text. */
const END_CHARS = 16;
const SLOT_BITS = 18;
const SLOTS = 1 << SLOT_BITS;
/** A slot that was ever as full as this stays so: too much is compared then, never too little. */
const FULL = 0xffff;
const LATIN1 = 'latin1';

const slotOf = (gram: number): number => Math.imul(gram, 0x9e37_79b1) >>> (32 - SLOT_BITS);

/** The four characters that end at `last`. Of characters beyond a byte only some bits count: no placeholder has any. */
const gramIn = (text: string, last: number): number =>
  (text.charCodeAt(last - 3) & 0xff) |
  ((text.charCodeAt(last - 2) & 0xff) << 8) |
  ((text.charCodeAt(last - 1) & 0xff) << 16) |
  (text.charCodeAt(last) << 24);

const gramInBytes = (bytes: Buffer, last: number): number =>
  (bytes[last - 3] ?? 0) |
  ((bytes[last - 2] ?? 0) << 8) |
  ((bytes[last - 1] ?? 0) << 16) |
  ((bytes[last] ?? 0) << 24);

export class PlaceholderIndex {
  /** How often the ends of placeholders have a gram in each slot. */
  readonly #grams = new Uint16Array(SLOTS);
  /** By the slot of their last gram. */
  readonly #byLastGram = new Map<number, PlaceholderEntry[]>();
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
    if (placeholder.length < GRAM_CHARS)
      throw new Error('a placeholder is too short to be told from other text');
    const slot = slotOf(gramIn(placeholder, placeholder.length - 1));
    this.#byLastGram.set(slot, [...(this.#byLastGram.get(slot) ?? []), entry]);
    this.#count(placeholder, 1);
    /* Removal leaves these as they are: too wide is slower, never wrong. */
    this.#shortest = Math.min(this.#shortest, placeholder.length);
    this.#longest = Math.max(this.#longest, placeholder.length);
  }

  removeCell(cell: CellId): void {
    for (const [slot, entries] of this.#byLastGram) {
      const kept = entries.filter((entry) => entry.cell !== cell);
      if (kept.length === entries.length) continue;
      for (const entry of entries) if (entry.cell === cell) this.#count(entry.placeholder, -1);
      if (kept.length === 0) this.#byLastGram.delete(slot);
      else this.#byLastGram.set(slot, kept);
    }
  }

  /** The first placeholder in `text`; null when there is none. */
  find(text: string): PlaceholderHit | null {
    const step = this.#step;
    for (let last = this.#shortest - 1; last < text.length; ) {
      const slot = slotOf(gramIn(text, last));
      if (this.#grams[slot] === 0) {
        last += step;
        continue;
      }
      for (const entry of this.#byLastGram.get(slot) ?? []) {
        const start = last + 1 - entry.placeholder.length;
        if (start >= 0 && text.startsWith(entry.placeholder, start)) return { entry, start };
      }
      last += 1;
    }
    return null;
  }

  /** The same in bytes. */
  findInBytes(bytes: Buffer): PlaceholderHit | null {
    const step = this.#step;
    for (let last = this.#shortest - 1; last < bytes.length; ) {
      const slot = slotOf(gramInBytes(bytes, last));
      if (this.#grams[slot] === 0) {
        last += step;
        continue;
      }
      for (const entry of this.#byLastGram.get(slot) ?? []) {
        const start = last + 1 - entry.placeholder.length;
        if (start >= 0 && bytes.toString(LATIN1, start, last + 1) === entry.placeholder)
          return { entry, start };
      }
      last += 1;
    }
    return null;
  }

  /** How far a gram that is in no end rules placeholders out: as far as the shortest end reaches back. */
  get #step(): number {
    return Math.min(this.#shortest, END_CHARS) - GRAM_CHARS + 1;
  }

  #count(placeholder: string, by: 1 | -1): void {
    const first = Math.max(0, placeholder.length - END_CHARS) + GRAM_CHARS - 1;
    for (let last = first; last < placeholder.length; last += 1) {
      const slot = slotOf(gramIn(placeholder, last));
      const count = this.#grams[slot] ?? 0;
      if (count !== FULL) this.#grams[slot] = count + by;
    }
  }
}
