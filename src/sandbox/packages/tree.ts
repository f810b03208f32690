/**
 * The identity of an installed package: one hash over every path, kind and content below its folder.
 *
 * Format, version 1: SHA-256 over one record per entry, sorted by the bytes of the path: kind (`d` folder, `f` file,
 * `x` executable file, `l` link), NUL, path with `/`, NUL, hex SHA-256 of the content (of the target for a link; nothing
 * for a folder), LF. Times, owners and the other mode bits do not count.
 */
import { isUtf8 } from 'node:buffer';
import { createHash, hash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync } from 'node:fs';
import { chmod, readFile, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError, limits } from '../../kernel/index.ts';

type EntryKind = 'd' | 'f' | 'x' | 'l';

interface Entry {
  readonly kind: EntryKind;
  /** Relative to the package's folder. */
  readonly path: string;
  readonly size: number;
  /** Changes whenever content, mode or owner does: inode, size, and time of the last change of either. */
  readonly stamp: string;
}

/** Files that are read at the same time. */
const READERS = 16;

/**
 * Entries that are looked at in one turn of the event loop. Asked one by one in this thread, they cost a third of what they
 * cost through the thread pool, which counts at every start of a cell; and nobody else waits for more than these.
 */
const LOOKS_PER_TURN = 32;

/** Every entry below a folder, sorted by path. @throws AppError `package_tree_unsafe` for what a package cannot hold */
async function listTree(root: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let pathBytes = 0;
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const name of namesIn(`${root}/${folder}`)) {
      const entry = readEntry(root, folder === '' ? name : `${folder}/${name}`);
      entries.push(entry);
      if (entry.kind === 'd') pending.push(entry.path);
      if (entries.length > limits.packageEntriesMax)
        throw unsafe(`it has more than ${limits.packageEntriesMax} files`);
      pathBytes += Buffer.byteLength(entry.path);
      if (pathBytes > limits.packagePathsBytesMax)
        throw unsafe(`the paths of its files take more than ${limits.packagePathsBytesMax} bytes`);
      if (entries.length % LOOKS_PER_TURN === 0) await nextTurn();
    }
  }
  const keyed = entries.map((entry) => ({ entry, bytes: Buffer.from(entry.path) }));
  return keyed.sort((one, other) => Buffer.compare(one.bytes, other.bytes)).map(({ entry }) => entry);
}

/** What stands in a text for bytes that are none. */
const REPLACEMENT = '\ufffd';

/** Names that are no text could not be told apart, and one of them would be taken for another file, of just that name. */
function namesIn(folder: string): readonly string[] {
  const names = readdirSync(folder);
  if (names.some((name) => name.includes(REPLACEMENT))) {
    const odd = readdirSync(folder, { encoding: 'buffer' }).find((name) => !isUtf8(name));
    if (odd !== undefined) throw unsafe(`the name of "${odd.toString()}" is no text in UTF-8`);
  }
  return names;
}

function readEntry(root: string, path: string): Entry {
  const stat = lstatSync(`${root}/${path}`, { bigint: true });
  const stamp = `${stat.ino} ${stat.size} ${stat.mode} ${stat.mtimeNs} ${stat.ctimeNs}`;
  return { kind: kindOf(path, stat), path, size: Number(stat.size), stamp };
}

function kindOf(
  path: string,
  stat: { isDirectory(): boolean; isFile(): boolean; isSymbolicLink(): boolean; readonly mode: bigint },
): EntryKind {
  if (stat.isDirectory()) return 'd';
  if (stat.isSymbolicLink()) return 'l';
  if (stat.isFile()) return (stat.mode & 0o111n) === 0n ? 'f' : 'x';
  throw unsafe(`"${path}" is neither a file, a folder nor a link`);
}

/**
 * Hash of the tree, `sha256-` and 64 hex digits. Reads every byte.
 *
 * @param outside targets that links may have although they are not in the tree; absent: none
 */
export async function hashTree(root: string, outside?: RegExp): Promise<string> {
  const entries = await listTree(root);
  const contents = Array.from({ length: entries.length }, () => '');
  const numbered = entries.entries();
  const work = async (): Promise<void> => {
    // One iterator for all readers: each takes the next entry.
    for (const [index, entry] of numbered) contents[index] = await contentHash(root, entry, outside);
  };
  await Promise.all(Array.from({ length: READERS }, work));
  const whole = createHash('sha256');
  entries.forEach(({ kind, path }, index) => whole.update(`${kind}\0${path}\0${contents[index]}\n`));
  return `sha256-${whole.digest('hex')}`;
}

async function contentHash(root: string, { kind, path, size }: Entry, outside?: RegExp): Promise<string> {
  if (kind === 'd') return '';
  if (kind === 'l') return hash('sha256', await safeTarget(root, path, outside));
  const file = `${root}/${path}`;
  if (size <= limits.packageHashedWholeBytesMax) return hash('sha256', await readFile(file));
  const whole = createHash('sha256');
  for await (const chunk of createReadStream(file)) whole.update(chunk as Buffer); // no encoding was set
  return whole.digest('hex');
}

/**
 * A link must stay inside: in a cell it would otherwise lead somewhere else than where it was checked. It may go up only
 * before it goes down: behind a name that is another link, up is not where it seems to be.
 */
async function safeTarget(root: string, path: string, outside?: RegExp): Promise<string> {
  const target = await readlink(`${root}/${path}`);
  if (outside?.test(target) === true) return target;
  const resolved = posix.normalize(posix.join(posix.dirname(path), target));
  const leadsOut = posix.isAbsolute(target) || resolved === '..' || resolved.startsWith('../');
  if (leadsOut || turnsUp(target)) throw unsafe(`the link "${path}" leads out of it`);
  return target;
}

const turnsUp = (target: string): boolean =>
  target
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .some((name, index, names) => name === '..' && index > 0 && names[index - 1] !== '..');

/**
 * A cheap stand-in for the hash: what the file system says of every entry, without reading contents. Equal means
 * unchanged since the last look, because no program can set a file's time of change (ctime) at will.
 */
export async function stampTree(root: string): Promise<string> {
  const stamps = createHash('sha256');
  for (const { kind, path, stamp } of await listTree(root)) stamps.update(`${kind}\0${path}\0${stamp}\n`);
  return stamps.digest('hex');
}

/** Readable by every user, since a cell may run as any; writable by none but the owner of the folders. */
export async function settleModes(root: string): Promise<void> {
  await chmod(root, 0o755);
  for (const { kind, path } of await listTree(root)) {
    if (kind !== 'l') await chmod(`${root}/${path}`, kind === 'd' ? 0o755 : kind === 'x' ? 0o555 : 0o444);
  }
}

const unsafe = (why: string): AppError =>
  new AppError('package_tree_unsafe', `The package cannot be used: ${why}.`, { kind: 'denied' });
