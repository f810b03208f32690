/**
 * The kill switch's hand: once one is set, by this process or another, every cell and connection that it covers is cut.
 * New calls are refused by whoever is about to act, who asks the state anew each time; this is about what is under way.
 */
import type { Kill, Kills } from '../api/index.ts';
import type { Egress } from '../egress/index.ts';
import type { StoredCredential } from './egress-ports.ts';
import { type CellId, limits, type Log } from '../kernel/index.ts';
import type { CellPool } from './cells/pool.ts';
import { activeKills } from './repositories.ts';
import type { Services } from './services.ts';

export interface KillsDeps {
  readonly services: Pick<Services, 'store' | 'workspace'>;
  readonly log: Log;
  readonly pool: Pick<CellPool, 'kill'>;
  readonly egress: Pick<Egress, 'withdraw'>;
  /** What a cell knows by its own names, where those are not the server's. */
  readonly credentialsOf: (cell: CellId) => ReadonlyMap<string, StoredCredential> | null;
  /** The front's: told to check everything in flight again. */
  readonly listeners: ReadonlySet<() => void>;
}

export interface EnforcedKills extends Kills {
  /** Cuts whatever an active switch covers. */
  enforce(): Promise<void>;
  /** Looks for switches that other processes set. Returns the way to stop. */
  watch(): () => void;
}

export function createKills({
  services,
  pool,
  egress,
  credentialsOf,
  listeners,
  log,
}: KillsDeps): EnforcedKills {
  const { store, workspace } = services;

  async function enforce(): Promise<void> {
    for (const listener of listeners) listener();
    const kills = await activeKills(store, workspace);
    const everything = kills.some((kill) => kill.scope === 'all' || kill.scope === 'workspace');
    const targets = (scope: Kill['scope']): ReadonlySet<string> =>
      new Set(kills.filter((kill) => kill.scope === scope).map((kill) => kill.target));
    const [servers, users, credentials] = [targets('server'), targets('user'), targets('credential')];
    if (credentials.size > 0) {
      egress.withdraw(({ cell, server }, name) => {
        const own = credentialsOf(cell)?.get(name);
        return credentials.has(own === undefined ? `${server}/${name}` : `${own.row.slug}/${own.name}`);
      });
    }
    if (!everything && servers.size === 0 && users.size === 0 && credentials.size === 0) return;
    await pool.kill(
      ({ server, key, entrusted, credentials: held }) =>
        everything ||
        servers.has(server.slug) ||
        (key.owner !== null && users.has(key.owner)) ||
        // What was given the value itself may send it anywhere that it may connect to.
        (entrusted && [...held.keys()].some((name) => credentials.has(`${server.slug}/${name}`))),
      'kill switch',
    );
  }

  let seen = store.revision();
  let known: ReadonlySet<string> = new Set();
  let isLooking = false;

  /** Only a switch that was not there before is worth a cut. */
  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    try {
      // Taken before reading: a change in between is looked at the next time.
      const revision = store.revision();
      if (revision === seen) return;
      const set = new Set((await activeKills(store, workspace)).map((kill) => JSON.stringify(kill)));
      const isNew = [...set].some((kill) => !known.has(kill));
      if (isNew) await enforce();
      known = set;
      seen = revision;
    } catch (error) {
      log.error('kills.watch_failed', { error: String(error) });
    } finally {
      isLooking = false;
    }
  }

  return {
    list: (of) => activeKills(store, of),
    async set(of, kill) {
      await store.kills.set(of, kill);
      await enforce();
    },
    lift: (of, scope, target) => store.kills.lift(of, scope, target),
    enforce,
    watch() {
      const timer = setInterval(() => void look(), limits.killWatchIntervalMs).unref();
      return () => clearInterval(timer);
    },
  };
}
