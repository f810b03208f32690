/**
 * The kill switch's hand: once one is set, by this process or another, every cell and connection that it covers is cut.
 * New calls are refused by whoever is about to act, who asks the state anew each time; this is about what is under way.
 */
import type { Kills } from '../api/index.ts';
import { limits } from '../kernel/index.ts';
import type { CellPool } from './cells/pool.ts';
import { activeKills } from './repositories.ts';
import type { Services } from './services.ts';

export interface KillsDeps {
  readonly services: Services;
  readonly pool: CellPool;
  /** The front's: told to check everything in flight again. */
  readonly listeners: ReadonlySet<() => void>;
}

export function createKills({ services, pool, listeners }: KillsDeps): Kills & { close(): void } {
  const { store, workspace } = services;

  async function cut(): Promise<void> {
    for (const listener of listeners) listener();
    const kills = await activeKills(store, workspace);
    const everything = kills.some((kill) => kill.scope === 'all' || kill.scope === 'workspace');
    const servers = new Set(kills.filter((kill) => kill.scope === 'server').map((kill) => kill.target));
    await pool.stop((cell) => everything || servers.has(cell.server.slug), 'kill switch');
  }

  // Another process may set one in the same database.
  let seen = store.revision();
  const watch = setInterval(() => {
    const now = store.revision();
    if (now === seen) return;
    seen = now;
    void cut();
  }, limits.killWatchIntervalMs).unref();

  return {
    list: (of) => activeKills(store, of),
    async set(of, kill) {
      await store.kills.set(of, kill);
      await cut();
    },
    lift: (of, scope, target) => store.kills.lift(of, scope, target),
    close: () => clearInterval(watch),
  };
}
