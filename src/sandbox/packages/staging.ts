/**
 * The folder that an installation fills. What is in there was written by programs that are not trusted: nothing here
 * follows a link, and whatever modes they left, it can be read, measured and removed. To be used when the cell is gone,
 * except for `treeBytes`.
 */
import { chmod, lchown, lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const OWNER_MAY_ALL = 0o700;

/** Bytes on the disk of everything below a folder. What vanishes meanwhile does not count. */
export async function treeBytes(root: string): Promise<number> {
  let bytes = 0;
  await walk(root, async (path) => {
    const stat = await lstat(path);
    bytes += stat.blocks * 512;
    return stat.isDirectory();
  });
  return bytes;
}

/**
 * Lets whoever reaches the tree write to all of it: in a cell that is a user that nobody else is. No other reaches it, since
 * the folder around it is the gateway's alone.
 */
export async function giveAway(root: string): Promise<void> {
  const give = async (path: string): Promise<boolean> => {
    const stat = await lstat(path);
    if (stat.isDirectory()) await chmod(path, 0o777);
    else if (stat.isFile()) await chmod(path, 0o666 | (stat.mode & 0o111));
    return stat.isDirectory();
  };
  if (await give(root)) await walk(root, give);
}

/** Makes everything the gateway's own again, and every folder one that it can read. */
export async function takeBack(root: string): Promise<void> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const take = async (path: string): Promise<boolean> => {
    const stat = await lstat(path);
    if (stat.uid !== uid || stat.gid !== gid) await lchown(path, uid, gid);
    if (!stat.isDirectory()) return false;
    if ((stat.mode & OWNER_MAY_ALL) !== OWNER_MAY_ALL) await chmod(path, OWNER_MAY_ALL);
    return true;
  };
  if (await take(root)) await walk(root, take);
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
    if (name === '' || name === '.' || name === '..') throw new Error(`"${path}" leads out of the package`);
    at = join(at, name);
    const stat = await lstat(at);
    const isLast = index === names.length - 1;
    if (isLast ? !stat.isFile() : !stat.isDirectory())
      throw new Error(`"${path}" is not a file in real folders`);
    if (isLast && stat.size > bytesMax) throw new Error(`"${path}" is larger than ${bytesMax} bytes`);
  }
  return readFile(at, 'utf8');
}

/** Writes a file at the top of the tree, in place of whatever is there: through a link it would be written elsewhere. */
export async function writeWithin(root: string, name: string, text: string): Promise<void> {
  await rm(join(root, name), { recursive: true, force: true });
  await writeFile(join(root, name), text, { flag: 'wx' });
}

/** Removes a tree whatever modes its folders have. */
export async function removeTree(root: string): Promise<void> {
  await takeBack(root).catch(() => undefined); // gone already, or `rm` says what is wrong
  await rm(root, { recursive: true, force: true });
}

/** @param visit whether the entry is a folder to go down into; its failure leaves the entry out */
async function walk(root: string, visit: (path: string) => Promise<boolean>): Promise<void> {
  const pending = [root];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const parent = folder;
    const names = await readdir(parent).catch(() => []);
    const paths = names.map((name) => join(parent, name));
    const folders = await Promise.all(paths.map((path) => visit(path).catch(() => false)));
    pending.push(...paths.filter((_, index) => folders[index] === true));
  }
}
