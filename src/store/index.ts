/**
 * Store: repositories and migrations. It keeps ciphertext and facts, imports nothing but the kernel, and
 * satisfies the ports of `seal/` and `audit/` by shape.
 */
export type {
  ApprovalRecord,
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
  RecordingGrowth,
  RecordingRecord,
  ServerRecord,
  StoredEvent,
  StreamRecord,
  TenantKeyRecord,
  TokenRecord,
  WorkspaceRecord,
} from './records.ts';
export type { ApprovalRepository } from './repositories/approvals.ts';
export type { AuditRepository } from './repositories/audit.ts';
export type { Flight } from './repositories/counters.ts';
export type { CredentialRepository } from './repositories/credentials.ts';
export type { KillRepository } from './repositories/kills.ts';
export type { MetaRepository } from './repositories/meta.ts';
export type { ProbeRepository } from './repositories/probes.ts';
export type { ProfileRepository } from './repositories/profiles.ts';
export type { RecordingRepository } from './repositories/recordings.ts';
export type { ServerRepository } from './repositories/servers.ts';
export type { TenantKeyRepository } from './repositories/tenant-keys.ts';
export type { TokenRepository } from './repositories/tokens.ts';
export type { WorkspaceRepository } from './repositories/workspaces.ts';
export {
  type AuditWriter,
  openAuditWriter,
  openRecordingAppender,
  openStore,
  type Repositories,
  type Store,
  type StoreOptions,
} from './store.ts';
