/** The cell's file system, as data and as the arguments of bubblewrap that make it. Pure. */
import type { FileGrant } from '../manifest/index.ts';
import { caBundleLinks } from './cell-files.ts';
import type { AppliedLimits } from './cell-limits.ts';
import { cellPaths } from './cell-layout.ts';
import type { CellBind } from './cell-spec.ts';
import type { HostFacts } from './host.ts';
import { limits } from '../kernel/index.ts';

export type Mount =
  /** A folder or file of the host. */
  | { readonly kind: 'bind'; readonly source: string; readonly path: string; readonly write: boolean }
  | { readonly kind: 'link'; readonly target: string; readonly path: string }
  | { readonly kind: 'memory'; readonly path: string; readonly bytes: number; readonly mode: string }
  | { readonly kind: 'proc' | 'devices'; readonly path: string }
  /** A file of the system that cannot be opened any more: a device lies over it, and devices do not work on such a mount. */
  | { readonly kind: 'mask'; readonly path: string }
  /** Takes away the right to write from what was mounted there before, but not from mounts below it. */
  | { readonly kind: 'seal'; readonly path: string };

export type MemoryMount = Extract<Mount, { readonly kind: 'memory' }>;

export interface MountInput {
  readonly facts: HostFacts;
  /** Host paths as the launcher reaches them. */
  readonly reach: (hostPath: string) => string;
  readonly packageDir: string | null;
  readonly binds: readonly CellBind[];
  readonly files: readonly FileGrant[];
  /** Over what `files` show, in this order. */
  readonly pins: readonly FileGrant[];
  readonly applied: AppliedLimits;
}

/** In the order in which they are made; later ones lie over earlier ones. */
export function cellMounts(input: MountInput): readonly Mount[] {
  const { facts, reach, packageDir, applied } = input;
  const shared = (path: string): Mount => ({ kind: 'bind', source: path, path, write: false });
  return [
    shared('/usr'),
    ...facts.systemFolders.map(
      ({ path, link }): Mount => (link === null ? shared(path) : { kind: 'link', target: link, path }),
    ),
    ...facts.systemFiles.map(shared),
    { kind: 'link', target: '../usr/lib/os-release', path: '/etc/os-release' },
    { kind: 'link', target: '../usr/share/zoneinfo/UTC', path: '/etc/localtime' },
    ...caBundleLinks.map((path): Mount => ({ kind: 'link', target: cellPaths.caBundle, path })),
    { kind: 'proc', path: '/proc' },
    // The namespaces' own settings among them belong to the user that the cell runs as.
    { kind: 'bind', source: '/proc/sys', path: '/proc/sys', write: false },
    ...facts.maskedFiles.map((path): Mount => ({ kind: 'mask', path })),
    ...facts.maskedFolders.flatMap((path): Mount[] => [
      { kind: 'memory', path, bytes: 4096, mode: '0555' },
      { kind: 'seal', path },
    ]),
    { kind: 'devices', path: '/dev' },
    { kind: 'memory', path: '/dev/shm', bytes: limits.cellSharedMemoryMiB * limits.MIB, mode: '1777' },
    { kind: 'memory', path: cellPaths.tmp, bytes: applied.diskBytes, mode: '1777' },
    { kind: 'memory', path: cellPaths.home, bytes: applied.diskBytes, mode: '0700' },
    { kind: 'bind', source: reach(facts.node), path: `${cellPaths.bin}/node`, write: false },
    ...(packageDir === null
      ? []
      : [{ kind: 'bind', source: reach(packageDir), path: cellPaths.package, write: false } as const]),
    ...[...input.binds, ...input.files, ...input.pins].map(
      ({ host, cell, write }): Mount => ({ kind: 'bind', source: reach(host), path: cell, write }),
    ),
    // Both are memory file systems of bubblewrap's without a size limit.
    { kind: 'seal', path: '/dev' },
    { kind: 'seal', path: '/' },
  ];
}

export function mountOptions(mount: Mount): readonly string[] {
  switch (mount.kind) {
    case 'bind':
      return [mount.write ? '--bind' : '--ro-bind', mount.source, mount.path];
    case 'link':
      return ['--symlink', mount.target, mount.path];
    case 'memory':
      return ['--perms', mount.mode, '--size', String(mount.bytes), '--tmpfs', mount.path];
    case 'mask':
      return ['--ro-bind', '/dev/null', mount.path];
    case 'proc':
      return ['--proc', mount.path];
    case 'devices':
      return ['--dev', mount.path];
    case 'seal':
      break;
  }
  return ['--remount-ro', mount.path];
}
