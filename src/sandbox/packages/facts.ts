/**
 * What an installed npm tree says of itself. Its files come from the registry, and where scripts were allowed from anything
 * that these did: every field is checked before use, and nothing is read from outside of the tree.
 */
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { AppError, limits } from '../../kernel/index.ts';
import { parsePackageSpec } from '../../manifest/index.ts';
import type { FinishedTree, PackagePart, TreeFacts, Wanted } from './installer.ts';
import { checkSources, fieldsOf, type Fields, quoted } from './sources.ts';
import { readWithin } from './staging.ts';
import { unlessGone } from './walk.ts';

/**
 * @param want what was asked for; with no version, what was found is taken
 * @throws AppError `package_install_failed` when the tree is not what npm should have made, `package_source_refused` when
 *   a part of it is not from the registry
 */
export async function npmPackageFacts(
  root: string,
  { name, version, allowScripts }: Pick<Wanted, 'name' | 'version' | 'allowScripts'>,
): Promise<FinishedTree> {
  const [manifest, lockfile] = await Promise.all([
    readText(root, `node_modules/${name}/package.json`, limits.packageManifestBytesMax).then(parse),
    readText(root, 'package-lock.json', limits.packageLockfileBytesMax),
  ]);
  const lock = parse(lockfile);
  const found = manifest['version'];
  if (
    typeof found !== 'string' ||
    manifest['name'] !== name ||
    (version !== undefined && found !== version) ||
    // npm takes other versions too, which it only warns of.
    !parsePackageSpec(`npm:${name}@${found}`).ok
  ) {
    const instead = `${textOf(manifest['name']) ?? 'nothing'}@${textOf(found) ?? 'nothing'}`;
    throw unexpected(`npm installed ${quoted(instead)} instead`);
  }
  const packages = fieldsOf(lock['packages']);
  checkSources(packages);
  const parts = await partsOf(root, packages);
  const scripted = parts.filter(({ scripts }) => scripts).map((part) => `${part.name}@${part.version}`);
  const facts: TreeFacts = {
    spec: `npm:${name}@${found}`,
    name,
    version: found,
    bins: Object.fromEntries(binNames(name, manifest['bin']).map((bin) => [bin, `node_modules/.bin/${bin}`])),
    parts,
    scriptsSkipped: allowScripts ? [] : scripted,
    scriptsRun: allowScripts ? scripted : [],
  };
  return { facts, lockfile };
}

/** `bin` is either one path, for a program named like the package without its scope, or a map of names to paths. */
function binNames(name: string, bin: unknown): readonly string[] {
  const names = typeof bin === 'string' ? [posix.basename(name)] : Object.keys(fieldsOf(bin));
  return names.filter((found) => /^[A-Za-z0-9@][A-Za-z0-9._@+-]*$/.test(found));
}

/** Every package in the tree once, however often it lies there. */
async function partsOf(root: string, packages: Fields): Promise<readonly PackagePart[]> {
  const found = new Map<string, PackagePart>();
  for (const [path, value] of Object.entries(packages)) {
    if (path === '') continue;
    const scripts = await wantsToRun(root, path);
    // Listed, but for another system than this.
    if (scripts === null) continue;
    const entry = fieldsOf(value);
    const part: PackagePart = {
      // An alias lies in a folder of another name, and says its own.
      name: textOf(entry['name']) ?? path.split('node_modules/').at(-1) ?? path,
      version: textOf(entry['version']) ?? '',
      integrity: textOf(entry['integrity']) ?? '',
      scripts: scripts || entry['hasInstallScript'] === true,
    };
    assertPlain(part);
    found.set(`${part.name}@${part.version}\0${part.integrity}`, part);
  }
  // By code unit, so that it is the same in every language that the machine is set to.
  return [...found].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, part]) => part);
}

/** What can be seen, and no more of it than a registry takes; old packages have names and versions that no new one may have. */
const NAME = /^(?=.{1,214}$)(?:@[!-.0-~]+\/)?[!-.0-~]+$/;
const VERSION = /^[!-~]{0,256}$/;
/** One hash, or several. Empty for what came within another part's archive. */
const INTEGRITY = /^[ -~]{0,1024}$/;

/** Parts are shown, compared and kept by what they are called: no text of another kind may get in between. */
function assertPlain({ name, version, integrity }: PackagePart): void {
  const missing = (what: string): AppError => unexpected(`npm lists a part without ${what}`);
  if (!NAME.test(name)) throw missing('a name');
  if (!VERSION.test(version)) throw missing('a version');
  if (!INTEGRITY.test(integrity)) throw missing('a hash');
}

/**
 * Whether npm would run something of a package, by what lies there: what the registry says of it need not be so.
 * Null when there is no such package; one that does not say what it is can still be loaded by others.
 */
async function wantsToRun(root: string, path: string): Promise<boolean | null> {
  const folder = `${root}/${path}`;
  let manifest: string | null;
  try {
    manifest = await readWithin(root, `${path}/package.json`, limits.packageManifestBytesMax).catch(
      unlessGone(null),
    );
  } catch (error) {
    throw unexpected(`${quoted(path)} cannot be read`, error);
  }
  if (manifest === null && !existsSync(folder)) return null;
  const scripts = manifest === null ? {} : fieldsOf(parse(manifest)['scripts']);
  return installScripts.some((name) => name in scripts) || existsSync(`${folder}/binding.gyp`);
}

const installScripts = ['preinstall', 'install', 'postinstall'];

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

async function readText(root: string, path: string, bytesMax: number): Promise<string> {
  try {
    return await readWithin(root, path, bytesMax);
  } catch (cause) {
    throw unexpected('npm did not leave the files it should have', cause);
  }
}

function parse(text: string): Fields {
  try {
    return fieldsOf(JSON.parse(text));
  } catch (cause) {
    throw unexpected('npm did not leave the files it should have', cause);
  }
}

const unexpected = (why: string, cause?: unknown): AppError =>
  new AppError('package_install_failed', `The package could not be installed: ${why}.`, {
    kind: 'failed',
    cause,
  });
