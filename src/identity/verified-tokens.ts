/**
 * Tokens that were verified before, by the SHA-256 of their text: the slow hash is computed once. An entry is good
 * as long as nothing in the store has changed; after a change its row is read again, so that a revocation holds
 * from the next request on, whichever process made it. Holds no token and no hash that a token can be found from.
 */
import { hash } from 'node:crypto';
import { limits, type TokenId, type WorkspaceId } from '../kernel/index.ts';
import type { Store, TokenRecord } from '../store/index.ts';
import { type Principal, principalOf } from './principal.ts';

interface Verified {
  readonly record: TokenRecord;
  readonly revision: number;
  /** Whose it is: the same object until its row is read again. */
  readonly principal: Principal;
}

export const digestOf = (presented: string): string => hash('sha256', presented, 'base64');

export class VerifiedTokens {
  readonly #store: Pick<Store, 'tokens' | 'revision'>;
  /** In order of last use. */
  readonly #verified = new Map<string, Verified>();

  constructor(store: Pick<Store, 'tokens' | 'revision'>) {
    this.#store = store;
  }

  /** As it is now, where nothing has changed since it was looked at last; null: that is not known here. */
  unchanged(digest: string): Verified | null {
    const known = this.#verified.get(digest);
    if (known === undefined || known.revision !== this.#store.revision()) return null;
    this.#keep(digest, known);
    return known;
  }

  /** The token's row as it is now, revoked or not; null when it was never verified, or is gone. */
  async find(digest: string): Promise<TokenRecord | null> {
    const known = this.#verified.get(digest);
    if (known === undefined) return null;
    // Taken before reading: a change in between makes the next look read again.
    const revision = this.#store.revision();
    if (known.revision === revision) {
      this.#keep(digest, known);
      return known.record;
    }
    const { workspace, id, hash } = known.record;
    const record = await this.#store.tokens.find(workspace, id);
    if (record === null || record.hash !== hash) {
      this.#verified.delete(digest);
      return null;
    }
    this.#keep(digest, { record, revision, principal: principalOf(record) });
    return record;
  }

  /** @param revision of the store from before the row was read */
  add(digest: string, record: TokenRecord, revision: number): void {
    this.#keep(digest, { record, revision, principal: principalOf(record) });
  }

  /** @returns whether it is time to write the last use down */
  used(digest: string, now: number): boolean {
    const known = this.#verified.get(digest);
    if (known === undefined) return false;
    const { lastUsedAt } = known.record;
    if (lastUsedAt !== null && now - lastUsedAt < limits.tokenLastUsedStepMs) return false;
    // Remembered here, because writing it is not a change after which the row would be read again.
    this.#verified.set(digest, { ...known, record: { ...known.record, lastUsedAt: now } });
    return true;
  }

  drop(workspace: WorkspaceId, id: TokenId): void {
    for (const [digest, { record }] of this.#verified) {
      if (record.id === id && record.workspace === workspace) this.#verified.delete(digest);
    }
  }

  #keep(digest: string, verified: Verified): void {
    this.#verified.delete(digest);
    this.#verified.set(digest, verified);
    const oldest = this.#verified.keys().next();
    if (this.#verified.size > limits.tokensVerifiedMax && !oldest.done) this.#verified.delete(oldest.value);
  }
}
