/** A whole installation below the gateway: real keys, real database file, real audit log. Nothing stands in. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditLog, createAuditLog, type RecordedEvent } from '../../src/audit/index.ts';
import {
  newId,
  type ServerId,
  silentLog,
  systemClock,
  systemRandom,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import {
  createKeyRing,
  createLocalKeyFile,
  type KeyProvider,
  type KeyRing,
  localKeyProvider,
} from '../../src/seal/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import {
  type Caller,
  createKillState,
  createVault,
  type KillState,
  type Vault,
} from '../../src/vault/index.ts';

export interface Process {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly ring: KeyRing;
  readonly provider: KeyProvider;
  readonly kills: KillState;
  readonly vault: Vault;
  close(): Promise<void>;
}

export interface Installation extends Process {
  readonly directory: string;
  readonly database: string;
  readonly keyFile: string;
  readonly workspace: WorkspaceId;
  readonly other: WorkspaceId;
  /** The operator. */
  readonly local: Caller;
  /** An agent, by its token. */
  readonly agent: Caller;
  addServer(slug: string, workspace?: WorkspaceId): Promise<ServerId>;
  /** Everything opened once more, as another process would. */
  another(): Promise<Process>;
  events(): Promise<readonly RecordedEvent[]>;
  dispose(): Promise<void>;
}

const parts = { clock: systemClock, log: silentLog, random: systemRandom };

export async function openProcess(directory: string, workspace: WorkspaceId): Promise<Process> {
  const { clock, log, random } = parts;
  const store = await openStore({ path: join(directory, 'sallyport.db'), log, clock });
  const provider = localKeyProvider({ file: join(directory, 'master.key'), random, clock });
  const ring = createKeyRing({ provider, store: store.tenantKeys, random, clock });
  if ((await store.workspaces.find(workspace)) === null) {
    await store.workspaces.insert({ id: workspace, name: 'default', createdAt: 1 });
  }
  const key = await ring.purposeKey(workspace, 'audit');
  const audit = createAuditLog({ store: store.audit, key, clock, log });
  const kills = createKillState(store);
  const vault = createVault({ store, audit, ring, provider, kills, clock, random, log });
  return {
    store,
    audit,
    ring,
    provider,
    kills,
    vault,
    async close() {
      await audit.close();
      await store.close();
    },
  };
}

export async function install(): Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-vault-'));
  const keyFile = join(directory, 'master.key');
  await createLocalKeyFile(keyFile, parts);
  const workspace = newId<'workspace'>('ws', systemRandom);
  const other = newId<'workspace'>('ws', systemRandom);
  const first = await openProcess(directory, workspace);
  await first.store.workspaces.insert({ id: other, name: 'other', createdAt: 1 });
  const processes = [first];
  return {
    ...first,
    directory,
    database: join(directory, 'sallyport.db'),
    keyFile,
    workspace,
    other,
    local: { workspace, actor: { kind: 'local', id: '0' } },
    agent: { workspace, actor: { kind: 'token', id: 'tok1' } },
    async addServer(slug, of = workspace) {
      const id = newId<'server'>('srv', systemRandom);
      await first.store.servers.insert(of, {
        id,
        slug,
        manifest: {},
        manifestHash: '',
        source: 'test',
        package: null,
        enabled: true,
        createdAt: 1,
        updatedAt: 1,
      });
      return id;
    },
    async another() {
      const process = await openProcess(directory, workspace);
      processes.push(process);
      return process;
    },
    events: () => first.store.audit.read<RecordedEvent>(workspace, 1, 1000),
    async dispose() {
      for (const process of processes) await process.close();
      rmSync(directory, { recursive: true });
    },
  };
}
