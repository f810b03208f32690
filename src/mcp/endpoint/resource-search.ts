/**
 * Who has a resource that no server of a profile is known to have: they are asked for their lists, each of them that may say
 * something new. Clients can ask for any address, as often as they like, and each of that must not be a request to every server.
 */
import { type Clock, limits } from '../../kernel/index.ts';
import { listAll } from './aggregate-lists.ts';
import type { ClientRequest } from '../client/client-request.ts';
import type { ClientSession } from '../client/client-session.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import type { ProfileResources, ResourceRoute } from './profile-resources.ts';

/** That a caller could not ask a server. */
interface Failure {
  /** `Clock.monotonic()`. */
  readonly sinceMs: number;
  /** The server that runs for the caller and did not say; null: none did. */
  readonly running: OpenUpstream | null;
}

export class ResourceSearch {
  readonly resources: ProfileResources;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /**
   * By caller and server, because callers may have cells and credentials of their own: whom one of them could not ask, another
   * may. The earliest first; forgotten when it is over.
   */
  readonly #failures = new Map<string, Failure>();
  /** Searches that are on their way, by the caller that they are for. */
  readonly #searches = new Map<string, Promise<void>>();

  constructor(resources: ProfileResources, clock: Pick<Clock, 'monotonic'>) {
    this.resources = resources;
    this.#clock = clock;
  }

  /** @returns null where no server says that it has it */
  async find(
    session: ClientSession,
    servers: readonly ProfileServer[],
    uri: string,
    request: ClientRequest | null,
  ): Promise<ResourceRoute | null> {
    const known = this.resources.find(uri);
    if (known !== null) return known;
    const { caller } = session;
    const underWay = this.#searches.get(caller);
    if (underWay !== undefined) {
      await underWay;
      const found = this.resources.find(uri);
      if (found !== null) return found;
    }
    const search = this.#ask(session, servers, request).finally(() => {
      if (this.#searches.get(caller) === search) this.#searches.delete(caller);
    });
    this.#searches.set(caller, search);
    await search;
    return this.resources.find(uri);
  }

  async #ask(
    session: ClientSession,
    servers: readonly ProfileServer[],
    request: ClientRequest | null,
  ): Promise<void> {
    this.#forgetPast();
    const asked = servers.filter((server) => this.#maySayMore(session, server));
    if (asked.length === 0) return;
    for (const server of asked) this.#failures.delete(failureKey(session, server));
    for (const method of ['resources/list', 'resources/templates/list'] as const) {
      const { leftOut } = await listAll(session, asked, { method, request, resources: this.resources });
      for (const server of asked)
        if (leftOut.some(({ server: slug }) => slug === server.slug)) this.#hasFailed(session, server);
    }
  }

  #maySayMore(session: ClientSession, server: ProfileServer): boolean {
    const running = session.running(server);
    if (running !== null && !running.hello.has('resources')) {
      this.resources.hasNone(server.slug, running.hello.era);
      return false;
    }
    const isKnown =
      running !== null &&
      this.resources.knows(server.slug, running.hello.era) &&
      running.resourceLists.isCurrent(this.resources);
    if (isKnown) return false;
    const failure = this.#failures.get(failureKey(session, server));
    // To start it is what asking is for; one that was started since is another.
    return failure === undefined || (running !== null && failure.running !== running);
  }

  #hasFailed(session: ClientSession, server: ProfileServer): void {
    const key = failureKey(session, server);
    const running = session.running(server);
    // To the end of them.
    this.#failures.delete(key);
    this.#failures.set(key, { sinceMs: this.#clock.monotonic(), running });
  }

  #forgetPast(): void {
    const pastMs = this.#clock.monotonic() - limits.mcpResourceMissingMs;
    for (const [key, { sinceMs }] of this.#failures) {
      if (sinceMs > pastMs) return;
      this.#failures.delete(key);
    }
  }
}

const failureKey = ({ caller }: ClientSession, { slug }: ProfileServer): string => `${caller} ${slug}`;
