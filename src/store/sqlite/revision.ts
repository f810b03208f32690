/**
 * Whether something has changed that others may have cached. Triggers count such changes in a row of their own, and
 * audit events, which nobody caches and which are written all the time, are none. Read on a connection of its own, which
 * sees what is committed and nothing else, and once in a few milliseconds unless this process has changed something: a
 * look costs tens of microseconds while others write, and there would be two for each request.
 *
 * Somebody who writes to the file can drop the triggers or turn the counter back. What SQLite itself knows of other
 * connections' commits (`data_version`) is not in the file: where there were any, the caches are told to read anew now
 * and then, whatever the counter says (`limits.storeRevisionTrustMs`). Until then they go by what was true before.
 */
import { type Clock, limits } from '../../kernel/index.ts';
import type { Revision } from '../backend.ts';
import type { SqliteConnection } from './connection.ts';

export function sqliteRevision(connection: SqliteConnection, clock: Clock): Revision {
  const counter = connection.prepare('select value from revision');
  const commits = connection.prepare('pragma data_version');
  const number = (statement: typeof counter): unknown =>
    connection.guard(() => Object.values(statement.get() ?? {})[0]);
  let revision = 0;
  let glancedAt = Number.NEGATIVE_INFINITY;
  let counted: unknown = null;
  let committed: unknown = null;
  let distrustedAt = clock.monotonic();

  function look(now: number): void {
    const found = number(counter);
    let changed = found !== counted;
    counted = found;
    if (now - distrustedAt >= limits.storeRevisionTrustMs) {
      const commit = number(commits);
      changed ||= commit !== committed;
      committed = commit;
      distrustedAt = now;
    }
    if (changed) revision += 1;
  }

  return {
    current() {
      const now = clock.monotonic();
      if (now - glancedAt < limits.storeRevisionGlanceMs) return revision;
      look(now);
      glancedAt = now;
      return revision;
    },
    touched() {
      glancedAt = Number.NEGATIVE_INFINITY;
    },
  };
}
