/** The read that every use of a credential makes, on a prepared statement. */
import type { Backend } from '../backend.ts';
import { toCredential } from '../repositories/credentials.ts';
import type { CredentialsTable } from '../schema.ts';
import type { SqliteConnection } from './connection.ts';

export function sqliteFindCredential(connection: SqliteConnection): Backend['findCredential'] {
  const select = connection.prepare(
    `select id, server_id, name, owner, version, value, data_key, updated_at, updated_by from credentials
     where workspace = ? and server_id = ? and name = ? and owner = ?`,
  );
  return (workspace, slot) =>
    connection.read(() => {
      const row = select.get(workspace, slot.server, slot.name, slot.owner ?? '');
      // The table is strict, so its columns have these types.
      return row === undefined ? null : toCredential(row as unknown as Omit<CredentialsTable, 'workspace'>);
    });
}
