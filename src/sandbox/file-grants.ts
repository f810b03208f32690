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
import type { CellPin } from './cell-spec.ts';
import { findDoor } from './grant-doors.ts';
import { type GrantedObject, holdObject } from './granted-object.ts';
import { openToAnyone, openToOwner } from './reach.ts';

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
  /** That user's id, where it is not one that nothing belongs to. */
  readonly user?: number | undefined;
  /** Absent: none. */
  readonly pins?: readonly CellPin[] | undefined;
}

/** A grant, and what its path named when it was checked. */
export interface CheckedGrant extends FileGrant {
  readonly identity: string;
}

export interface CheckedGrants {
  readonly files: readonly CheckedGrant[];
  readonly pins: readonly CheckedGrant[];
  /** Folders with more in them than was searched for sockets. */
  readonly unsearched: readonly string[];
  /** To be called when the cell is gone. */
  readonly release: () => void;
}

/**
 * @throws AppError `sandbox_file_missing`, `sandbox_file_link`, `sandbox_file_closed`, `sandbox_file_nested`,
 *   `sandbox_file_socket`, `sandbox_file_unreadable`, `sandbox_file_pin`
 */
export async function checkGrants(grants: readonly FileGrant[], check: GrantCheck): Promise<CheckedGrants> {
  const plain = grants.map((grant) => checkText(grant, check));
  checkApart(plain);
  const objects: GrantedObject[] = [];
  const release = (): void => objects.forEach((object) => object.release());
  try {
    const files: CheckedGrant[] = [];
    const unsearched: string[] = [];
    for (const grant of plain) {
      const object = hold(grant.host);
      objects.push(object);
      if (check.foreignUser) checkReadable(grant.host, check.user);
      if (!(await checkDoors(grant.host, object))) unsearched.push(grant.host);
      files.push({ ...grant, identity: object.identity });
    }
    const pins = (check.pins ?? []).map((pin) => {
      const grant = pinned(pin, files);
      const object = hold(grant.host);
      objects.push(object);
      return { ...grant, identity: object.identity };
    });
    return { files, pins, unsearched, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Where the cell has what it is mounted over. */
function pinned({ host, write }: CellPin, files: readonly FileGrant[]): FileGrant {
  const within = files.find((file) => file.write && host.startsWith(`${file.host}/`));
  if (within !== undefined && posix.normalize(host) === host)
    return { host, cell: `${within.cell}${host.slice(within.host.length)}`, write };
  throw refused('sandbox_file_pin', host, 'it is in nothing that the cell may write', 'Leave it out.');
}

/** What the paths themselves say. @returns the grant with both paths in plain form */
function checkText({ host, cell, write }: FileGrant, { closed }: GrantCheck): FileGrant {
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
  if (real !== wanted) throw throughLink(host, real);
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
  return { host: real, cell: inside, write };
}

/** A place inside another grant would be found, or made, by names that a cell with that grant decides about. */
function checkApart(grants: readonly FileGrant[]): void {
  for (const [index, { host, cell }] of grants.entries()) {
    const other = grants.find((candidate, at) => at !== index && isWithin(cell, candidate.cell));
    if (other === undefined) continue;
    throw refused(
      'sandbox_file_nested',
      host,
      `"${cell}" lies in what "${other.host}" is shown as`,
      'Give each a folder of its own in the cell.',
    );
  }
}

function hold(host: string): GrantedObject {
  let object: GrantedObject | null;
  try {
    object = holdObject(host);
  } catch (cause) {
    throw missing(host, cause);
  }
  if (object === null) throw throughLink(host, host);
  return object;
}

function checkReadable(real: string, user: number | undefined): void {
  if (openToAnyone(real) || (user !== undefined && openToOwner(real, user))) return;
  throw refused(
    'sandbox_file_unreadable',
    real,
    'Sallyport runs as root, so the server runs as a user of its own, and may not read it',
    `Allow it with "chmod o+rX ${real}", or run Sallyport as the owner of the files.`,
  );
}

/** @returns whether all of it was searched */
async function checkDoors(host: string, { kind }: GrantedObject): Promise<boolean> {
  const { door, whole } =
    kind === 'folder' ? await findDoor(host) : { door: kind === 'file' ? null : host, whole: true };
  if (door === null) return whole;
  throw refused(
    'sandbox_file_socket',
    host,
    `"${door}" is a socket or a pipe, through which it could talk to a program outside of its cell`,
    'Grant a folder, or single files, without it.',
  );
}

function resolve(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw missing(path, cause);
  }
}

const missing = (host: string, cause: unknown): AppError =>
  refused('sandbox_file_missing', host, 'it does not exist', 'Make it, or correct the path.', cause);

const throughLink = (host: string, real: string): AppError =>
  refused('sandbox_file_link', host, 'the path leads through a symbolic link', `Grant "${real}" itself.`);

function refused(code: string, host: string, why: string, hint: string, cause?: unknown): AppError {
  return new AppError(code, `The cell cannot be given "${host}": ${why}.`, { kind: 'denied', hint, cause });
}

const withoutTrailingSlash = (path: string): string => (path.length > 1 ? path.replace(/\/$/, '') : path);
const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
/** True when one lies in the other: showing either would show a part of the other. */
const overlap = (path: string, folder: string): boolean =>
  path === '/' || isWithin(path, folder) || isWithin(folder, path);
