/** Where servers run and what they are made of: the sandbox and the package store of a home. */
import type { AuditLog } from '../../audit/index.ts';
import type { Clock, Log, Random, WorkspaceId } from '../../kernel/index.ts';
import {
  createNpmInstaller,
  createPackageStore,
  createPypiInstaller,
  createSandbox,
  hostGroups,
  type PackageStore,
  type Sandbox,
} from '../../sandbox/index.ts';
import { type Config, homeFiles } from '../config.ts';
import { createInstallCell } from '../packages/install-cell.ts';
import { installEgress, readNpmSettings, readPypiSettings } from '../packages/registries.ts';

export interface SandboxParts {
  readonly sandbox: Sandbox;
  readonly packages: PackageStore;
}

export interface SandboxPartsDeps {
  readonly workspace: WorkspaceId;
  readonly audit: Pick<AuditLog, 'record' | 'note'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

/** What gateways that are gone left behind is gone after this. */
export async function openSandboxParts(config: Config, deps: SandboxPartsDeps): Promise<SandboxParts> {
  const { log, clock, random } = deps;
  const files = homeFiles(config.home);
  const sandbox = await createSandbox({
    stateDir: files.run,
    packagesDir: files.packages,
    preparedMax: config.preparedCells,
    groups: hostGroups(log),
    log,
    clock,
    random,
  });
  await sandbox.sweep();
  const packages = createPackageStore({
    dir: files.packages,
    log,
    clock,
    cell: createInstallCell({ ...deps, sandbox, config: () => installEgress(config) }),
    installers: [
      createNpmInstaller({
        node: process.execPath,
        path: config.environment['PATH'] ?? '',
        settings: () => readNpmSettings(config),
      }),
      createPypiInstaller({ settings: () => readPypiSettings(config) }),
    ],
  });
  // What is left takes room; that alone keeps nobody from working.
  await packages.sweep().catch((error: unknown) => log.warn('package.sweep_failed', { why: String(error) }));
  return { sandbox, packages };
}
