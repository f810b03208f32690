/** Which servers there are, from memory as long as nothing in the store has changed. For the check on every use. */
import type { ServerId, WorkspaceId } from '../kernel/index.ts';
import type { Store } from '../store/index.ts';

export interface ServerEntry {
  readonly slug: string;
  readonly enabled: boolean;
}

export class ServerDirectory {
  readonly #store: Pick<Store, 'servers' | 'revision'>;
  #revision = Number.NaN;
  #entries = new Map<string, ServerEntry | null>();

  constructor(store: Pick<Store, 'servers' | 'revision'>) {
    this.#store = store;
  }

  /** Null for a server that is not of this workspace. */
  async find(workspace: WorkspaceId, id: ServerId): Promise<ServerEntry | null> {
    const revision = this.#store.revision();
    if (revision !== this.#revision) {
      this.#entries = new Map();
      this.#revision = revision;
    }
    // Filled into the map of the revision that was asked about, which a later one may have replaced.
    const entries = this.#entries;
    // An id has no NUL, so no two pairs have the same key.
    const key = `${workspace}\0${id}`;
    let entry = entries.get(key);
    if (entry === undefined) {
      const row = await this.#store.servers.find(workspace, id);
      entry = row === null ? null : { slug: row.slug, enabled: row.enabled };
      // Only known servers are kept: asking for others must not fill the memory.
      if (entry !== null) entries.set(key, entry);
    }
    return entry;
  }
}
