/**
 * The folder that an installation fills. What is in there was written by programs that are not trusted: nothing here
 * follows a link, and whatever modes they left, it can be read and measured. To be used when the cell is gone, except
 * for `isWithin`, which changes nothing: a folder that becomes a link under its eyes is counted as what that leads to.
 */
import type { Stats } from 'node:fs';
import { chmod, lchown, lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../kernel/index.ts';
import { removeTree } from './removal.ts';
import { quoted } from './sources.ts';
import { codeOf, isTooDeep, walk } from './walk.ts';

const OWNER_MAY_ALL = 0o700;
const BLOCK_BYTES = 512;

/** Bytes on the disk of everything below a folder. What vanishes meanwhile does not count. */
export async function treeBytes(root: string): Promise<number> {
  let bytes = 0;
  await walk(Buffer.from(root), async (path) => {
    const stat = await lstat(path);
    bytes += stat.blocks * BLOCK_BYTES;
    return stat.isDirectory();
  });
  return bytes;
}

/**
 * Lets whoever reaches the tree write to all of it: in a cell that is a user that nobody else is. No other reaches it, since
 * the folder around it is the gateway's alone.
 */
export async function giveAway(root: string): Promise<void> {
  const give = async (path: Buffer): Promise<boolean> => {
    const stat = await lstat(path);
    if (stat.isDirectory()) await chmod(path, 0o777);
    else if (stat.isFile()) await chmod(path, 0o666 | (stat.mode & 0o111));
    return stat.isDirectory();
  };
  if (await give(Buffer.from(root))) await walk(Buffer.from(root), give);
}

/**
 * Whether a tree is no more than it may be: in bytes on the disk, bytes to be read, entries and lengths of paths. Looks no
 * further than it has to. What cannot be looked at is too large: nobody can say how much of it there is.
 */
export const isWithin = (root: string, bytesMax: number): Promise<boolean> =>
  measured(root, bytesMax, async () => undefined);

/**
 * Makes everything the gateway's own again, and every folder one that it can read.
 *
 * @returns whether it is within its bounds (see `isWithin`); if not, it is only to be removed
 */
export async function takeBack(root: string, bytesMax: number): Promise<boolean> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  return measured(root, bytesMax, async (path, stat) => {
    if (stat.uid !== uid || stat.gid !== gid) await lchown(path, uid, gid);
    if (stat.isDirectory() && (stat.mode & OWNER_MAY_ALL) !== OWNER_MAY_ALL) await chmod(path, OWNER_MAY_ALL);
  });
}

async function measured(
  root: string,
  bytesMax: number,
  prepare: (path: Buffer, stat: Stats) => Promise<void>,
): Promise<boolean> {
  const top = Buffer.from(root);
  let bytes = 0;
  let entries = 0;
  let pathBytes = 0;
  const look = async (path: Buffer): Promise<boolean | 'stop'> => {
    const stat = await lstat(path);
    // A file may say that it is large while nothing of it is on the disk; whoever hashes it reads all of that.
    bytes += Math.max(stat.size, stat.blocks * BLOCK_BYTES);
    entries += 1;
    pathBytes += path.length - top.length;
    const isTooMuch = entries > limits.packageEntriesMax || pathBytes > limits.packagePathsBytesMax;
    if (bytes > bytesMax || isTooMuch || isTooDeep(top, path)) return 'stop';
    await prepare(path, stat);
    return stat.isDirectory();
  };
  let isWhole = true;
  try {
    if ((await look(top)) !== true) return false;
    await walk(top, async (path) => {
      const next = await look(path);
      if (next === 'stop') isWhole = false;
      return next;
    });
  } catch (error) {
    if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'ENAMETOOLONG') throw error;
    return false;
  }
  return isWhole;
}

/**
 * The text of a file in the tree, reached through real folders only: a link could lead to any file of this machine, which
 * the gateway may read and the program that made the link may not.
 *
 * @throws Error for a path that leads elsewhere, what is no file, and what is larger than `bytesMax`
 */
export async function readWithin(root: string, path: string, bytesMax: number): Promise<string> {
  const names = path.split('/');
  let at = root;
  for (const [index, name] of names.entries()) {
    if (name === '' || name === '.' || name === '..')
      throw new Error(`${quoted(path)} leads out of the package`);
    at = join(at, name);
    const stat = await lstat(at);
    const isLast = index === names.length - 1;
    if (isLast ? !stat.isFile() : !stat.isDirectory())
      throw new Error(`${quoted(path)} is not a file in real folders`);
    if (isLast && stat.size > bytesMax) throw new Error(`${quoted(path)} is larger than ${bytesMax} bytes`);
  }
  return readFile(at, 'utf8');
}

/** Writes a file at the top of the tree, in place of whatever is there: through a link it would be written elsewhere. */
export async function writeWithin(root: string, name: string, text: string): Promise<void> {
  await removeTree(join(root, name));
  await writeFile(join(root, name), text, { flag: 'wx' });
}
