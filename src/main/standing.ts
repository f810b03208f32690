/**
 * Whether a token that was let in is still good, for what is under way: sessions, streams and calls. What comes anew
 * is verified at the door.
 */
import type { Tokens } from '../identity/index.ts';
import type { TokenId } from '../kernel/index.ts';
import type { Principal, ProfileView, Standing } from '../mcp/index.ts';
import type { Store } from '../store/index.ts';

export interface StandingDeps {
  readonly store: Pick<Store, 'revision' | 'tokens'>;
  readonly tokens: Pick<Tokens, 'onRevoke'>;
  readonly profile: (workspace: Principal['workspace'], name: string) => Promise<ProfileView | null>;
}

export interface WatchedStanding extends Standing {
  /** The store has changed, by this process or another. */
  storeChanged(): void;
}

export function createStanding({ store, tokens, profile }: StandingDeps): WatchedStanding {
  const listeners = new Set<() => void>();
  /** As of one revision of the store: asked for at every request of a stateless client. */
  let cached = { revision: -1, known: new Map<string, Promise<number | null>>() };

  async function read({ workspace, actor, profile: name, tokenInUrl }: Principal): Promise<number | null> {
    // The id was a token's when it was let in.
    const record = await store.tokens.find(workspace, actor.id as TokenId);
    if (record === null || record.revokedAt !== null) return null;
    const view = name === null ? null : await profile(workspace, name);
    if (name !== null && view === null) return null;
    // As at the door: a token in an address is good in a profile that allows it, and nowhere else.
    if (tokenInUrl === true && view?.tokenInUrl !== true) return null;
    return record.expiresAt ?? Infinity;
  }

  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  tokens.onRevoke(tell);

  return {
    until(principal) {
      if (principal.actor.kind !== 'token') return Promise.resolve(Infinity);
      // Taken before reading: a change in between makes the next question read again.
      const revision = store.revision();
      if (cached.revision !== revision) cached = { revision, known: new Map() };
      const key = JSON.stringify([principal.workspace, principal.actor.id, principal.tokenInUrl === true]);
      const { known } = cached;
      const until = known.get(key) ?? read(principal);
      known.set(key, until);
      until.catch(() => known.delete(key));
      return until;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    storeChanged: tell,
  };
}
