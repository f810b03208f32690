/**
 * The kill switch's hand: once one is set, by this process or another, every cell and connection that it covers is cut.
 * New calls are refused by whoever is about to act, who asks the state anew each time; this is about what is under way.
 */
import type { Kill, Kills } from '../api/index.ts';
import type { CellPool } from './cells/pool.ts';
import { activeKills } from './repositories.ts';
import type { Services } from './services.ts';

export interface KillsDeps {
  readonly services: Pick<Services, 'store' | 'workspace'>;
  readonly pool: Pick<CellPool, 'kill'>;
  /** The front's: told to check everything in flight again. */
  readonly listeners: ReadonlySet<() => void>;
}

export interface EnforcedKills extends Kills {
  /** Cuts whatever an active switch covers. */
  enforce(): Promise<void>;
}

export function createKills({ services, pool, listeners }: KillsDeps): EnforcedKills {
  const { store, workspace } = services;

  async function enforce(): Promise<void> {
    for (const listener of listeners) listener();
    const kills = await activeKills(store, workspace);
    const everything = kills.some((kill) => kill.scope === 'all' || kill.scope === 'workspace');
    const targets = (scope: Kill['scope']): ReadonlySet<string> =>
      new Set(kills.filter((kill) => kill.scope === scope).map((kill) => kill.target));
    const [servers, users] = [targets('server'), targets('user')];
    if (!everything && servers.size === 0 && users.size === 0) return;
    await pool.kill(
      ({ server, key }) =>
        everything || servers.has(server.slug) || (key.owner !== null && users.has(key.owner)),
      'kill switch',
    );
  }

  return {
    list: (of) => activeKills(store, of),
    async set(of, kill) {
      await store.kills.set(of, kill);
      await enforce();
    },
    lift: (of, scope, target) => store.kills.lift(of, scope, target),
    enforce,
  };
}
