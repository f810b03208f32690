/**
 * SQLite's `data_version` moves when another connection commits; changes of our own are counted here, except
 * audit events, which nobody caches and which would otherwise empty every cache all the time.
 */
import type { Revision } from '../backend.ts';
import type { SqliteConnection } from './connection.ts';

export function sqliteRevision(connection: SqliteConnection): Revision {
  const statement = connection.prepare('pragma data_version');
  let revision = 0;
  let seen: unknown = null;
  return {
    current() {
      const found = connection.guard(() => statement.get()?.['data_version']);
      if (found !== seen) {
        seen = found;
        revision += 1;
      }
      return revision;
    },
    touched() {
      revision += 1;
    },
  };
}
