/**
 * What the sealed columns of this folder's rows are bound to. The row's name holds everything that decides whose
 * value it is, not only its id: moving a row to another server, slot or owner makes it unreadable, even by editing
 * the columns beside the ciphertext.
 */
import type { CredentialId, WorkspaceId } from '../kernel/index.ts';
import type { RowContext } from '../seal/index.ts';
import type { CredentialSlot } from '../store/index.ts';

export const credentialContext = (
  workspace: WorkspaceId,
  row: CredentialSlot & { readonly id: CredentialId; readonly version: number },
): RowContext => ({
  workspace,
  table: 'credentials',
  // JSON quotes each part: no two rows give the same text.
  row: JSON.stringify([row.id, row.server, row.name, row.owner]),
  version: row.version,
  purpose: 'value',
});

export const indexContext = (workspace: WorkspaceId, version: number): RowContext => ({
  workspace,
  table: 'credential_index',
  row: workspace,
  version,
  purpose: 'value',
});
