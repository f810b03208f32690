import type { WorkspaceId } from '../../src/kernel/index.ts';
import type { TenantKeyRow, TenantKeyStore } from '../../src/seal/index.ts';

/** A TenantKeyStore in memory whose rows a test can look at and tamper with. */
export class MemoryTenantKeys implements TenantKeyStore {
  rows: TenantKeyRow[] = [];
  /** Called before each operation; may throw, to stand for a process that dies there. */
  before: (operation: 'load' | 'insert' | 'list' | 'replace') => void | Promise<void> = () => {};

  async load(workspace: WorkspaceId): Promise<readonly TenantKeyRow[]> {
    await this.before('load');
    return this.rows.filter((row) => row.workspace === workspace);
  }

  async insert(row: TenantKeyRow): Promise<boolean> {
    await this.before('insert');
    if (this.rows.some((other) => samePlace(row, other))) return false;
    this.rows.push(row);
    return true;
  }

  async list(): Promise<readonly TenantKeyRow[]> {
    await this.before('list');
    return [...this.rows];
  }

  async replace(row: TenantKeyRow, expectedMasterKeyId: string): Promise<boolean> {
    await this.before('replace');
    const at = this.rows.findIndex(
      (other) => samePlace(row, other) && other.masterKeyId === expectedMasterKeyId,
    );
    if (at === -1) return false;
    this.rows[at] = row;
    return true;
  }
}

const samePlace = (a: TenantKeyRow, b: TenantKeyRow): boolean =>
  a.workspace === b.workspace && a.purpose === b.purpose && a.version === b.version;
