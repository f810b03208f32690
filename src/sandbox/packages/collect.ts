/**
 * Removes packages that nobody needs any more. A package that was used a short while ago stays: another process may have
 * installed it and not yet written down what for. It is renamed before it is removed, so that a start that comes in between
 * finds all of it, or none.
 */
import { randomBytes } from 'node:crypto';
import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { limits, type Log } from '../../kernel/index.ts';
import { removeTree } from './removal.ts';
import { treeBytes } from './staging.ts';

export interface Collected {
  /** Their hashes. */
  readonly removed: readonly string[];
  /** What they took on the disk. */
  readonly bytes: number;
}

const PACKAGE = /^sha256-[0-9a-f]{64}$/;
const TRASH = '.trash-';

/** @param nowMs by the clock that marks a package as used */
export async function collectPackages(
  dir: string,
  keep: ReadonlySet<string>,
  nowMs: number,
  log: Log,
): Promise<Collected> {
  const removed: string[] = [];
  let bytes = 0;
  for (const name of await readdir(dir)) {
    if (!PACKAGE.test(name) || keep.has(name)) continue;
    const usedMs = await stat(join(dir, name)).then(
      ({ mtimeMs }) => mtimeMs,
      () => nowMs,
    );
    if (nowMs - usedMs < limits.packageUnusedKeptMs) continue;
    const trash = join(dir, `${TRASH}${randomBytes(8).toString('hex')}`);
    try {
      await rename(join(dir, name), trash);
    } catch {
      continue; // another process was faster
    }
    bytes += await treeBytes(trash).catch(() => 0);
    await removeOrTell(trash, log);
    removed.push(name);
  }
  return { removed, bytes };
}

/** What was to be removed when its process ended. @returns how many */
export async function removeTrash(dir: string, log: Log): Promise<number> {
  return removeAll(
    dir,
    (await readdir(dir)).filter((name) => name.startsWith(TRASH)),
    log,
  );
}

/** @returns how many of them are gone */
export async function removeAll(dir: string, names: readonly string[], log: Log): Promise<number> {
  let count = 0;
  for (const name of names) if (await removeOrTell(join(dir, name), log)) count += 1;
  return count;
}

/** What cannot be removed takes room, and keeps nobody from working. @returns whether it is gone */
export async function removeOrTell(path: string, log: Log): Promise<boolean> {
  try {
    await removeTree(path);
    return true;
  } catch (error) {
    log.warn('package.left_behind', { path, why: String(error) });
    return false;
  }
}
