/** What stands on the database: keys, audit, vault, tokens. Opened together, closed in reverse. */
import { existsSync } from 'node:fs';
import { type AuditLog, createAuditLog, directRecorder, type Recorder } from '../audit/index.ts';
import { createTokens, type Tokens } from '../identity/index.ts';
import { AppError, type Log, systemClock, systemRandom, type WorkspaceId } from '../kernel/index.ts';
import { createKeyRing, type KeyRing, localKeyProvider } from '../seal/index.ts';
import { openStore, type Store } from '../store/index.ts';
import { createKillState, createVault, type KillState, type Vault } from '../vault/index.ts';
import { journaledRecorder, recoveredScribe } from './audit-recorder.ts';
import { type Config, homeFiles } from './config.ts';

export interface Services {
  readonly workspace: WorkspaceId;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly vault: Vault;
  /** For what is kept sealed and is no credential. */
  readonly ring: Pick<KeyRing, 'sealValue' | 'openValue' | 'wrap' | 'unwrap' | 'purposeKey'>;
  readonly tokens: Tokens;
  readonly kills: KillState;
  close(): Promise<void>;
}

export interface ServicesOptions {
  /**
   * Who writes the audit log. `own`: this thread, and each event is on the disk before anybody goes on; right for what
   * lives as long as a command. `journal`: a file, and a thread that brings it into the log, as the configuration says;
   * right for what serves requests.
   */
  readonly auditWriter?: 'own' | 'journal';
}

/** @throws AppError `home_missing` before `init`, `store_*`, `seal_*` */
export async function openServices(
  config: Config,
  log: Log,
  { auditWriter = 'own' }: ServicesOptions = {},
): Promise<Services> {
  const files = homeFiles(config.home);
  if (!existsSync(files.database)) {
    throw new AppError('home_missing', `There is no Sallyport in ${config.home} yet.`, {
      kind: 'failed',
      hint: 'Make one: `sallyport init`.',
    });
  }
  const clock = systemClock;
  const random = systemRandom;
  const store = await openStore({ path: files.database, log, clock, mustExist: true });
  let recorder: Recorder | undefined;
  try {
    const provider = localKeyProvider({
      random,
      clock,
      ...(config.masterKey === null ? { file: files.masterKey } : { env: config.masterKey }),
    });
    const ring = createKeyRing({ provider, store: store.tenantKeys, random, clock });
    const workspace = (await store.workspaces.findByName('default'))?.id;
    if (workspace === undefined)
      throw new AppError('home_incomplete', 'The database has no workspace.', {
        kind: 'failed',
        hint: 'Run `sallyport init` again.',
      });
    const auditKey = await ring.purposeKey(workspace, 'audit');
    const recording = {
      database: files.database,
      folder: files.auditJournal,
      store,
      workspace,
      key: auditKey,
      clock,
      random,
      log,
    };
    recorder =
      auditWriter === 'journal'
        ? await journaledRecorder(recording, config.audit.durability)
        : directRecorder(await recoveredScribe(recording));
    const audit = createAuditLog({ store: store.audit, key: auditKey, clock, log, recorder });
    auditKey.destroy();
    const kills = createKillState(store);
    const vault = createVault({ store, audit, ring, provider, kills, clock, random, log });
    const tokens = createTokens({ store, audit, clock, random, log });
    return {
      workspace,
      store,
      audit,
      vault,
      ring,
      tokens,
      kills,
      async close() {
        await audit.close();
        vault.clear();
        ring.clear();
        await store.close();
      },
    };
  } catch (error) {
    await recorder?.close();
    await store.close();
    throw error;
  }
}
