/** A package store as the gateway has it, with installers in real cells, over a registry of the test's. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '../../src/audit/index.ts';
import {
  type Clock,
  type Log,
  silentLog,
  systemClock,
  systemRandom,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/config.ts';
import { createInstallCell } from '../../src/main/packages/install-cell.ts';
import { installEgress, readNpmSettings } from '../../src/main/packages/registries.ts';
import {
  createNpmInstaller,
  createPackageStore,
  createSandbox,
  type InstallCell,
  type InstalledPackage,
  type InstallOptions,
  type PackageStore,
} from '../../src/sandbox/index.ts';

export interface PackageWorld {
  readonly root: string;
  /** What was recorded, of any store here. */
  readonly events: readonly AuditEvent[];
  /** An install cell as the gateway has it. @param variables of the gateway's environment */
  cell(variables?: Readonly<Record<string, string>>): Promise<InstallCell>;
  store(dir: string, options?: StoreOptions): Promise<PackageStore>;
}

interface StoreOptions {
  /** Variables of the gateway's environment, besides those that lead to the registry. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly log?: Log;
  /** In place of the one that the gateway has. */
  readonly cell?: InstallCell;
}

/** @param registry address of the registry that the user's npm is set to */
export function makePackageWorld(registry: () => string): PackageWorld {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-packages-'));
  const events: AuditEvent[] = [];
  mkdirSync(join(root, 'home'));
  const note = async (event: AuditEvent): Promise<void> => void events.push(event);
  const configOf = (variables: Readonly<Record<string, string>> = {}) =>
    loadConfig({
      SALLYPORT_HOME: join(root, 'sallyport'),
      HOME: join(root, 'home'),
      PATH: process.env['PATH'] ?? '',
      npm_config_registry: registry(),
      npm_config_fetch_retries: '0',
      SALLYPORT_MASTER_KEY: 'must not get there',
      ...variables,
    });
  const world: PackageWorld = {
    root,
    events,
    async cell(variables) {
      const config = configOf(variables);
      const deps = { log: silentLog, clock: systemClock, random: systemRandom };
      return createInstallCell({
        ...deps,
        sandbox: await createSandbox({ stateDir: join(root, 'sallyport/run'), ...deps }),
        workspace: 'ws_test' as WorkspaceId, // any will do
        audit: { record: note, note },
        config: () => installEgress(config),
      });
    },
    async store(dir, { variables, clock = systemClock, log = silentLog, cell } = {}) {
      const config = configOf(variables);
      return createPackageStore({
        dir,
        log,
        clock,
        cell: cell ?? (await world.cell(variables)),
        installers: [
          createNpmInstaller({
            node: process.execPath,
            path: process.env['PATH'] ?? '',
            settings: () => readNpmSettings(config),
          }),
        ],
      });
    },
  };
  return world;
}

/** Installs, with nobody listening. */
export const install = (
  store: PackageStore,
  spec: string,
  options: InstallOptions = {},
  tell: (message: string) => void = () => undefined,
): Promise<InstalledPackage> => store.install(spec, options, tell, new AbortController().signal);
