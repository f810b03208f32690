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

interface PoliciesTable {
  workspace: string;
  /** The empty string for the workspace's. */
  profile: string;
  text: string;
  updated_at: number;
  updated_by: string;
}

export interface ApprovalsTable {
  workspace: string;
  id: string;
  state: string;
  hash: string;
  requester: string;
  version: number;
  asked_at: number;
  ends_at: number | null;
  changed_at: number;
  value: Uint8Array;
  data_key: Uint8Array;
}

export interface RecordingsTable {
  workspace: string;
  id: string;
  /** The empty string for the local operator's view of all servers. */
  profile: string;
  /** The empty string where it is about all servers of the profile. */
  server: string;
  actor: string;
  agent: string;
  via: string;
  data_key: Uint8Array;
  started_at: number;
  updated_at: number;
  ended_at: number | null;
  /** JSON: slugs. */
  servers: string;
  entries: number;
  calls: number;
  dropped: number;
  /** Of its chunks. */
  bytes: number;
}

interface RecordingChunksTable {
  workspace: string;
  recording_id: string;
  sequence: number;
  sealed: Uint8Array;
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

interface StreamsTable {
  workspace: string;
  name: string;
  sequence: number;
  state: string;
  updated_at: number;
}

interface UsageTable {
  workspace: string;
  day: string;
  server: string;
  tool: string;
  agent: string;
  actor: string;
  counts: string;
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
  policies: PoliciesTable;
  approvals: ApprovalsTable;
  recordings: RecordingsTable;
  recording_chunks: RecordingChunksTable;
  credentials: CredentialsTable;
  credential_index: CredentialIndexTable;
  tenant_keys: TenantKeysTable;
  profiles: ProfilesTable;
  tokens: TokensTable;
  kills: KillsTable;
  streams: StreamsTable;
  usage: UsageTable;
  meta: MetaTable;
}
