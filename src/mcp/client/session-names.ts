/** Names of clients' sessions, for what is kept outside of this process: nobody can guess one, and none comes again. */
import { newId, type Random } from '../../kernel/index.ts';
import type { ClientFacts } from './client-facts.ts';

export class SessionNames {
  readonly #random: Random;
  readonly #names = new WeakMap<symbol, string>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** The same as long as the session lasts; null: the client has none. */
  of({ session }: ClientFacts): string | null {
    if (session === undefined) return null;
    const known = this.#names.get(session) ?? newId<'session'>('ses', this.#random);
    this.#names.set(session, known);
    return known;
  }
}
