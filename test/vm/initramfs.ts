/** The whole file system of a small machine, made of programs of this one, as a kernel unpacks it: cpio, "new ASCII" form. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** By path in the machine, without the first slash; a folder is null, a link names its target. */
export type Files = Map<string, Buffer | { readonly link: string } | null>;

const FOLDER = 0o040_755;
const FILE = 0o100_755;
const LINK = 0o120_777;

export function cpio(files: Files): Buffer {
  const parts: Buffer[] = [];
  const padded = (bytes: Buffer): void => void parts.push(bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4));
  const entry = (name: string, mode: number, data: Buffer): void => {
    const numbers = [parts.length + 1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
    padded(Buffer.from(`${head}${name}\0`));
    padded(data);
  };
  for (const [path, file] of [...files].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (file === null) entry(path, FOLDER, Buffer.alloc(0));
    else if (Buffer.isBuffer(file)) entry(path, FILE, file);
    else entry(path, LINK, Buffer.from(file.link));
  }
  entry('TRAILER!!!', 0, Buffer.alloc(0));
  return Buffer.concat(parts);
}

export function addFolders(files: Files, ...paths: readonly string[]): void {
  for (let path of paths)
    for (; path !== '.'; path = dirname(path)) if (!files.has(path)) files.set(path, null);
}

/** A program of this machine at `usr/bin`, with the libraries that it is linked to where it looks for them. */
export function addProgram(files: Files, name: string, file: string = find(name)): void {
  addFolders(files, 'usr/bin');
  files.set(`usr/bin/${name}`, readFileSync(file));
  const linked = execFileSync('ldd', [file], { encoding: 'utf8' });
  for (const [library] of linked.matchAll(/\/\S+/g)) {
    // `/lib` is a link into `/usr` there, as it is on Debian.
    const place = library.replace(/^\/(?:usr\/)?/, 'usr/');
    addFolders(files, dirname(place));
    files.set(place, readFileSync(library));
  }
}

function find(name: string): string {
  const file = ['/usr/bin', '/usr/sbin', '/bin', '/sbin']
    .map((folder) => join(folder, name))
    .find(existsSync);
  if (file === undefined) throw new Error(`${name} is not on this machine`);
  return realpathSync(file);
}

export function addTree(files: Files, from: string, to: string): void {
  addFolders(files, dirname(to));
  const stat = lstatSync(from);
  if (stat.isSymbolicLink()) files.set(to, { link: readlinkSync(from) });
  else if (stat.isFile()) files.set(to, readFileSync(from));
  else if (stat.isDirectory() && basename(from) !== '.bin') {
    addFolders(files, to);
    for (const name of readdirSync(from)) addTree(files, join(from, name), join(to, name));
  }
}
