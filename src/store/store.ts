/**
 * The store: one set of repositories over one database. It sees ciphertext only and decides nothing; who may
 * read or change what is decided before it is called. A database adapter supplies a `Backend`, and passes the
 * same tests as every other one.
 */
import type { Backend } from './backend.ts';
import { type ApprovalRepository, approvalRepository } from './repositories/approvals.ts';
import type { AuditRepository } from './repositories/audit.ts';
import type { CounterRepository } from './repositories/counters.ts';
import { type CredentialRepository, credentialRepository } from './repositories/credentials.ts';
import { type DefinitionRepository, definitionRepository } from './repositories/definitions.ts';
import { type DocumentRepository, documentRepository } from './repositories/documents.ts';
import { type EraRepository, eraRepository } from './repositories/eras.ts';
import { type GrantRepository, grantRepository } from './repositories/grants.ts';
import { type KillRepository, killRepository } from './repositories/kills.ts';
import { type MetaRepository, metaRepository } from './repositories/meta.ts';
import { type PolicyRepository, policyRepository } from './repositories/policies.ts';
import { type ProbeRepository, probeRepository } from './repositories/probes.ts';
import { type ProfileRepository, profileRepository } from './repositories/profiles.ts';
import { type RecordingRepository, recordingRepository } from './repositories/recordings.ts';
import type { Scope } from './repositories/scope.ts';
import { type ServerRepository, serverRepository } from './repositories/servers.ts';
import { type StreamRepository, streamRepository } from './repositories/streams.ts';
import { type TenantKeyRepository, tenantKeyRepository } from './repositories/tenant-keys.ts';
import { type TokenRepository, tokenRepository } from './repositories/tokens.ts';
import { type UsageRepository, usageRepository } from './repositories/usage.ts';
import { type WorkspaceRepository, workspaceRepository } from './repositories/workspaces.ts';
import { type AuditWriter, sqliteAuditWriter } from './sqlite/audit-writer.ts';
import type { SqliteOptions } from './sqlite/open.ts';
import { type RecordingAppender, sqliteRecordingAppender } from './sqlite/recordings.ts';

/** What can take part in a transaction. */
export interface Repositories {
  readonly workspaces: WorkspaceRepository;
  readonly servers: ServerRepository;
  readonly probes: ProbeRepository;
  readonly definitions: DefinitionRepository;
  readonly documents: DocumentRepository;
  readonly eras: EraRepository;
  readonly grants: GrantRepository;
  readonly credentials: CredentialRepository;
  readonly tenantKeys: TenantKeyRepository;
  readonly policies: PolicyRepository;
  readonly approvals: ApprovalRepository;
  readonly profiles: ProfileRepository;
  readonly tokens: TokenRepository;
  readonly kills: KillRepository;
  readonly streams: StreamRepository;
  readonly usage: UsageRepository;
  readonly meta: MetaRepository;
}

export interface Store extends Repositories {
  readonly audit: AuditRepository;
  readonly recordings: RecordingRepository;
  readonly counters: CounterRepository;
  /**
   * All of `work` or nothing of it, durable on return. Inside, use only the repositories that it is given: the
   * store's own ones wait for the transaction to end. Nothing else is written meanwhile, so keep it short.
   */
  transaction<T>(work: (repositories: Repositories) => Promise<T>): Promise<T>;
  /**
   * Differs from what it was before whenever something that may have been cached was changed, by any process.
   * What this process changed is seen at once; what another one did, within `limits.storeRevisionGlanceMs`. Costs next
   * to nothing, so that a cache can ask before each answer.
   */
  revision(): number;
  /** Reads the whole database. @throws AppError `store_corrupt` */
  check(): Promise<void>;
  close(): Promise<void>;
}

export type StoreOptions = SqliteOptions;

/**
 * Opens, and where need be creates or upgrades, the SQLite database at `path`.
 * @throws AppError `store_missing`, `store_corrupt`, `store_schema_newer`, `store_locked`, `store_unavailable`
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  // The query builder comes with it, which a thread that only writes the audit log has no use for.
  const { sqliteBackend } = await import('./sqlite/backend.ts');
  return storeOn(sqliteBackend(options));
}

export type { AuditWriter };

/**
 * The audit log of an open database on a connection of its own, for a thread that only writes it. Its appends are on
 * the disk after `sync`, not before.
 * @throws AppError `store_corrupt`, `store_locked`, `store_unavailable`
 */
export const openAuditWriter = (path: string): AuditWriter => sqliteAuditWriter(path);

/**
 * The recordings of an open database on a connection of its own, for a thread that only writes them.
 * @throws AppError `store_corrupt`, `store_locked`, `store_unavailable`
 */
export const openRecordingAppender = (path: string): RecordingAppender => sqliteRecordingAppender(path);

function storeOn({ db, revision, audit, counters, recordings, findCredential, ...backend }: Backend): Store {
  const repositories = repositoriesOf({ db, touched: revision.touched });
  return {
    ...repositories,
    credentials: { ...repositories.credentials, find: findCredential },
    audit,
    recordings: { ...recordingRepository({ db, touched: revision.touched }), ...recordings },
    counters,
    async transaction(work) {
      try {
        return await db
          .transaction()
          .execute((transaction) => work(repositoriesOf({ db: transaction, touched: revision.touched })));
      } finally {
        // Whoever looked between a change and its commit looks again.
        revision.touched();
      }
    },
    revision: revision.current,
    check: () => backend.check(),
    close: () => backend.close(),
  };
}

function repositoriesOf(scope: Scope): Repositories {
  return {
    workspaces: workspaceRepository(scope),
    servers: serverRepository(scope),
    probes: probeRepository(scope),
    definitions: definitionRepository(scope),
    documents: documentRepository(scope),
    eras: eraRepository(scope),
    grants: grantRepository(scope),
    credentials: credentialRepository(scope),
    tenantKeys: tenantKeyRepository(scope),
    policies: policyRepository(scope),
    approvals: approvalRepository(scope),
    profiles: profileRepository(scope),
    tokens: tokenRepository(scope),
    kills: killRepository(scope),
    streams: streamRepository(scope),
    usage: usageRepository(scope),
    meta: metaRepository(scope),
  };
}
