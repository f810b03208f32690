/**
 * Sandbox: runs a program in a cell, whose only way out is listeners that the gateway holds.
 *
 * It trusts the host, its system folders and the gateway's own installation; never what runs inside a cell.
 * It must never pass a cell anything of the gateway's environment, files or descriptors that the spec does not name.
 */
export type { Cell, CellExit, CellListeners, CellSpec } from './cell-spec.ts';
export { hostGroups } from './cgroup/open-groups.ts';
export type { CellGroupsSource, GroupFacts } from './cgroup/ports.ts';
export { cellPaths } from './cell-layout.ts';
export { cellPathList } from './cell-layout.ts';
export type { HostCheck, HostReport } from './host-check.ts';
export type {
  InstallCell,
  InstallEnd,
  InstallJob,
  InstallNetwork,
  InstallTool,
  LocalAnswer,
  RegistryHost,
  RegistryLogin,
  Unreached,
} from './packages/install-cell.ts';
export type { FinishedTree, Installer, PackagePart, TreeFacts, Wanted } from './packages/installer.ts';
export { createNpmInstaller } from './packages/npm.ts';
export { createPypiInstaller } from './packages/pypi.ts';
export { type PypiSettings, pypiSettings } from './packages/pypi-settings.ts';
export { type NpmSettings, type NpmSettingsInput, npmSettings } from './packages/npm-settings.ts';
export { reachableName, type RegistryAddress, registryAddress } from './packages/registry-address.ts';
export { giveAway, isWithin, takeBack } from './packages/staging.ts';
export {
  createPackageStore,
  type InstallOptions,
  type InstalledPackage,
  type OpenedPackage,
  type PackageLock,
  type PackageStore,
  type PackageStoreDependencies,
} from './packages/store.ts';
export { createSandbox, type Sandbox, type SandboxDependencies } from './sandbox.ts';
export { createUnisolated, type Unisolated } from './unisolated.ts';
