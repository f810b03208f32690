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
import { type Fields, fieldsOf, foreignSource } from './sources.ts';

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
  const found = await distributions(root, library);
  const named = (one: { name: string; version: string }): string => `${one.name}==${one.version}`;
  const [reported, lying] = [parts.map(named).sort(), found.map(named).sort()];
  // Neither a name nor a version that was reported has a line end.
  if (reported.join('\n') !== lying.join('\n'))
    throw unexpected('it does not hold what pip says it has installed');
  const name = normalName(want.name);
  const main = found.find((one) => one.name === name);
  if (main === undefined) throw unexpected(`pip did not install ${name}`);
  const built = parts.filter(({ scripts }) => scripts).map(named);
  if (built.length > 0 && !want.allowScripts) throw unexpected(`pip has built ${built.join(', ')}`);
  return {
    facts: {
      spec: `pypi:${name}==${main.version}`,
      name,
      version: main.version,
      bins: await binsOf(root, join(library, main.folder)),
      parts,
      scriptsSkipped: [],
      scriptsRun: built,
      python,
    },
    lockfile: lockOf(parts),
  };
}

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
      const name = normalName(String(metadata['name']));
      const version = String(metadata['version']);
      const hash = fieldsOf(fieldsOf(download['archive_info'])['hashes'])['sha256'];
      if (!NAME.test(name) || !VERSION.test(version))
        throw unexpected('pip reported a package without a name');
      if (entry['is_direct'] !== false) {
        throw foreignSource(
          `${name} came from ${JSON.stringify(download['url'])}, which a part asks for by address`,
        );
      }
      if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash))
        throw unexpected(`${name} came without a hash`);
      const scripts = !/^[^?#]*\.whl(?:[?#]|$)/.test(String(download['url']));
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

interface Distribution {
  readonly name: string;
  readonly version: string;
  /** Name of its `.dist-info` folder. */
  readonly folder: string;
}

/** What lies in the tree, by its own metadata. */
async function distributions(root: string, library: string): Promise<readonly Distribution[]> {
  const names = await readdir(await inside(root, library)).catch((cause: unknown) => {
    throw unexpected('there is no folder of libraries', cause);
  });
  const folders = names.filter((name) => name.endsWith('.dist-info'));
  return Promise.all(
    folders.map(async (folder) => {
      const text = await readInside(root, join(library, folder, 'METADATA'), limits.packageManifestBytesMax);
      const head = text.split(/\r?\n\r?\n/, 1)[0] ?? '';
      const field = (name: string): string => new RegExp(`^${name}: *(.*?) *$`, 'm').exec(head)?.[1] ?? '';
      return { name: normalName(field('Name')), version: field('Version'), folder };
    }),
  );
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
  if (!real.startsWith(`${base}/`)) throw unexpected(`"${path}" leads out of it`);
  return real;
}

async function readInside(root: string, path: string, bytesMax: number): Promise<string> {
  const real = await inside(root, path).catch((cause: unknown) => {
    throw unexpected(`"${path}" cannot be read`, cause);
  });
  const found = await stat(real);
  if (!found.isFile() || found.size > bytesMax) throw unexpected(`"${path}" is no file, or too large`);
  return readFile(real, 'utf8');
}

const unexpected = (why: string, cause?: unknown): AppError =>
  new AppError('package_install_failed', `The package could not be installed: ${why}.`, {
    kind: 'failed',
    cause,
  });
