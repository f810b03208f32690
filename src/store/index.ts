/**
 * Store: repositories and migrations. It keeps ciphertext and facts, imports nothing but the kernel, and
 * satisfies the ports of `seal/` and `audit/` by shape.
 */
export type {
  AuditHeadRecord,
  CheckpointRecord,
  CredentialIndexRecord,
  CredentialMetadata,
  CredentialRecord,
  CredentialSlot,
  DefinitionRecord,
  EventRecord,
  JournalProgressRecord,
  GrantRecord,
  JournalRecord,
  KillRecord,
  KillScope,
  ProbeRecord,
  ProfileEntry,
  ProfileRecord,
  ServerRecord,
  StoredEvent,
  TenantKeyRecord,
  TokenRecord,
  WorkspaceRecord,
} from './records.ts';
export type { AuditRepository } from './repositories/audit.ts';
export type { CredentialRepository } from './repositories/credentials.ts';
export type { KillRepository } from './repositories/kills.ts';
export type { MetaRepository } from './repositories/meta.ts';
export type { ProbeRepository } from './repositories/probes.ts';
export type { ProfileRepository } from './repositories/profiles.ts';
export type { ServerRepository } from './repositories/servers.ts';
export type { TenantKeyRepository } from './repositories/tenant-keys.ts';
export type { TokenRepository } from './repositories/tokens.ts';
export type { WorkspaceRepository } from './repositories/workspaces.ts';
export {
  type AuditWriter,
  openAuditWriter,
  openStore,
  type Repositories,
  type Store,
  type StoreOptions,
} from './store.ts';
