/**
 * An index made of archives on this machine, for machines without another: answers what pip asks for (PEP 503) about the
 * packages that the names of the files say they are, and nothing else. pip checks each against the hash that is made here,
 * and against what the archive says of itself.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError, limits } from '../../kernel/index.ts';
import type { LocalAnswer } from './install-cell.ts';
import { normalName } from './pypi-facts.ts';

export interface WheelIndex {
  /** As pip is given it. Any address would do: in the cell, each one leads to the gateway. */
  readonly url: string;
  answer(path: string): Promise<LocalAnswer | null>;
}

interface Archive {
  readonly path: string;
  readonly file: string;
  readonly sha256: string;
}

/** TEST-NET-1 (RFC 5737): never anybody's. */
const URL_IN_CELL = 'http://192.0.2.80/simple/';

/** Wheels, and archives of sources. In either the name ends where a version begins. */
const ARCHIVE = /^([A-Za-z0-9][A-Za-z0-9._]*)-[0-9][A-Za-z0-9._+!-]*\.(?:whl|tar\.gz|zip)$/;

/**
 * @param from archives, or folders that hold some; absolute
 * @throws AppError `package_archive_unreadable`, `package_archives_none`, `package_archives_conflict`
 */
export async function openWheels(from: readonly string[]): Promise<WheelIndex> {
  const paths = (await Promise.all(from.map(archivesAt))).flat();
  if (paths.length === 0) {
    throw new AppError('package_archives_none', `There is no wheel (.whl) in ${from.join(', ')}.`, {
      kind: 'invalid',
      hint: '`pip download NAME==VERSION` fetches all that are needed, on a machine that reaches the index.',
    });
  }
  if (paths.length > limits.packageArchivesMax)
    throw unreadable(from.join(', '), `there are more than ${limits.packageArchivesMax} archives`);
  const byFile = new Map<string, Archive>();
  for (const path of paths) {
    const archive = { path, file: basename(path), sha256: await hashOf(path) };
    const before = byFile.get(archive.file);
    if (before !== undefined && before.sha256 !== archive.sha256) {
      throw new AppError(
        'package_archives_conflict',
        `${before.path} and ${path} have one name, and differ.`,
        {
          kind: 'invalid',
          hint: 'Find out which one is right, and leave the other out.',
        },
      );
    }
    byFile.set(archive.file, archive);
  }
  return {
    url: URL_IN_CELL,
    async answer(path) {
      const [, folder, file = ''] = /^\/simple\/([a-z0-9-]+)\/(?:([^/?#]+))?$/.exec(decode(path)) ?? [];
      if (folder === undefined) return null;
      const archives = [...byFile.values()].filter((one) => projectOf(one.file) === folder);
      if (file === '') return archives.length === 0 ? null : page(archives);
      const archive = archives.find((one) => one.file === file);
      if (archive === undefined) return null;
      return { status: 200, type: 'application/octet-stream', body: { file: archive.path } };
    },
  };
}

const projectOf = (file: string): string | null => {
  const name = ARCHIVE.exec(file)?.[1];
  return name === undefined ? null : normalName(name);
};

async function archivesAt(path: string): Promise<readonly string[]> {
  try {
    if ((await stat(path)).isDirectory()) {
      const names = await readdir(path);
      return names
        .filter((name) => ARCHIVE.test(name))
        .sort()
        .map((name) => join(path, name));
    }
  } catch (cause) {
    throw unreadable(path, 'it cannot be opened', cause);
  }
  if (ARCHIVE.test(basename(path))) return [path];
  throw unreadable(path, 'its name is not that of a wheel or an archive of sources');
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    // To open a pipe is to wait for somebody who writes to it, and takes a thread of the gateway's until then.
    if (!(await stat(path)).isFile()) throw unreadable(path, 'it is no file');
    for await (const chunk of createReadStream(path)) {
      bytes += (chunk as Buffer).length; // no encoding was set
      if (bytes > limits.packageArchiveBytesMax) throw unreadable(path, 'it is too large');
      hash.update(chunk as Buffer);
    }
  } catch (cause) {
    throw cause instanceof AppError ? cause : unreadable(path, 'it cannot be read', cause);
  }
  return hash.digest('hex');
}

/** Names of files hold nothing that HTML would read as its own. */
function page(archives: readonly Archive[]): LocalAnswer {
  const links = archives.map(({ file, sha256 }) => {
    const address = encodeURIComponent(file);
    return `<a href="${address}#sha256=${sha256}">${file}</a>\n`;
  });
  const body = Buffer.from(`<!DOCTYPE html><html><body>\n${links.join('')}</body></html>\n`);
  return { status: 200, type: 'text/html; charset=utf-8', body };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path.split('?', 1)[0] ?? '');
  } catch {
    return '';
  }
}

const unreadable = (path: string, why: string, cause?: unknown): AppError =>
  new AppError('package_archive_unreadable', `${path} cannot be used: ${why}.`, {
    kind: 'invalid',
    hint: '`pip download NAME==VERSION` fetches all that are needed, on a machine that reaches the index.',
    cause,
  });
