/** What a `subscriptions/listen` of a client needs of the servers of its endpoint: to be attached to them, so that changes arrive. */
import { limits } from '../../kernel/index.ts';
import { listChanged, listed } from '../protocol/lists.ts';
import type { Outages } from './outages.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import type { Soon } from '../soon.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';

/** The session that listens. */
interface Listener {
  readonly outages: Outages;
  use(server: ProfileServer): Soon<OpenUpstream>;
}

interface Wanted {
  readonly servers: readonly ProfileServer[];
  /** Subscribes to all resources that are asked for; what fails is no matter. */
  readonly subscribe: () => Promise<unknown>;
}

/**
 * Attaches to all of them, and subscribes to resources there. Resolves when each has answered or has had its time: one
 * that is slow, or fails, is attached when it is there.
 */
export async function listenTo(session: Listener, { servers, subscribe }: Wanted): Promise<void> {
  await Promise.all(servers.map((server) => attach(session, server, subscribe)));
  await subscribe();
}

/** The session that listens, and what it sees of servers that run. */
interface Follower extends Pick<Listener, 'use'> {
  readonly isOpen: (server: ProfileServer) => boolean;
  readonly onOpen: (listener: (slug: string) => void) => () => void;
}

/**
 * Attaches to those that run, and to the others once somebody else has started them: where clients are to know servers
 * without any start, listening is no reason for one.
 *
 * @returns stops it
 */
export async function followRunning(
  { use, isOpen, onOpen }: Follower,
  servers: readonly ProfileServer[],
): Promise<() => void> {
  const attachTo = async (server: ProfileServer): Promise<void> => {
    if (!isOpen(server)) return;
    try {
      await use(server);
    } catch {
      // As good as one that does not run.
    }
  };
  const stop = onOpen((slug) => {
    for (const server of servers) if (server.slug === slug) void attachTo(server);
  });
  await Promise.all(servers.map(attachTo));
  return stop;
}

async function attach(
  session: Listener,
  server: ProfileServer,
  subscribe: Wanted['subscribe'],
): Promise<void> {
  const { slug } = server;
  const { outages } = session;
  const again = async (): Promise<readonly string[]> => {
    const { hello } = await session.use(server);
    await subscribe();
    return listed.filter((list) => hello.has(list)).map(listChanged);
  };
  const gap = { slug, what: 'subscriptions/listen', asking: null, again };
  const { promise: deadline, resolve } = Promise.withResolvers<void>();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    resolve();
  }, limits.mcpListMs);
  const attached = (async () => session.use(server))()
    .then(async () => {
      if (late) outages.cameLate(slug, gap.what, await again());
    })
    .catch((error: unknown) => outages.hasFailed(gap, error));
  await Promise.race([attached, deadline]);
  clearTimeout(timer);
}
