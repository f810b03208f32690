import { DatabaseSync } from 'node:sqlite';
import type { WorkspaceId } from '../../src/kernel/index.ts';
import type { TenantKeyRow, TenantKeyStore } from '../../src/seal/index.ts';

/** A durable TenantKeyStore of a few lines, for tests in which a process dies. */
export function sqliteTenantKeys(
  path: string,
  before: () => void = () => {},
): TenantKeyStore & { close(): void } {
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec(
    `CREATE TABLE IF NOT EXISTS tenant_keys (workspace TEXT, purpose TEXT, version INTEGER, master_key_id TEXT,
     wrapped BLOB, created_at INTEGER, PRIMARY KEY (workspace, purpose, version))`,
  );
  const rows = (where: string, ...values: string[]): TenantKeyRow[] =>
    database
      .prepare(`SELECT * FROM tenant_keys ${where}`)
      .all(...values)
      .map((row) => ({
        workspace: String(row['workspace']) as WorkspaceId,
        purpose: row['purpose'] === 'audit' ? 'audit' : 'data',
        version: Number(row['version']),
        masterKeyId: String(row['master_key_id']),
        wrapped: Buffer.from(row['wrapped'] instanceof Uint8Array ? row['wrapped'] : []),
        createdAt: Number(row['created_at']),
      }));
  return {
    async load(workspace) {
      before();
      return rows('WHERE workspace = ?', workspace);
    },
    async list() {
      before();
      return rows('ORDER BY workspace, purpose, version');
    },
    async insert(row) {
      before();
      const insert = database.prepare('INSERT OR IGNORE INTO tenant_keys VALUES (?, ?, ?, ?, ?, ?)');
      const { changes } = insert.run(
        row.workspace,
        row.purpose,
        row.version,
        row.masterKeyId,
        row.wrapped,
        row.createdAt,
      );
      return changes === 1;
    },
    async replace(row, expectedMasterKeyId) {
      before();
      const update = database.prepare(
        `UPDATE tenant_keys SET master_key_id = ?, wrapped = ?
         WHERE workspace = ? AND purpose = ? AND version = ? AND master_key_id = ?`,
      );
      const { changes } = update.run(
        row.masterKeyId,
        row.wrapped,
        row.workspace,
        row.purpose,
        row.version,
        expectedMasterKeyId,
      );
      before();
      return changes === 1;
    },
    close: () => database.close(),
  };
}
