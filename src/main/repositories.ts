/** The store's repositories in the shapes that the control plane asks for. */
import type { Kill, Probes, Profile, Profiles, ServerRow, ServerRows } from '../api/index.ts';
import { type Clock, newId, type Random, type WorkspaceId } from '../kernel/index.ts';
import type { Store } from '../store/index.ts';

export function serverRows(store: Store): ServerRows {
  return {
    list: (workspace) => store.servers.list(workspace),
    find: (workspace, slug) => store.servers.findBySlug(workspace, slug),
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

export function probes(store: Store): Probes {
  return {
    save: (workspace, server, probe) => store.probes.save(workspace, { server, ...probe }),
    find: (workspace, server) => store.probes.find(workspace, server),
  };
}

export function profiles(store: Store, clock: Clock, random: Random): Profiles {
  const edit: Profiles['edit'] = (workspace, name, change) =>
    store.transaction(async ({ profiles: stored }) => {
      const before = await stored.findByName(workspace, name);
      const now = clock.now();
      const times = { createdAt: before?.createdAt ?? now, updatedAt: now };
      const entries = change(before?.entries ?? []);
      if (before !== null) return stored.update(workspace, { ...before, entries, ...times });
      return stored.insert(workspace, {
        id: newId<'profile'>('prf', random),
        name,
        entries,
        options: {},
        ...times,
      });
    });
  return {
    list: (workspace) => store.profiles.list(workspace),
    find: (workspace, name) => store.profiles.findByName(workspace, name),
    save: (workspace, profile: Profile) => edit(workspace, profile.name, () => profile.entries),
    edit,
    async remove(workspace, name) {
      const before = await store.profiles.findByName(workspace, name);
      return before !== null && store.profiles.remove(workspace, before.id);
    },
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
