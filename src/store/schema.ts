/**
 * The tables, as the query builder sees them. Only types that SQLite and PostgreSQL both have: text, whole
 * numbers (times in milliseconds since the Unix epoch, flags as 0 and 1) and bytes. JSON is kept as text,
 * because it must come back exactly as it went in.
 */
export interface WorkspacesTable {
  id: string;
  name: string;
  created_at: number;
}

export interface ServersTable {
  workspace: string;
  id: string;
  slug: string;
  manifest: string;
  manifest_hash: string;
  source: string;
  package: string | null;
  enabled: number;
  created_at: number;
  updated_at: number;
}

interface ProbesTable {
  workspace: string;
  server_id: string;
  at: number;
  manifest_hash: string;
  report: string;
}

interface DefinitionsTable {
  workspace: string;
  server_id: string;
  kind: string;
  name: string;
  state: 'approved' | 'pending' | 'rejected';
  hash: string;
  text: string;
  at: number;
  by: string;
}

interface DocumentsTable {
  workspace: string;
  server_id: string;
  hash: string;
  text: string;
}

interface ErasTable {
  workspace: string;
  server_id: string;
  key: string;
  era: string;
}

interface GrantsTable {
  workspace: string;
  server_id: string;
  /** The empty string for the workspace's. */
  owner: string;
  issuer: string;
  data: string;
  updated_at: number;
}

export interface CredentialsTable {
  workspace: string;
  id: string;
  server_id: string;
  name: string;
  /** The empty string for the value that the workspace shares: null would escape the unique key. */
  owner: string;
  version: number;
  value: Uint8Array;
  data_key: Uint8Array;
  updated_at: number;
  updated_by: string;
}

interface CredentialIndexTable {
  workspace: string;
  version: number;
  value: Uint8Array;
  data_key: Uint8Array;
}

export interface TenantKeysTable {
  workspace: string;
  purpose: string;
  version: number;
  master_key_id: string;
  wrapped: Uint8Array;
  created_at: number;
}

export interface ProfilesTable {
  workspace: string;
  id: string;
  name: string;
  entries: string;
  options: string;
  created_at: number;
  updated_at: number;
}

export interface TokensTable {
  workspace: string;
  id: string;
  profile: string;
  agent: string;
  hash: string;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  last_used_at: number | null;
}

export interface KillsTable {
  /** The empty string for scope `all`. */
  workspace: string;
  scope: string;
  target: string;
  at: number;
  by: string;
  reason: string;
}

interface MetaTable {
  key: string;
  value: string;
}

export interface Tables {
  workspaces: WorkspacesTable;
  servers: ServersTable;
  probes: ProbesTable;
  definitions: DefinitionsTable;
  documents: DocumentsTable;
  eras: ErasTable;
  grants: GrantsTable;
  credentials: CredentialsTable;
  credential_index: CredentialIndexTable;
  tenant_keys: TenantKeysTable;
  profiles: ProfilesTable;
  tokens: TokensTable;
  kills: KillsTable;
  meta: MetaTable;
}
