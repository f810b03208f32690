/** What a detector knows of each of many: bounded, the one heard of longest ago goes first. Comes back from JSON field by field. */
import { type Json, limits } from '../kernel/index.ts';

export class Remembered<T extends Json> {
  readonly #entries = new Map<string, T>();

  /** @param read null for what is none: it is left out, and begins anew */
  constructor(stored: unknown, read: (value: unknown) => T | null) {
    if (!Array.isArray(stored)) return;
    for (const pair of stored as readonly unknown[]) {
      if (!Array.isArray(pair)) continue;
      const [key, value] = pair as readonly unknown[];
      const known = read(value);
      if (typeof key === 'string' && known !== null) this.set(key, known);
    }
  }

  get(key: string): T | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= limits.alertKeysMax) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  state(): Json {
    return [...this.#entries].map(([key, value]): Json => [key, value]);
  }
}

/** A list of whole numbers; null for anything else. */
export const readNumbers = (value: unknown): number[] | null =>
  Array.isArray(value) && value.every((one) => Number.isSafeInteger(one)) ? value.map(Number) : null;
