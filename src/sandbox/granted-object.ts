/**
 * What a granted path names at this moment, held so that it can be recognised in the cell. Between the check of a path and
 * its mount another cell, which may write into the folder above, could put a link to something else in its place; so the
 * object itself is remembered here, and compared with what was mounted before the program starts.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';

/** Of <asm-generic/fcntl.h>: a name for the object, without the right to read it. Node has no constant for it. */
const O_PATH = 0o10000000;

export interface GrantedObject {
  readonly kind: 'file' | 'folder' | 'other';
  /** Device and inode, as `stat -c %d:%i` prints them. */
  readonly identity: string;
  /** As long as this was not called, no other object can get the same identity. */
  release(): void;
}

/**
 * @param path absolute, in plain form
 * @returns null when the path leads through a link
 * @throws what the file system throws for a path that cannot be opened
 */
export function holdObject(path: string): GrantedObject | null {
  const descriptor = openSync(path, O_PATH | constants.O_NOFOLLOW);
  const stat = fstatSync(descriptor, { bigint: true });
  // The kernel's own name for what was opened: differs where a link was followed on the way.
  if (stat.isSymbolicLink() || readlinkSync(`/proc/self/fd/${descriptor}`) !== path) {
    closeSync(descriptor);
    return null;
  }
  let held = true;
  return {
    kind: stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : 'other',
    identity: `${stat.dev}:${stat.ino}`,
    release() {
      if (held) closeSync(descriptor);
      held = false;
    },
  };
}
