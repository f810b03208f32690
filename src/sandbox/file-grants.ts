/**
 * Checks the `files:` that a manifest asks for against this host. A grant is exactly what its text says: a path that
 * leads elsewhere through a link is refused, because a cell that may write into the folder above could have put the
 * link there.
 */
import { realpathSync } from 'node:fs';
import { posix } from 'node:path';
import { AppError } from '../kernel/index.ts';
import type { FileGrant } from '../manifest/index.ts';
import { cellPaths } from './cell-layout.ts';
import { openToAnyone } from './reach.ts';

/** Folders of the host that are never shown, nor anything above or in them. */
const closedHostFolders = ['/proc', '/sys', '/dev', '/run', '/var/run', '/boot'] as const;
/** Folders of the cell that a grant may neither replace nor lie in. */
const closedCellFolders = (
  '/usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc /proc /sys /dev /run /sallyport ' + cellPaths.package
).split(' ');

export interface GrantCheck {
  /** Folders of the gateway itself: its home with the vault in it. */
  readonly closed: readonly string[];
  /** True when the cell's program runs as another user than the gateway. */
  readonly foreignUser: boolean;
}

/** @throws AppError `sandbox_file_missing`, `sandbox_file_link`, `sandbox_file_closed`, `sandbox_file_unreadable` */
export function checkGrants(grants: readonly FileGrant[], check: GrantCheck): readonly FileGrant[] {
  return grants.map((grant) => checkGrant(grant, check));
}

function checkGrant({ host, cell, write }: FileGrant, { closed, foreignUser }: GrantCheck): FileGrant {
  for (const path of [host, cell]) {
    if (!path.startsWith('/') || path.includes('\0')) {
      throw refused(
        'sandbox_file_closed',
        host,
        `"${path}" is not an absolute path`,
        'Write the whole path.',
      );
    }
  }
  const wanted = withoutTrailingSlash(posix.normalize(host));
  const inside = withoutTrailingSlash(posix.normalize(cell));
  const real = resolve(wanted);
  if (real !== wanted) {
    throw refused(
      'sandbox_file_link',
      host,
      'the path leads through a symbolic link',
      `Grant "${real}" itself.`,
    );
  }
  const forbidden = [...closedHostFolders, ...closed].find((folder) => overlap(real, folder));
  if (forbidden !== undefined) {
    throw refused(
      'sandbox_file_closed',
      host,
      `"${forbidden}" is never shown to a server`,
      'Grant another folder.',
    );
  }
  if (inside === '/' || closedCellFolders.some((folder) => isWithin(inside, folder))) {
    throw refused(
      'sandbox_file_closed',
      host,
      `"${cell}" belongs to the cell itself`,
      `Mount it below ${cellPaths.home}, or at a folder of its own.`,
    );
  }
  if (foreignUser && !openToAnyone(real)) {
    throw refused(
      'sandbox_file_unreadable',
      host,
      'Sallyport runs as root, so the server runs as a user of its own, and may not read it',
      `Allow it with "chmod o+rX ${real}", or run Sallyport as the owner of the files.`,
    );
  }
  return { host: real, cell: inside, write };
}

function resolve(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw refused('sandbox_file_missing', path, 'it does not exist', 'Make it, or correct the path.', cause);
  }
}

function refused(code: string, host: string, why: string, hint: string, cause?: unknown): AppError {
  return new AppError(code, `The server cannot be given "${host}": ${why}.`, { kind: 'denied', hint, cause });
}

const withoutTrailingSlash = (path: string): string => (path.length > 1 ? path.replace(/\/$/, '') : path);
const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
/** True when one lies in the other: showing either would show a part of the other. */
const overlap = (path: string, folder: string): boolean =>
  path === '/' || isWithin(path, folder) || isWithin(folder, path);
