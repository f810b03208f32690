/**
 * Whether something has changed that others may have cached. Triggers count such changes in a row of their own, and
 * audit events, which nobody caches and which are written all the time, are none. Read at most once per turn of the
 * event loop, on a connection of its own: that one sees what is committed and nothing else.
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
  let isFresh = false;
  let counted: unknown = null;
  let committed: unknown = null;
  let distrustedAt = clock.monotonic();

  function look(): void {
    const now = clock.monotonic();
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
      if (isFresh) return revision;
      look();
      isFresh = true;
      setImmediate(() => {
        isFresh = false;
      });
      return revision;
    },
    touched() {
      isFresh = false;
    },
  };
}
