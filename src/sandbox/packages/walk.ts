/**
 * Goes through a folder that programs which are not trusted have filled: with any number of entries, nested at any depth,
 * named with any bytes. Holds a few entries at a time, and paths as bytes, since a name need not be text.
 */
import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { limits } from '../../kernel/index.ts';

/** Entries that are looked at, or removed, at the same time. */
const BATCH = 64;

export interface Found {
  readonly path: Buffer;
  readonly isFolder: boolean;
}

/** The entries of one folder, a few at a time; none of one that is gone. */
export async function* entriesOf(folder: Buffer): AsyncGenerator<readonly Found[]> {
  // Each byte of a name is one character of it so.
  const entries = await opendir(folder, { encoding: 'latin1', bufferSize: BATCH }).catch(unlessGone(null));
  if (entries === null) return;
  let batch: Found[] = [];
  for await (const entry of entries) {
    batch.push(found(folder, entry));
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

const found = (folder: Buffer, entry: Dirent): Found => ({
  path: below(folder, entry.name),
  isFolder: entry.isDirectory(),
});

/** @param name each character one byte */
export const below = (folder: Buffer, name: string): Buffer =>
  Buffer.concat([folder, Buffer.from(`/${name}`, 'latin1')]);

/** Whether a path is longer than any that a package may have. */
export const isTooDeep = (root: Buffer, path: Buffer): boolean =>
  path.length - root.length > limits.packagePathBytesMax;

/**
 * Every entry below a folder; follows no link.
 *
 * @param visit whether the entry is a folder to go down into, or `stop` for all to end. What is gone when it is looked at
 *   is left out
 */
export async function walk(root: Buffer, visit: (path: Buffer) => Promise<boolean | 'stop'>): Promise<void> {
  const pending: Buffer[] = [root];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for await (const entries of entriesOf(folder)) {
      const next = await Promise.all(entries.map(({ path }) => visit(path).catch(unlessGone(false))));
      if (next.includes('stop')) return;
      pending.push(...entries.flatMap(({ path }, index) => (next[index] === true ? [path] : [])));
    }
  }
}

/** What is said of something that is gone: it, or a folder on the way to it, may be a file or a link by now. */
const GONE: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** What stands for something that is gone. @throws any other error again */
export const unlessGone =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (GONE.has(codeOf(error))) return instead;
    throw error;
  };

export const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;
