/** Whether a user that is nobody on this host could reach a path: the question a gateway that is root has to ask. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

const OTHERS_READ = 0o004;
const OTHERS_ENTER = 0o001;

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
export function openToAnyone(path: string): boolean {
  const stat = statSync(path);
  const needed = stat.isDirectory() ? OTHERS_READ | OTHERS_ENTER : OTHERS_READ;
  return (stat.mode & needed) === needed;
}
