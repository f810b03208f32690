/**
 * Removes a tree that programs which are not trusted have made: whatever modes its folders have, however many entries, and at
 * any depth. What is nested so deep that its path cannot be said is moved up first. Follows no link.
 */
import { randomBytes } from 'node:crypto';
import { chmod, lstat, rename, rmdir, unlink } from 'node:fs/promises';
import { below, codeOf, entriesOf, isTooDeep, unlessGone } from './walk.ts';

/** Folders of one folder that are known at the same time. */
const FOLDERS_AT_ONCE = 1_000;

/** @throws Error for what cannot be removed: then some of it is left */
export async function removeTree(root: string | Buffer): Promise<void> {
  const top = typeof root === 'string' ? Buffer.from(root) : root;
  const stat = await lstat(top).catch(unlessGone(null));
  if (stat === null) return;
  if (!stat.isDirectory()) return unlink(top).catch(unlessGone(undefined));
  const open: Buffer[] = [top];
  for (let folder = open.at(-1); folder !== undefined; folder = open.at(-1)) {
    const { folders, gone } = await emptyFolder(top, folder);
    if (folders.length > 0) open.push(...folders);
    else if (await isRemoved(folder, gone > 0)) open.pop();
  }
}

interface Emptied {
  /** Those to be removed first, or some of them. */
  readonly folders: readonly Buffer[];
  /** How many entries are not there any more. */
  readonly gone: number;
}

async function emptyFolder(top: Buffer, folder: Buffer): Promise<Emptied> {
  const folders: Buffer[] = [];
  let gone = 0;
  await open(folder);
  for await (const entries of entriesOf(folder)) {
    const left = await Promise.all(
      entries.map(async ({ path, isFolder }) => {
        if (!isFolder) await unlink(path).catch(unlessGone(undefined));
        else if (isTooDeep(top, path)) await moveUp(top, path);
        else return [path];
        return [];
      }),
    );
    folders.push(...left.flat());
    gone += entries.length - left.flat().length;
    if (folders.length >= FOLDERS_AT_ONCE) break;
  }
  return { folders, gone };
}

/** There it is found as one of the top's own. */
async function moveUp(top: Buffer, path: Buffer): Promise<void> {
  await open(path);
  await rename(path, below(top, `.up-${randomBytes(8).toString('hex')}`)).catch(unlessGone(undefined));
}

/** Its owner may read and change it; where that cannot be set, what is done next says so. */
const open = (folder: Buffer): Promise<void> => chmod(folder, 0o700).catch(() => undefined);

/** @param isNews whether to look again, should it not be empty */
async function isRemoved(folder: Buffer, isNews: boolean): Promise<boolean> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOTEMPTY' && isNews) return false;
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  return true;
}
