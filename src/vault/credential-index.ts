/**
 * Which credentials a workspace has, in which version: one sealed list per workspace, rewritten with every change
 * in the same transaction. A row alone cannot prove that it is the newest; this list says so, and whoever edits
 * the database cannot write one.
 *
 * It catches a row that was restored from an older copy, deleted, or brought back after it was deleted, and a list
 * that goes back while this process runs. It does not catch a database that was put back *as a whole*, rows and
 * list together, while nothing was running: that is what restoring a backup does. The audit log's checkpoints,
 * kept elsewhere, tell.
 */
import { type CredentialId, limits, Secret, type ServerId, type WorkspaceId } from '../kernel/index.ts';
import type { KeyRing } from '../seal/index.ts';
import type { CredentialIndexRecord, CredentialSlot, Store } from '../store/index.ts';
import { indexContext } from './row-context.ts';
import { indexRolledBack, vaultFull } from './vault-error.ts';

export interface IndexEntry extends CredentialSlot {
  readonly id: CredentialId;
  readonly version: number;
}

/** The list at one version; 0 and empty for a workspace that never had a credential. */
export interface CredentialIndex {
  readonly version: number;
  readonly entries: ReadonlyMap<string, IndexEntry>;
}

const EMPTY: CredentialIndex = { version: 0, entries: new Map() };

/** JSON quotes each part: no two slots have the same key. */
const slotKey = (slot: CredentialSlot): string => JSON.stringify([slot.server, slot.name, slot.owner]);

export const entryOf = (index: CredentialIndex, slot: CredentialSlot): IndexEntry | undefined =>
  index.entries.get(slotKey(slot));

export const withEntry = (index: CredentialIndex, entry: IndexEntry): CredentialIndex => {
  const entries = new Map(index.entries).set(slotKey(entry), entry);
  if (entries.size > limits.credentialsPerWorkspaceMax) throw vaultFull(limits.credentialsPerWorkspaceMax);
  return { version: index.version + 1, entries };
};

export const withoutEntry = (index: CredentialIndex, slot: CredentialSlot): CredentialIndex => {
  const entries = new Map(index.entries);
  entries.delete(slotKey(slot));
  return { version: index.version + 1, entries };
};

interface Cached {
  readonly revision: number;
  readonly record: CredentialIndexRecord | null;
  readonly index: CredentialIndex;
}

/** Reads, checks, caches and seals the lists of all workspaces. */
export class CredentialIndexes {
  readonly #store: Pick<Store, 'credentials' | 'revision'>;
  readonly #ring: KeyRing;
  /** In order of last use. */
  readonly #cache = new Map<WorkspaceId, Cached>();
  /** Highest version seen, per workspace. Never goes down, whatever the cache forgets. */
  readonly #seen = new Map<WorkspaceId, number>();

  constructor(store: Pick<Store, 'credentials' | 'revision'>, ring: KeyRing) {
    this.#store = store;
    this.#ring = ring;
  }

  /** As of now: from memory unless something in the store has changed. @throws AppError `vault_rolled_back`, `seal_*` */
  async current(workspace: WorkspaceId): Promise<CredentialIndex> {
    // Taken before reading: a change in between makes the next look read again.
    const revision = this.#store.revision();
    const cached = this.#cache.get(workspace);
    if (cached?.revision === revision) return cached.index;
    const floor = this.floor(workspace);
    const record = await this.#store.credentials.index(workspace);
    // Most changes in the store are none of this list; the same envelope opens to the same list.
    refuseOlder(record, floor);
    const index = sameRecord(cached?.record, record) ? cached?.index : undefined;
    return this.#keep(workspace, {
      revision,
      record,
      index: index ?? (await this.open(workspace, record, floor)),
    });
  }

  /**
   * @param floor as it was before the record was read: later, others may have moved it past the record
   * @throws as `current`
   */
  async open(
    workspace: WorkspaceId,
    record: CredentialIndexRecord | null,
    floor: number,
  ): Promise<CredentialIndex> {
    refuseOlder(record, floor);
    if (record === null) return EMPTY;
    const { version } = record;
    const text = await this.#ring.openValue(record, indexContext(workspace, version));
    this.written(workspace, version);
    return { version, entries: decode(text) };
  }

  /** What is read from now on cannot be older than this version. */
  floor(workspace: WorkspaceId): number {
    return this.#seen.get(workspace) ?? 0;
  }

  /** From here on, this process takes nothing older for the truth. */
  written(workspace: WorkspaceId, version: number): void {
    this.#seen.set(workspace, Math.max(version, this.floor(workspace)));
  }

  /** Ready to be written. May add a tenant key to the store, so not inside a transaction. */
  async seal(workspace: WorkspaceId, index: CredentialIndex): Promise<CredentialIndexRecord> {
    const text = Secret.fromString(encode(index));
    const sealed = await this.#ring.sealValue(text, indexContext(workspace, index.version));
    return { version: index.version, ...sealed };
  }

  #keep(workspace: WorkspaceId, cached: Cached): CredentialIndex {
    this.#cache.delete(workspace);
    this.#cache.set(workspace, cached);
    const oldest = this.#cache.keys().next();
    if (this.#cache.size > limits.credentialIndexesCachedMax && !oldest.done)
      this.#cache.delete(oldest.value);
    return cached.index;
  }
}

function refuseOlder(record: CredentialIndexRecord | null, floor: number): void {
  const found = record?.version ?? 0;
  if (found < floor) throw indexRolledBack(floor, found);
}

const sameRecord = (a: CredentialIndexRecord | null | undefined, b: CredentialIndexRecord | null): boolean =>
  a === b ||
  (a !== null &&
    a !== undefined &&
    b !== null &&
    a.version === b.version &&
    a.value.equals(b.value) &&
    a.dataKey.equals(b.dataKey));

/** One short line per entry: a workspace may have thousands. */
type Line = readonly [
  server: ServerId,
  name: string,
  owner: string | null,
  id: CredentialId,
  version: number,
];

const encode = (index: CredentialIndex): string =>
  JSON.stringify(
    [...index.entries.values()].map(
      ({ server, name, owner, id, version }): Line => [server, name, owner, id, version],
    ),
  );

/** What opens is what `encode` wrote: the envelope is authenticated and bound to this table. */
function decode(text: Secret): Map<string, IndexEntry> {
  const lines = JSON.parse(text.reveal()) as Line[];
  return new Map(
    lines.map(([server, name, owner, id, version]) => {
      const entry = { server, name, owner, id, version };
      return [slotKey(entry), entry];
    }),
  );
}
