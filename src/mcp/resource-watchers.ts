/**
 * Who of a shared server's clients subscribed to which resource. The server keeps one subscription for all of
 * them; it ends when the last one leaves.
 */
import { ownRequest } from './message.ts';
import type { Attachment } from './server-requests.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamListen } from './upstream-listen.ts';

export class ResourceWatchers {
  readonly #connection: UpstreamConnection;
  readonly #listen: UpstreamListen | null;
  readonly #byUri = new Map<string, Set<Attachment>>();

  /** @param listen where the server takes one subscription for everything */
  constructor(connection: UpstreamConnection, listen: UpstreamListen | null) {
    this.#connection = connection;
    this.#listen = listen;
  }

  add(uri: string, attachment: Attachment): void {
    const watchers = this.#byUri.get(uri) ?? new Set();
    watchers.add(attachment);
    this.#byUri.set(uri, watchers);
  }

  /** @returns whether others still watch it, so that the server must not hear of this */
  remove(uri: string, attachment: Attachment): boolean {
    const watchers = this.#byUri.get(uri);
    watchers?.delete(attachment);
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
    for (const watchers of this.#byUri.values()) if (watchers.has(attachment)) return true;
    return false;
  }

  /** A client left: subscriptions of its own alone are ended. */
  dropped(attachment: Attachment): void {
    for (const [uri, watchers] of this.#byUri) {
      if (!watchers.has(attachment) || this.remove(uri, attachment) || !this.#connection.alive) continue;
      if (this.#listen !== null) {
        this.settle().catch(() => {});
        continue;
      }
      const message = ownRequest('resources/unsubscribe', JSON.stringify({ uri }));
      this.#connection.request({ message, owner: null }).response.catch(() => {});
    }
  }
}
