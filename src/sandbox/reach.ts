/** Whether a user that is nobody on this host could reach a path: the question a gateway that is root has to ask. */
import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

const OTHERS_READ = 0o004;
const OTHERS_ENTER = 0o001;
/** How far to the left the owner's bits are. */
const OWNER_SHIFT = 6;

/** @param path absolute, links resolved */
export function reachableByAnyone(path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & OTHERS_ENTER) === 0) return false;
    if (folder === '/') return true;
  }
}

/** Whether others could reach what is in a folder, by the mode of that folder. */
export const enterable = (folder: string): boolean => (statSync(folder).mode & OTHERS_ENTER) !== 0;

/** What the path's own mode allows to others, whether or not they can reach it. */
export const openToAnyone = (path: string): boolean => isOpen(statSync(path), 0);

/** The same for a user that it belongs to. */
export function openToOwner(path: string, user: number): boolean {
  const stat = statSync(path);
  return stat.uid === user && isOpen(stat, OWNER_SHIFT);
}

function isOpen(stat: Stats, shift: number): boolean {
  const needed = (stat.isDirectory() ? OTHERS_READ | OTHERS_ENTER : OTHERS_READ) << shift;
  return (stat.mode & needed) === needed;
}
