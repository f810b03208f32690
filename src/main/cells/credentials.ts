/** What is known of the credentials of a stored server, whatever kind of server it is; no value is opened here. */
import type { ServerRow } from '../../api/index.ts';
import { AppError, type CellId, type WorkspaceId } from '../../kernel/index.ts';
import type { Manifest } from '../../manifest/index.ts';
import type { Caller, CredentialInfo, Vault } from '../../vault/index.ts';
import { heldBy, type HeldCredentials } from './cell-key.ts';

interface CredentialDeps {
  readonly vault: Pick<Vault, 'list'>;
  readonly workspace: WorkspaceId;
}

export type CredentialVersions = ReadonlyMap<string, number>;

export const cellCaller = (workspace: WorkspaceId, cell: CellId): Caller => ({
  workspace,
  actor: { kind: 'cell', id: cell },
});
/** The gateway itself: may know which credentials are set, which a cell may not. */
export const gatewayCaller = (workspace: WorkspaceId): Caller => ({
  workspace,
  actor: { kind: 'system', id: 'gateway' },
});

/** What is set for a server, of every owner. */
export const credentialInfos = (deps: CredentialDeps, row: ServerRow): Promise<readonly CredentialInfo[]> =>
  deps.vault.list(gatewayCaller(deps.workspace), { id: row.id, slug: row.slug });

/** The values that are set for a server and shared by the workspace. */
export async function credentialVersions(deps: CredentialDeps, row: ServerRow): Promise<CredentialVersions> {
  const infos = await credentialInfos(deps, row);
  return new Map(infos.filter(({ owner }) => owner === null).map(({ name, version }) => [name, version]));
}

/** @throws AppError `vault_credential_missing` for the first required one without a value */
export async function presentCredentials(
  deps: CredentialDeps,
  row: ServerRow,
  manifest: Manifest,
  owner: string | null,
): Promise<HeldCredentials> {
  const set = heldBy(owner, await credentialInfos(deps, row));
  const missing = missingCredential(row.slug, manifest, set);
  if (missing !== null) throw missing;
  return set;
}

/** Why a server cannot do its work: the first required credential without a value; null when all are there. */
export function missingCredential(slug: string, manifest: Manifest, set: HeldCredentials): AppError | null {
  const slot = manifest.credentials.find(({ required, name }) => required && !set.has(name));
  if (slot === undefined) return null;
  return new AppError(
    'vault_credential_missing',
    `\`${slug}\` needs the credential ${slot.name}, and no value is set.`,
    {
      kind: 'failed',
      hint: `Set it: \`sallyport secret set ${slug} ${slot.name}\`.`,
    },
  );
}
