/**
 * What a tree says of itself that pip filled. Its files come from the index and, where sources were built, from programs
 * of the package: every field is checked before use, nothing is read from outside of the tree, and what pip reported has
 * to be what lies there.
 */
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, limits } from '../../kernel/index.ts';
import type { FinishedTree, PackagePart, Wanted } from './installer.ts';
import { workFiles } from './pypi-script.ts';
import type { Interpreter } from './python-tools.ts';
import { type Fields, fieldsOf, foreignSource, quoted } from './sources.ts';

/**
 * @param want what was asked for; with no version, what was found is taken
 * @throws AppError `package_install_failed` when the tree is not what pip should have made, `package_source_refused` when
 *   a part of it is not from the index
 */
export async function pypiFacts(
  root: string,
  want: Pick<Wanted, 'name' | 'version' | 'allowScripts'>,
  { path, version: python }: Interpreter,
): Promise<FinishedTree> {
  const link = await readlink(join(root, 'venv/bin/python')).catch(() => null);
  if (link !== path) throw unexpected('the link to the interpreter is not the one that was made');
  const parts = partsOf(await readReport(root));
  const library = `venv/lib/python${python}/site-packages`;
  const name = normalName(want.name);
  const folder = (await metadataFolders(root, library, parts)).get(name);
  const main = parts.find((one) => one.name === name);
  if (main === undefined || folder === undefined) throw unexpected(`pip did not install ${name}`);
  const built = parts.filter(({ scripts }) => scripts).map(named);
  if (built.length > 0 && !want.allowScripts) throw unexpected(`pip has built ${built.join(', ')}`);
  return {
    facts: {
      spec: `pypi:${name}==${main.version}`,
      name,
      version: main.version,
      bins: await binsOf(root, join(library, folder)),
      parts,
      scriptsSkipped: [],
      scriptsRun: built,
      python,
    },
    lockfile: lockOf(parts),
  };
}

const named = ({ name, version }: PackagePart): string => `${name}==${version}`;

/** PEP 503: names that differ in nothing else are one. */
export const normalName = (name: string): string => name.toLowerCase().replaceAll(/[-_.]+/g, '-');

/** Requirements from which pip makes the same tree again. */
const lockOf = (parts: readonly PackagePart[]): string =>
  parts.map(({ name, version, integrity }) => `${name}==${version} --hash=${integrity}\n`).join('');

const NAME = /^[a-z0-9][a-z0-9-]{0,127}$/;
/** PEP 440, with local versions. */
const VERSION = /^[0-9a-z][0-9a-z.!+_-]{0,127}$/i;
const byName = (one: PackagePart, other: PackagePart): number => (one.name < other.name ? -1 : 1);

/** What pip reported, sorted by name. */
function partsOf(report: Fields): readonly PackagePart[] {
  const entries: unknown = report['install'];
  if (!Array.isArray(entries)) throw unexpected('pip left no list of what it installed');
  return entries
    .map((value: unknown) => {
      const [entry, download] = [fieldsOf(value), fieldsOf(fieldsOf(value)['download_info'])];
      const metadata = fieldsOf(entry['metadata']);
      const name = normalName(textOf(metadata['name']));
      const version = textOf(metadata['version']);
      const hash = fieldsOf(fieldsOf(download['archive_info'])['hashes'])['sha256'];
      if (!NAME.test(name) || !VERSION.test(version))
        throw unexpected('pip reported a package without a name');
      if (entry['is_direct'] !== false) {
        throw foreignSource(`${name} came from ${quoted(download['url'])}, which a part asks for by address`);
      }
      if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash))
        throw unexpected(`${name} came without a hash`);
      const scripts = !/^[^?#]*\.whl(?:[?#]|$)/.test(textOf(download['url']));
      return { name, version, integrity: `sha256:${hash}`, scripts };
    })
    .sort(byName);
}

async function readReport(root: string): Promise<Fields> {
  try {
    return fieldsOf(JSON.parse(await readInside(root, workFiles.report, limits.packageReportBytesMax)));
  } catch (cause) {
    throw unexpected('pip did not leave the files it should have', cause);
  }
}

/**
 * Where the metadata of each part lies, by the part's name. What pip reported has to be what lies there, no more and no less.
 */
async function metadataFolders(
  root: string,
  library: string,
  parts: readonly PackagePart[],
): Promise<ReadonlyMap<string, string>> {
  const differs = (): AppError => unexpected('it does not hold what pip says it has installed');
  const names = await readdir(await inside(root, library)).catch((cause: unknown) => {
    throw unexpected('there is no folder of libraries', cause);
  });
  const folders = names.filter((name) => name.endsWith('.dist-info'));
  const missing = new Map(parts.map((part) => [named(part), part.name]));
  if (folders.length !== missing.size) throw differs();
  const found = new Map<string, string>();
  // One after the other, and nothing is kept of them: any package can bring more of these, as large as they may be.
  for (const folder of folders) {
    const text = await readInside(root, join(library, folder, 'METADATA'), limits.packageManifestBytesMax);
    const head = (text.split(/\r?\n\r?\n/, 1)[0] ?? '').split(/\r?\n/);
    const field = (name: string): string =>
      head
        .find((line) => line.startsWith(name))
        ?.slice(name.length)
        .trim() ?? '';
    const id = `${normalName(field('Name:'))}==${field('Version:')}`;
    const name = missing.get(id);
    if (name === undefined) throw differs();
    missing.delete(id);
    found.set(name, folder);
  }
  return found;
}

/** Programs of a package: what it put beside the interpreter. */
async function binsOf(root: string, folder: string): Promise<Readonly<Record<string, string>>> {
  const record = await readInside(root, join(folder, 'RECORD'), limits.packageManifestBytesMax);
  const bins = record
    .split('\n')
    .flatMap((line) => /^"?(?:\.\.\/){3,4}bin\/([A-Za-z0-9][A-Za-z0-9._+-]*)"?,/.exec(line)?.[1] ?? []);
  return Object.fromEntries(bins.sort().map((bin) => [bin, `venv/bin/${bin}`]));
}

/** @returns the path with every link followed, if that is still below `root` */
async function inside(root: string, path: string): Promise<string> {
  const [base, real] = await Promise.all([realpath(root), realpath(join(root, path))]);
  if (!real.startsWith(`${base}/`)) throw unexpected(`${quoted(path)} leads out of it`);
  return real;
}

async function readInside(root: string, path: string, bytesMax: number): Promise<string> {
  const real = await inside(root, path).catch((cause: unknown) => {
    throw unexpected(`${quoted(path)} cannot be read`, cause);
  });
  const found = await stat(real);
  if (!found.isFile() || found.size > bytesMax) throw unexpected(`${quoted(path)} is no file, or too large`);
  return readFile(real, 'utf8');
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const unexpected = (why: string, cause?: unknown): AppError =>
  new AppError('package_install_failed', `The package could not be installed: ${why}.`, {
    kind: 'failed',
    cause,
  });
