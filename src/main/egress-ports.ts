/** What the data plane asks for, answered by the vault. The only bridge between the two. */
import { manifestOf, type ServerRow } from '../api/index.ts';
import type { CellIdentity, CredentialSource, KnownSecret } from '../egress/index.ts';
import { AppError, type CellId, type WorkspaceId } from '../kernel/index.ts';
import { GRANT_SLOTS } from '../oauth/index.ts';
import type { Caller, Vault } from '../vault/index.ts';
import { heldBy } from './cells/cell-key.ts';
import { cellCaller, gatewayCaller } from './cells/credentials.ts';

/** A credential of a stored server. */
export interface StoredCredential {
  readonly row: ServerRow;
  readonly name: string;
}

/** Who has a share of the data plane. */
export interface Tenants {
  /** The stored server whose credentials a cell, or a session of the proxy, may use; null when it is not there any more. */
  serverOf(cell: CellId): ServerRow | null;
  /** What a command of `sallyport run` may use, by the names that its bindings have; null: the cell is none. */
  credentialsOf(cell: CellId): ReadonlyMap<string, StoredCredential> | null;
  /** Asks once more whether a program outside may still use what it was given. @throws AppError when it may not */
  checkProxied(cell: CellId): Promise<void>;
}

/** A program outside uses what its token may use; a cell is somebody by itself. */
const callerOf = (workspace: WorkspaceId, { cell, proxy }: CellIdentity): Caller =>
  proxy === undefined
    ? cellCaller(workspace, cell)
    : { workspace, actor: { kind: 'token', id: proxy.token } };

export function credentialSource(workspace: WorkspaceId, vault: Vault, tenants: Tenants): CredentialSource {
  const serverOf = (cell: CellId): ServerRow => {
    const row = tenants.serverOf(cell);
    if (row === null)
      throw new AppError('cell_gone', 'The cell that asks is not running.', { kind: 'denied' });
    return row;
  };
  /** What is set for a server, of what this owner may use. */
  const namesOf = async (row: ServerRow, owner: string | null): Promise<ReadonlySet<string>> => {
    const infos = await vault.list(gatewayCaller(workspace), { id: row.id, slug: row.slug });
    return new Set(heldBy(owner, infos).keys());
  };
  return {
    async use(identity, credential, request) {
      const { cell, owner } = identity;
      if (identity.proxy !== undefined) await tenants.checkProxied(cell);
      const { row, name } = tenants.credentialsOf(cell)?.get(credential) ?? {
        row: serverOf(cell),
        name: credential,
      };
      return vault.use(
        callerOf(workspace, identity),
        { server: row.id, serverSlug: row.slug, name, owner },
        { kind: 'inject', data: request.data },
      );
    },
    async known(identity) {
      const { cell, owner } = identity;
      const wanted = tenants.credentialsOf(cell) ?? sealedOf(serverOf(cell));
      const set = new Map<ServerRow, ReadonlySet<string>>();
      const found: KnownSecret[] = [];
      try {
        for (const [label, { row, name }] of wanted) {
          const names = set.get(row) ?? (await namesOf(row, owner));
          set.set(row, names);
          if (!names.has(name)) continue;
          const value = await vault.use(
            callerOf(workspace, identity),
            { server: row.id, serverSlug: row.slug, name, owner },
            { kind: 'scrub', data: {} },
          );
          found.push({ name: label, value });
        }
      } catch (error) {
        for (const { value } of found) value.destroy();
        throw error;
      }
      return found;
    },
  };
}

/** What no manifest lists is a login's, which a remote server has or can have. */
function sealedOf(row: ServerRow): ReadonlyMap<string, StoredCredential> {
  const { credentials, server } = manifestOf(row);
  const sealed = credentials.filter(({ tier }) => tier === 'sealed').map(({ name }) => name);
  const names = server.kind === 'remote' ? [...sealed, ...GRANT_SLOTS] : sealed;
  return new Map(names.map((name) => [name, { row, name }]));
}
