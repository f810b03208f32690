/** Which log messages one client wants. A shared server logs as much as its most curious client asked for. */
import { ownRequest } from './message.ts';
import { LOG_LEVELS } from './protocol.ts';
import type { Attachment } from './server-requests.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export class LogLevels {
  /** Least severe level that is wanted; null where the client never said: every one that the server sends. */
  #level: string | null = null;
  #stateless = false;

  get level(): string | null {
    return this.#level;
  }

  set(level: string): void {
    this.#level = level;
  }

  /** In the stateless revision each request names its level, and without one none is sent. */
  setForStateless(level: string | null): void {
    this.#stateless = true;
    this.#level = level;
  }

  wants(level: string | null): boolean {
    if (this.#level === null) return !this.#stateless;
    if (level === null || !LOG_LEVELS.includes(level)) return true;
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.#level);
  }
}

/** What to ask of a server so that this client, which wants `level`, and every other one gets its messages. */
export function effectiveLevel(
  connection: UpstreamConnection,
  self: Attachment | null,
  level: string,
): string {
  let least = level;
  for (const attachment of connection.attachments) {
    const other = attachment === self ? null : attachment.logLevel();
    if (other !== null && LOG_LEVELS.indexOf(other) < LOG_LEVELS.indexOf(least)) least = other;
  }
  return least;
}

/** Tells a server the level; its answer changes nothing, since messages are filtered on their way to the client. */
export function askForLevel(connection: UpstreamConnection, self: Attachment | null, level: string): void {
  const wanted = effectiveLevel(connection, self, level);
  const message = ownRequest('logging/setLevel', JSON.stringify({ level: wanted }));
  connection.request({ message, owner: null }).response.catch(() => {});
}
