/**
 * Profiles that somebody looks at, held against what they were when the store was read last: other servers, another choice
 * of tools, another way to show them.
 */
import type { Log, WorkspaceId } from '../kernel/index.ts';
import type { ProfileListener, ProfileView } from '../mcp/index.ts';

type Read = (workspace: WorkspaceId, name: string | null) => Promise<ProfileView | null>;

interface Watched {
  readonly workspace: WorkspaceId;
  readonly name: string | null;
  readonly listeners: Set<ProfileListener>;
  /** As it was seen last. */
  view: Promise<ProfileView | null>;
}

export class ProfileWatch {
  readonly #read: Read;
  readonly #log: Log;
  readonly #watched = new Map<string, Watched>();

  constructor(read: Read, log: Log) {
    this.#read = read;
    this.#log = log;
  }

  /** @returns stops it */
  watch(workspace: WorkspaceId, name: string | null, listener: ProfileListener): () => void {
    const key = JSON.stringify([workspace, name]);
    const watched = this.#watched.get(key) ?? this.#begin(key, workspace, name);
    watched.listeners.add(listener);
    return () => {
      watched.listeners.delete(listener);
      if (watched.listeners.size === 0 && this.#watched.get(key) === watched) this.#watched.delete(key);
    };
  }

  /** The store has changed, by this process or another. */
  async storeChanged(): Promise<void> {
    await Promise.all([...this.#watched.values()].map((watched) => this.#look(watched)));
  }

  #begin(key: string, workspace: WorkspaceId, name: string | null): Watched {
    const view = this.#read(workspace, name);
    // Whoever listens cannot be told of it; it is looked at again.
    view.catch(() => undefined);
    const watched = { workspace, name, listeners: new Set<ProfileListener>(), view };
    this.#watched.set(key, watched);
    return watched;
  }

  async #look(watched: Watched): Promise<void> {
    const { workspace, name, listeners } = watched;
    const before = await watched.view.catch(() => null);
    try {
      const now = await this.#read(workspace, name);
      watched.view = Promise.resolve(now);
      if (JSON.stringify(before) === JSON.stringify(now)) return;
      for (const listener of listeners) listener(before, now);
    } catch (error) {
      this.#log.error('profile.unreadable', { profile: name, error: String(error) });
    }
  }
}
