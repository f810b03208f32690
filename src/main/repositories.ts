/** The store's repositories in the shapes that the control plane asks for. */
import type {
  Kill,
  Probes,
  Profile,
  ProfileEntry,
  ProfileOptions,
  Profiles,
  ServerRow,
  ServerRows,
} from '../api/index.ts';
import { RECEIVERS } from '../audit/index.ts';
import { type Clock, newId, type Random, type WorkspaceId } from '../kernel/index.ts';
import type { ProfileRecord, Store } from '../store/index.ts';
import { isLevel } from './recording/levels.ts';

export function serverRows(store: Store): ServerRows {
  return {
    list: async (workspace) => (await store.servers.list(workspace)).filter(isServer),
    async find(workspace, slug) {
      const row = await store.servers.findBySlug(workspace, slug);
      return row !== null && isServer(row) ? row : null;
    },
    insert: (workspace, row: ServerRow, document = null) =>
      document === null
        ? store.servers.insert(workspace, row)
        : store.transaction(async ({ servers, documents }) => {
            await servers.insert(workspace, row);
            await documents.save(workspace, { server: row.id, ...document });
          }),
    update: (workspace, row: ServerRow) => store.servers.update(workspace, row),
    async remove(workspace, id) {
      await store.servers.remove(workspace, id);
    },
  };
}

/** What holds the values of the gateway's own receivers is none. */
const isServer = ({ slug }: { readonly slug: string }): boolean => slug !== RECEIVERS;

export function probes(store: Store): Probes {
  return {
    save: (workspace, server, probe) => store.probes.save(workspace, { server, ...probe }),
    find: (workspace, server) => store.probes.find(workspace, server),
  };
}

/** What is not stored is off. */
const profileOf = ({ name, entries, options }: ProfileRecord): Profile => ({
  name,
  entries,
  options: {
    tokenInUrl: options['tokenInUrl'] === true,
    search: options['search'] === true,
    record: isLevel(options['record']) ? options['record'] : null,
  },
});

export function profiles(store: Store, clock: Clock, random: Random): Profiles {
  const write = (
    workspace: WorkspaceId,
    name: string,
    change: (entries: readonly ProfileEntry[]) => readonly ProfileEntry[],
    chosen: Partial<ProfileOptions>,
  ): Promise<void> =>
    store.transaction(async ({ profiles: stored }) => {
      const before = await stored.findByName(workspace, name);
      const now = clock.now();
      const times = { createdAt: before?.createdAt ?? now, updatedAt: now };
      const entries = change(before?.entries ?? []);
      const options = { ...before?.options, ...chosen };
      if (before !== null) return stored.update(workspace, { ...before, entries, options, ...times });
      return stored.insert(workspace, {
        id: newId<'profile'>('prf', random),
        name,
        entries,
        options,
        ...times,
      });
    });
  return {
    list: async (workspace) => (await store.profiles.list(workspace)).map(profileOf),
    async find(workspace, name) {
      const record = await store.profiles.findByName(workspace, name);
      return record === null ? null : profileOf(record);
    },
    save: (workspace, { name, entries, options }) => write(workspace, name, () => entries, options ?? {}),
    edit: (workspace, name, change) => write(workspace, name, change, {}),
    /** With its rules, so that a later one of the same name does not find them. */
    remove: (workspace, name) =>
      store.transaction(async ({ profiles: stored, policies }) => {
        const before = await stored.findByName(workspace, name);
        await policies.remove(workspace, name);
        return before !== null && stored.remove(workspace, before.id);
      }),
  };
}

/** Active kill switches as the operator sees them: the workspace's own and the one for everything. */
export async function activeKills(store: Store, workspace: WorkspaceId): Promise<readonly Kill[]> {
  return (await store.kills.list(workspace)).map(({ scope, target, at, by, reason }) => ({
    scope,
    target,
    at,
    by,
    reason,
  }));
}
