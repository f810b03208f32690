/**
 * Answers that were too long for one result, kept for a while so that they can be read on. Who knows an answer's random name
 * may read it, as long as it goes to the same running API, which serves one profile and one owner of credentials.
 */
import { type Clock, limits, newId, type Random } from '../kernel/index.ts';
import { type KeptText, pageOf, pagesOf } from './answer.ts';

export interface AnswerPage {
  readonly text: string;
  readonly page: number;
  readonly pages: number;
  readonly uri: string;
}

interface Kept {
  readonly text: string;
  readonly atMs: number;
}

export class KeptAnswers {
  readonly #slug: string;
  readonly #clock: Clock;
  readonly #random: Random;
  /** The oldest first. */
  readonly #answers = new Map<string, Kept>();
  #chars = 0;

  /** @param slug of the server: addresses of its answers begin with it, so that they lead back to it */
  constructor(slug: string, clock: Clock, random: Random) {
    this.#slug = slug;
    this.#clock = clock;
    this.#random = random;
  }

  keep(text: string): KeptText {
    this.#expire();
    const id = newId<'answer'>('ans', this.#random);
    this.#answers.set(id, { text, atMs: this.#clock.monotonic() });
    this.#chars += text.length;
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= limits.apiAnswersKeptMax && this.#chars <= limits.apiAnswersKeptCharsMax)
        break;
      this.#forget(oldest);
    }
    return { id, pages: pagesOf(text), uri: (page) => this.#uri(id, page) };
  }

  /** Null for an answer that is not kept, or not any more, or a page that it does not have. */
  page(id: string, page: number): AnswerPage | null {
    this.#expire();
    const kept = this.#answers.get(id);
    if (kept === undefined) return null;
    const pages = pagesOf(kept.text);
    if (!Number.isInteger(page) || page < 1 || page > pages) return null;
    return { text: pageOf(kept.text, page), page, pages, uri: this.#uri(id, page) };
  }

  /** @param uri as a result named it */
  pageAt(uri: string): AnswerPage | null {
    const rest = uri.startsWith(this.#beginning) ? uri.slice(this.#beginning.length) : '';
    const [id = '', page = ''] = rest.split('/');
    return /^\d{1,6}$/.test(page) ? this.page(id, Number(page)) : null;
  }

  /** As `resources/templates/list` tells it (RFC 6570). */
  get template(): string {
    return `${this.#beginning}{answer}/{page}`;
  }

  get #beginning(): string {
    return `sallyport-answer://${this.#slug}/`;
  }

  #uri(id: string, page: number): string {
    return `${this.#beginning}${id}/${page}`;
  }

  #expire(): void {
    const since = this.#clock.monotonic() - limits.apiAnswersKeptMs;
    for (const [id, { atMs }] of this.#answers) {
      if (atMs >= since) break;
      this.#forget(id);
    }
  }

  #forget(id: string): void {
    this.#chars -= this.#answers.get(id)?.text.length ?? 0;
    this.#answers.delete(id);
  }
}
