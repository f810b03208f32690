/** The store's repositories in the shapes that the control plane asks for. */
import type { Kill, Profile, Profiles, ServerRow, ServerRows } from '../api/index.ts';
import { type Clock, newId, type Random, type WorkspaceId } from '../kernel/index.ts';
import type { Store } from '../store/index.ts';

export function serverRows(store: Store): ServerRows {
  return {
    list: (workspace) => store.servers.list(workspace),
    find: (workspace, slug) => store.servers.findBySlug(workspace, slug),
    insert: (workspace, row: ServerRow) => store.servers.insert(workspace, row),
    update: (workspace, row: ServerRow) => store.servers.update(workspace, row),
    async remove(workspace, id) {
      await store.servers.remove(workspace, id);
    },
  };
}

export function profiles(store: Store, clock: Clock, random: Random): Profiles {
  return {
    list: (workspace) => store.profiles.list(workspace),
    find: (workspace, name) => store.profiles.findByName(workspace, name),
    async save(workspace, profile: Profile) {
      const before = await store.profiles.findByName(workspace, profile.name);
      const now = clock.now();
      if (before === null) {
        await store.profiles.insert(workspace, {
          id: newId<'profile'>('prf', random),
          ...profile,
          createdAt: now,
          updatedAt: now,
        });
      } else {
        await store.profiles.update(workspace, { ...before, entries: profile.entries, updatedAt: now });
      }
    },
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
