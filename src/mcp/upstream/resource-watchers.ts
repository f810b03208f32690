/**
 * Who of a shared server's clients subscribed to which resource. The server keeps one subscription for all of
 * them; it ends when the last one leaves.
 */
import { AppError, limits } from '../../kernel/index.ts';
import { ownRequest } from '../protocol/message.ts';
import type { Attachment } from './server-requests.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamListen } from './upstream-listen.ts';

export class ResourceWatchers {
  readonly #connection: UpstreamConnection;
  readonly #listen: UpstreamListen | null;
  readonly #byUri = new Map<string, Set<Attachment>>();
  /** How many resources each client watches. */
  readonly #counts = new Map<Attachment, number>();

  /** @param listen where the server takes one subscription for everything */
  constructor(connection: UpstreamConnection, listen: UpstreamListen | null) {
    this.#connection = connection;
    this.#listen = listen;
  }

  /** @throws AppError `mcp_watched_too_many` */
  add(uri: string, attachment: Attachment): void {
    const watchers = this.#byUri.get(uri) ?? new Set();
    if (watchers.has(attachment)) return;
    const count = this.#counts.get(attachment) ?? 0;
    if (count >= limits.mcpWatchedResourcesMax || uri.length > limits.mcpWatchedUriCharsMax)
      throw watchedTooMany();
    this.#counts.set(attachment, count + 1);
    watchers.add(attachment);
    this.#byUri.set(uri, watchers);
  }

  /** @returns whether others still watch it, so that the server must not hear of this */
  remove(uri: string, attachment: Attachment): boolean {
    const watchers = this.#byUri.get(uri);
    if (watchers?.delete(attachment) === true) this.#uncount(attachment);
    if (watchers === undefined || watchers.size > 0) return watchers !== undefined;
    this.#byUri.delete(uri);
    return false;
  }

  /**
   * Makes a stateless server's one subscription that of everything that is watched.
   *
   * @throws AppError `upstream_…`
   */
  async settle(): Promise<void> {
    await this.#listen?.watch([...this.#byUri.keys()].sort());
  }

  /** Whether this client watches anything here: an update may be about a part of what it subscribed to. */
  includes(attachment: Attachment): boolean {
    return this.#counts.has(attachment);
  }

  #uncount(attachment: Attachment): void {
    const left = (this.#counts.get(attachment) ?? 0) - 1;
    if (left > 0) this.#counts.set(attachment, left);
    else this.#counts.delete(attachment);
  }

  /** A client left: subscriptions of its own alone are ended. */
  dropped(attachment: Attachment): void {
    if (!this.#counts.has(attachment)) return;
    const own = [...this.#byUri]
      .filter(([uri, watchers]) => watchers.has(attachment) && !this.remove(uri, attachment))
      .map(([uri]) => uri);
    if (own.length === 0 || !this.#connection.alive) return;
    if (this.#listen === null) for (const uri of own) this.#unsubscribe(uri).catch(() => {});
    else this.settle().catch(() => {});
  }

  /** @throws AppError `upstream_…`, as every request */
  async #unsubscribe(uri: string): Promise<void> {
    const message = ownRequest('resources/unsubscribe', JSON.stringify({ uri }));
    await this.#connection.request({ message, owner: null }).response;
  }
}

export const watchedTooMany = (): AppError =>
  new AppError('mcp_watched_too_many', 'This client watches too many resources, or one of too long a name.', {
    kind: 'limited',
    hint: `At most ${limits.mcpWatchedResourcesMax} of a server, each with a URI of at most ${limits.mcpWatchedUriCharsMax} characters. Unsubscribe from some.`,
  });
