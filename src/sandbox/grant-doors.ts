/**
 * Sockets and named pipes in a granted folder: through each, a program in a cell could talk to one outside of it, past the
 * gateway, and mounting the folder read-only does not prevent that.
 */
import { readdir } from 'node:fs/promises';
import { limits } from '../kernel/index.ts';

export interface DoorSearch {
  /** Absolute path of the first one that was found. */
  readonly door: string | null;
  /** False when the folder holds more than is looked at. */
  readonly whole: boolean;
}

/** Looks through a folder, the upper levels first, without following links. What this user cannot list is left out. */
export async function findDoor(folder: string): Promise<DoorSearch> {
  let seen = 0;
  for (let level = [folder]; level.length > 0; ) {
    const below: string[] = [];
    for (const path of level) {
      const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
      const door = entries.find((entry) => entry.isSocket() || entry.isFIFO());
      if (door !== undefined) return { door: `${path}/${door.name}`, whole: true };
      seen += entries.length;
      if (seen > limits.grantEntriesMax) return { door: null, whole: false };
      below.push(...entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${path}/${name}`));
    }
    level = below;
  }
  return { door: null, whole: true };
}
