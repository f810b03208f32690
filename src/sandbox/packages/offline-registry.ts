/**
 * A registry made of archives on this machine, for machines without another: answers what npm asks for about the packages
 * in them, and nothing else. What the archives say of themselves is passed on; npm checks the bytes against the hash that
 * is made here, and the store reads the finished tree as it reads any other.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, limits } from '../../kernel/index.ts';
import { archiveManifest } from './archives.ts';
import type { LocalAnswer } from './install-cell.ts';
import type { Fields } from './sources.ts';

export interface ArchiveRegistry {
  /** As npm is given it. Any address would do: in the cell, each one leads to the gateway. */
  readonly url: string;
  /** @param path of the request, percent-encoded as npm does it */
  answer(path: string): Promise<LocalAnswer | null>;
}

interface Archive {
  readonly file: string;
  readonly manifest: Fields;
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

/** TEST-NET-1 (RFC 5737): never anybody's. */
const URL_IN_CELL = 'http://192.0.2.80/';

/**
 * @param from archives, or folders that hold some; absolute
 * @throws AppError `package_archive_unreadable`, `package_archives_none`, `package_archives_conflict`
 */
export async function openArchives(from: readonly string[]): Promise<ArchiveRegistry> {
  const files = (await Promise.all(from.map(archivesAt))).flat();
  if (files.length === 0) {
    throw new AppError('package_archives_none', `There is no archive (.tgz) in ${from.join(', ')}.`, {
      kind: 'invalid',
      hint: '`npm pack NAME@VERSION` makes one, on a machine that reaches the registry.',
    });
  }
  if (files.length > limits.packageArchivesMax)
    throw unreadable(from.join(', '), `there are more than ${limits.packageArchivesMax} archives`);
  const byName = new Map<string, Map<string, Archive>>();
  for (const file of files) {
    const archive = await readArchive(file);
    const versions = byName.get(archive.name) ?? new Map<string, Archive>();
    const before = versions.get(archive.version);
    if (before !== undefined && before.integrity !== archive.integrity) {
      throw new AppError(
        'package_archives_conflict',
        `${before.file} and ${file} both hold ${archive.name}@${archive.version}, and differ.`,
        { kind: 'invalid', hint: 'Find out which one is right, and leave the other out.' },
      );
    }
    byName.set(archive.name, versions.set(archive.version, archive));
  }
  /** Of names that were asked for; made once, however often one is. */
  const documents = new Map<string, LocalAnswer>();
  return {
    url: URL_IN_CELL,
    async answer(path) {
      const [name = '', file] = decode(path).split('/-/', 2);
      const versions = byName.get(name);
      if (versions === undefined) return null;
      if (file === undefined) {
        const document = documents.get(name) ?? json(packument(name, [...versions.values()]));
        documents.set(name, document);
        return document;
      }
      const archive = versions.get(file.replace(/\.tgz$/, ''));
      if (archive === undefined) return null;
      return { status: 200, type: 'application/octet-stream', body: { file: archive.file } };
    },
  };
}

async function archivesAt(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names
      .filter((name) => /\.(?:tgz|tar\.gz)$/.test(name))
      .sort()
      .map((name) => join(path, name));
  } catch (cause) {
    throw unreadable(path, 'it cannot be opened', cause);
  }
}

async function readArchive(file: string): Promise<Archive> {
  const found = await stat(file);
  // To open a pipe is to wait for somebody who writes to it, and takes a thread of the gateway's until then.
  if (!found.isFile()) throw unreadable(file, 'it is no file');
  if (found.size > limits.packageArchiveBytesMax) throw unreadable(file, 'it is too large');
  const manifest = await archiveManifest(file);
  if (!manifest.ok) throw unreadable(file, manifest.error);
  const { name, version } = manifest.value;
  if (typeof name !== 'string' || typeof version !== 'string')
    throw unreadable(file, 'its package.json has no name or no version');
  const hash = createHash('sha512');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer); // no encoding was set
  return { file, manifest: manifest.value, name, version, integrity: `sha512-${hash.digest('base64')}` };
}

/** What npm needs of a package's document to choose a version and to fetch it. */
function packument(name: string, archives: readonly Archive[]): object {
  const versions = archives.map(({ manifest, version, integrity }) => [
    version,
    {
      ...manifest,
      ...(wantsToRun(manifest) ? { hasInstallScript: true } : {}),
      dist: { integrity, tarball: `${URL_IN_CELL}${name}/-/${version}.tgz` },
    },
  ]);
  // Which of several is the newest is not said: whoever wants one of them names it.
  const [only, ...more] = archives;
  const tags = only === undefined || more.length > 0 ? {} : { latest: only.version };
  return { name, 'dist-tags': tags, versions: Object.fromEntries(versions) };
}

const wantsToRun = ({ scripts }: Fields): boolean =>
  typeof scripts === 'object' &&
  scripts !== null &&
  ['preinstall', 'install', 'postinstall'].some((script) => script in scripts);

function decode(path: string): string {
  try {
    return decodeURIComponent(path.split('?', 1)[0]?.slice(1) ?? '');
  } catch {
    return '';
  }
}

const json = (value: object): LocalAnswer => ({
  status: 200,
  type: 'application/json',
  body: Buffer.from(JSON.stringify(value)),
});

const unreadable = (path: string, why: string, cause?: unknown): AppError =>
  new AppError('package_archive_unreadable', `${path} cannot be used: ${why}.`, {
    kind: 'invalid',
    hint: 'Archives are made by `npm pack NAME@VERSION`, on a machine that reaches the registry.',
    cause,
  });
