/** What the data plane asks for, answered by the vault and the front. The only bridge between the two. */
import { manifestOf } from '../api/index.ts';
import type { CredentialSource, KnownSecret } from '../egress/index.ts';
import { AppError, type WorkspaceId } from '../kernel/index.ts';
import type { Vault } from '../vault/index.ts';
import type { CellPool } from './cells/pool.ts';
import { cellCaller, gatewayCaller } from './cells/start.ts';

/** @param pool late, because the pool needs the egress that needs this */
export function credentialSource(
  workspace: WorkspaceId,
  vault: Vault,
  pool: () => CellPool,
): CredentialSource {
  const serverOf = (cell: Parameters<CellPool['serverOf']>[0]) => {
    const row = pool().serverOf(cell);
    if (row === null)
      throw new AppError('cell_gone', 'The cell that asks is not running.', { kind: 'denied' });
    return row;
  };
  return {
    use({ cell, owner }, credential, request) {
      const row = serverOf(cell);
      return vault.use(
        cellCaller(workspace, cell),
        { server: row.id, serverSlug: row.slug, name: credential, owner },
        { kind: 'inject', data: request.data },
      );
    },
    async known({ cell, owner }) {
      const row = serverOf(cell);
      const set = new Set(
        (await vault.list(gatewayCaller(workspace), { id: row.id, slug: row.slug })).map((info) => info.name),
      );
      const found: KnownSecret[] = [];
      try {
        for (const { name, tier } of manifestOf(row).credentials) {
          if (tier !== 'sealed' || !set.has(name)) continue;
          const value = await vault.use(
            cellCaller(workspace, cell),
            { server: row.id, serverSlug: row.slug, name, owner },
            { kind: 'scrub', data: {} },
          );
          found.push({ name, value });
        }
      } catch (error) {
        for (const { value } of found) value.destroy();
        throw error;
      }
      return found;
    },
  };
}
