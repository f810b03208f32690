/** A home folder as the product makes it, and everything in it as the product opens it. Nothing stands in. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RecordedEvent } from '../../src/audit/index.ts';
import { newId, type ServerId, silentLog, systemRandom, type WorkspaceId } from '../../src/kernel/index.ts';
import { homeFiles, loadConfig } from '../../src/main/config.ts';
import { initHome } from '../../src/main/init.ts';
import { openServices, type Services } from '../../src/main/services.ts';
import type { Caller } from '../../src/vault/index.ts';

export interface ProductHome extends Services {
  readonly directory: string;
  readonly database: string;
  readonly keyFile: string;
  /** A second workspace. */
  readonly other: WorkspaceId;
  /** The operator. */
  readonly local: Caller;
  /** An agent, by its token. */
  readonly agent: Caller;
  addServer(slug: string, workspace?: WorkspaceId): Promise<ServerId>;
  /** Everything opened once more, as a process does that starts now. */
  another(): Promise<Services>;
  events(): Promise<readonly RecordedEvent[]>;
  /** What whoever can write to the database does behind the product's back. */
  edit(sql: string): void;
  dispose(): Promise<void>;
}

export const openHome = (directory: string): Promise<Services> =>
  openServices(loadConfig({ SALLYPORT_HOME: directory }), silentLog);

export async function makeProductHome(): Promise<ProductHome> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-attack-'));
  await initHome(loadConfig({ SALLYPORT_HOME: directory }));
  const files = homeFiles(directory);
  const first = await openHome(directory);
  const { workspace, store } = first;
  const other = newId<'workspace'>('wsp', systemRandom);
  await store.workspaces.insert({ id: other, name: 'other', createdAt: 1 });
  const opened = [first];
  return {
    ...first,
    directory,
    database: files.database,
    keyFile: files.masterKey,
    other,
    local: { workspace, actor: { kind: 'local', id: '0' } },
    agent: { workspace, actor: { kind: 'token', id: 'tok1' } },
    async addServer(slug, of = workspace) {
      const id = newId<'server'>('srv', systemRandom);
      const server = { id, slug, manifest: {}, manifestHash: '', source: 'test', package: null };
      await store.servers.insert(of, { ...server, enabled: true, createdAt: 1, updatedAt: 1 });
      return id;
    },
    async another() {
      const services = await openHome(directory);
      opened.push(services);
      return services;
    },
    edit(sql) {
      const raw = new DatabaseSync(files.database);
      try {
        raw.exec(sql);
      } finally {
        raw.close();
      }
    },
    events: () => store.audit.read<RecordedEvent>(workspace, 1, 1000),
    async dispose() {
      for (const services of opened) await services.close();
      rmSync(directory, { recursive: true });
    },
  };
}
