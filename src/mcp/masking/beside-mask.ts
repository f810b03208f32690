/**
 * What masks whatever a server says to one client beside its answers: progress, log messages, questions. What masks it is found
 * beforehand, anew with each request and with each change of rules; where it cannot be found nothing is let through. What is
 * large is masked elsewhere, and whatever comes behind it waits, so that all of it arrives in the order in which it was said.
 */
import { limits } from '../../kernel/index.ts';
import type { MaskingHit } from '../../masking/index.ts';
import { parseMessage, type RpcMessage } from '../protocol/message.ts';
import type { Maskers } from '../ports/masks.ts';
import { isLater, type Soon } from '../soon.ts';
import { isForElsewhere, maskAnywhere, maskWith, type Told } from './masked-message.ts';

export class BesideMask {
  readonly #find: () => Soon<Maskers | null>;
  readonly #told: Told;
  /** What is on record already: a server may say much, and the same. */
  readonly #known = new Set<string>();
  #maskers: Maskers | 'unknown' | null = 'unknown';
  /** The last of what waits for its turn. */
  #last: Promise<void> | null = null;
  #waitingChars = 0;

  /** @param find null: nothing is masked */
  constructor(find: () => Soon<Maskers | null>, told: Told) {
    this.#find = find;
    this.#told = told;
  }

  /** @throws AppError `masking_unavailable`, also as a rejection */
  refresh(): Soon<void> {
    try {
      const found = this.#find();
      if (isLater(found)) return this.#refreshed(found);
      this.#maskers = found;
      return undefined;
    } catch (error) {
      this.#maskers = 'unknown';
      throw error;
    }
  }

  async #refreshed(found: Promise<Maskers | null>): Promise<void> {
    try {
      this.#maskers = await found;
    } catch (error) {
      this.#maskers = 'unknown';
      throw error;
    }
  }

  /** @param deliver told what is to be shown, null where nothing may be; in order, and at once where nothing has to wait */
  message<Kind extends RpcMessage>(message: Kind, deliver: (masked: Kind | null) => void): void {
    if (this.#last === null && !this.#isLarge(message)) return deliver(this.#masked(message));
    const { length } = message.text;
    if (this.#waitingChars + length > limits.maskingBesideCharsMax) return deliver(null);
    this.#waitingChars += length;
    const before = this.#last ?? Promise.resolve();
    const turn = before
      .then(() => this.#maskedAnywhere(message))
      .then((masked) => {
        this.#waitingChars -= length;
        if (this.#last === turn) this.#last = null;
        deliver(masked);
      });
    this.#last = turn;
  }

  /** The same for the text of a notification. */
  text(text: string, deliver: (masked: string | null) => void): void {
    if (this.#maskers === null && this.#last === null) return deliver(text);
    const read = parseMessage(text);
    if (!read.ok) return deliver(null);
    this.message(read.value, (masked) => deliver(masked?.text ?? null));
  }

  /** Resolves once all is delivered that was said so far; null: it is. */
  get settled(): Promise<void> | null {
    return this.#last;
  }

  #isLarge(message: RpcMessage): boolean {
    return this.#maskers !== null && this.#maskers !== 'unknown' && isForElsewhere(message, this.#maskers);
  }

  #masked<Kind extends RpcMessage>(message: Kind): Kind | null {
    if (this.#maskers === null) return message;
    if (this.#maskers === 'unknown') return null;
    try {
      return maskWith(message, this.#maskers, (hits) => this.#record(hits), null);
    } catch {
      return null;
    }
  }

  async #maskedAnywhere<Kind extends RpcMessage>(message: Kind): Promise<Kind | null> {
    if (this.#maskers === null) return message;
    if (this.#maskers === 'unknown') return null;
    try {
      return await maskAnywhere(message, this.#maskers, (hits) => this.#record(hits), null);
    } catch {
      return null;
    }
  }

  #record(hits: readonly MaskingHit[]): void {
    const fresh = hits.filter(({ rule, detector }) => !this.#known.has(`${rule}\n${detector}`));
    if (fresh.length === 0) return;
    if (this.#known.size >= limits.maskingHitsRecorded) this.#known.clear();
    for (const { rule, detector } of fresh) this.#known.add(`${rule}\n${detector}`);
    this.#told(fresh);
  }
}
