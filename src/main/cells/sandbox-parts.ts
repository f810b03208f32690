/** Where servers run and what they are made of: the sandbox and the package store of a home. */
import type { Clock, Log, Random } from '../../kernel/index.ts';
import {
  createPackageStore,
  createSandbox,
  hostGroups,
  type PackageStore,
  type Sandbox,
} from '../../sandbox/index.ts';
import { type Config, homeFiles } from '../config.ts';

export interface SandboxParts {
  readonly sandbox: Sandbox;
  readonly packages: PackageStore;
}

/** What gateways that are gone left behind is gone after this. */
export async function openSandboxParts(
  config: Config,
  deps: { readonly log: Log; readonly clock: Clock; readonly random: Random },
): Promise<SandboxParts> {
  const files = homeFiles(config.home);
  const sandbox = await createSandbox({
    stateDir: files.run,
    packagesDir: files.packages,
    preparedMax: config.preparedCells,
    groups: hostGroups(deps.log),
    ...deps,
  });
  await sandbox.sweep();
  const packages = createPackageStore({
    dir: files.packages,
    node: process.execPath,
    log: deps.log,
    environment: config.environment,
  });
  packages.sweep();
  return { sandbox, packages };
}
