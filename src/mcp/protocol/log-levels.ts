/** Which log messages one client wants. A shared server logs as much as its most curious client asked for. */
import { ownRequest } from './message.ts';
import { LOG_LEVELS } from './protocol.ts';
import type { Attachment } from '../upstream/server-requests.ts';
import type { UpstreamConnection } from '../upstream/upstream-connection.ts';

/** Whether a message of this level belongs to those from `least` up; one of an unknown level does. */
export const isSevere = (level: string | null, least: string): boolean =>
  level === null || !LOG_LEVELS.includes(level) || LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least);

export class LogLevels {
  /** Least severe level that is wanted; null where the client never said: every one that the server sends. */
  #level: string | null = null;

  get level(): string | null {
    return this.#level;
  }

  set(level: string | null): void {
    this.#level = level;
  }

  wants(level: string | null): boolean {
    return this.#level === null || isSevere(level, this.#level);
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

/** Tells a server with sessions the level; its answer changes nothing, since messages are filtered on their way to the client. */
export function askForLevel(connection: UpstreamConnection, self: Attachment | null, level: string): void {
  if (connection.era === 'stateless') return;
  const wanted = effectiveLevel(connection, self, level);
  const message = ownRequest('logging/setLevel', JSON.stringify({ level: wanted }));
  connection.request({ message, owner: null }).response.catch(() => {});
}
