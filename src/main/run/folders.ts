/** Which folders of this machine a command sees, at their own places, and as whom it works in them. Pure over `owner`. */
import { AppError } from '../../kernel/index.ts';
import type { FileGrant } from '../../manifest/index.ts';

export interface FoldersInput {
  /** The folder that it starts in, links resolved. */
  readonly folder: string;
  readonly readOnly: boolean;
  /** Further folders, absolute, links resolved, with `:rw` behind those that may be written. */
  readonly mounts: readonly { readonly path: string; readonly write: boolean }[];
  /** User id of this process. */
  readonly uid: number;
  /** User id that a folder belongs to. */
  readonly ownerOf: (path: string) => number;
}

export interface Folders {
  readonly grants: readonly FileGrant[];
  /** The user that the command is on this machine; null: as every cell. Set only where Sallyport is root. */
  readonly uid: number | null;
  readonly notes: readonly string[];
}

/**
 * Where Sallyport is root, the command must not be: it is the folder's owner. In a folder of root's own it is nobody, so
 * it cannot write there.
 *
 * @throws AppError `run_mount_not_yours`
 */
export function planFolders({ folder, readOnly, mounts, uid, ownerOf }: FoldersInput): Folders {
  const asOwner = uid === 0 ? ownerOf(folder) : null;
  const user = asOwner === 0 ? null : asOwner;
  const mayWrite = (path: string): boolean => uid !== 0 || (user !== null && ownerOf(path) === user);
  const refused = mounts.find(({ path, write }) => write && !mayWrite(path));
  if (refused !== undefined) {
    throw new AppError(
      'run_mount_not_yours',
      `The command could not write to ${refused.path}: it runs as the owner of the current folder, never as root.`,
      { kind: 'invalid', hint: 'Mount it without :rw, or run the command as the user that it belongs to.' },
    );
  }
  const grant = (path: string, write: boolean): FileGrant => ({ host: path, cell: path, write });
  const writable = !readOnly && mayWrite(folder);
  return {
    grants: [
      grant(folder, writable),
      ...mounts.filter(({ path }) => path !== folder).map(({ path, write }) => grant(path, write)),
    ],
    uid: user,
    notes:
      writable || readOnly
        ? []
        : [
            `${folder} belongs to root, as whom no command runs: it is read-only. Give it to a user (chown), or run this as one.`,
          ],
  };
}
