/** What an installed npm tree says of itself. Its files come from the registry: every field is checked before use. */
import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { AppError } from '../kernel/index.ts';
import { checkSources, fieldsOf, type Fields } from './package-sources.ts';

export interface PackageFacts {
  /** `npm:NAME@VERSION`. */
  readonly spec: string;
  readonly name: string;
  readonly version: string;
  /** Program name to path within the tree. */
  readonly bins: Readonly<Record<string, string>>;
  /** `NAME@VERSION` of each package with install scripts, which were not run. */
  readonly scriptsSkipped: readonly string[];
}

/**
 * @param version the one that was asked for; undefined takes what was found
 * @throws AppError `package_install_failed` when the tree is not what npm should have made, `package_source_refused` when
 *   a part of it is not from the registry
 */
export async function npmPackageFacts(root: string, name: string, version?: string): Promise<PackageFacts> {
  const [manifest, lock] = await Promise.all([
    readJson(`${root}/node_modules/${name}/package.json`),
    readJson(`${root}/package-lock.json`),
  ]);
  const found = manifest['version'];
  if (
    typeof found !== 'string' ||
    manifest['name'] !== name ||
    (version !== undefined && found !== version)
  ) {
    throw unexpected(`npm installed ${String(manifest['name'])}@${String(found)} instead`);
  }
  const packages = fieldsOf(lock['packages']);
  checkSources(packages);
  return {
    spec: `npm:${name}@${found}`,
    name,
    version: found,
    bins: Object.fromEntries(binNames(name, manifest['bin']).map((bin) => [bin, `node_modules/.bin/${bin}`])),
    scriptsSkipped: withScripts(packages),
  };
}

/** `bin` is either one path, for a program named like the package without its scope, or a map of names to paths. */
function binNames(name: string, bin: unknown): readonly string[] {
  const names = typeof bin === 'string' ? [posix.basename(name)] : Object.keys(fieldsOf(bin));
  return names.filter((found) => /^[A-Za-z0-9@][A-Za-z0-9._@+-]*$/.test(found));
}

function withScripts(packages: Fields): readonly string[] {
  return Object.entries(packages)
    .filter(([, entry]) => fieldsOf(entry)['hasInstallScript'] === true)
    .map(([path, entry]) => `${path.split('node_modules/').at(-1)}@${String(fieldsOf(entry)['version'])}`)
    .sort();
}

async function readJson(path: string): Promise<Fields> {
  try {
    return fieldsOf(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw unexpected('npm did not leave the files it should have', cause);
  }
}

const unexpected = (why: string, cause?: unknown): AppError =>
  new AppError('package_install_failed', `The package could not be installed: ${why}.`, {
    kind: 'failed',
    cause,
  });
