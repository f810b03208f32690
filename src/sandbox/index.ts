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
} from './packages/install-cell.ts';
export type { FinishedTree, Installer, PackagePart, TreeFacts, Wanted } from './packages/installer.ts';
export {
  createPackageStore,
  type InstalledPackage,
  type OpenedPackage,
  type PackageLock,
  type PackageStore,
  type PackageStoreDependencies,
} from './packages/store.ts';
export { createSandbox, type Sandbox, type SandboxDependencies } from './sandbox.ts';
