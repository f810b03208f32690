/**
 * Installed packages: fetched once, pinned, hashed, and from then on only read. A package's folder is named by the hash of
 * everything in it, and is mounted read-only into the cells of its servers; nothing is downloaded when a server starts.
 *
 * Layout of the store: `<hash>/` holds a package (`package.json`, `package-lock.json`, `node_modules/`, `sallyport.json`
 * with what the store knows of it, so that the hash covers that too); `.staging-<pid>-<start time>-<random>` one being made.
 */
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, type Log } from '../../kernel/index.ts';
import { type PackageSpec, parsePackageSpec } from '../../manifest/index.ts';
import { npmPackageFacts } from './facts.ts';
import type { TreeFacts } from './installer.ts';
import { type Environment, runNpm } from './npm.ts';
import { hashTree, settleModes, stampTree } from './tree.ts';
import { identify, isAlive } from '../process-identity.ts';

export interface PackageStoreDependencies {
  /** Absolute; made if missing, for the owner only. */
  readonly dir: string;
  /** Node binary that runs npm. */
  readonly node: string;
  readonly log: Log;
  /**
   * The gateway's environment. npm gets HOME, PATH, proxy and certificate variables and `npm_config_*` of it, and
   * nothing else. Absent: npm finds neither the user's settings nor a proxy.
   */
  readonly environment?: Environment;
}

/** What pins a package. */
export interface PackageLock {
  readonly name: string;
  readonly version: string;
  /** Hash of the installed tree, `sha256-` and 64 hex digits. */
  readonly integrity: string;
}

/** A package that was just installed: what pins it, and all that is worth keeping of it. */
export interface InstalledPackage extends PackageLock, TreeFacts {
  readonly kind: 'npm' | 'pypi';
  readonly lockfile: string;
  /** Host folder, to be mounted read-only. */
  readonly dir: string;
}

/** A package that is as it was when it was installed. */
export interface OpenedPackage {
  /** Host folder, to be mounted read-only. */
  readonly dir: string;
}

export interface PackageStore {
  /**
   * Fetches a package, or takes what is there already.
   *
   * @param spec `npm:NAME@X.Y.Z`, or `npm:NAME` for the latest version
   * @param onProgress told in words what is going on
   * @throws AppError `package_spec_invalid`, `package_version_required`, `package_kind_unsupported`,
   *   `package_not_found`, `package_version_not_found`, `package_registry_unreachable`, `package_install_failed`,
   *   `package_source_refused`, `package_install_timeout`, `package_store_full`, `package_npm_missing`, `package_tree_unsafe`
   */
  install(spec: string, onProgress: (message: string) => void): Promise<InstalledPackage>;
  /**
   * The package of a lock, after checking that its files are those that were installed.
   *
   * @throws AppError `package_missing`, `package_tampered`
   */
  open(lock: PackageLock): Promise<OpenedPackage>;
  /** Removes unfinished installations of processes that are gone. @returns how many */
  sweep(): number;
}

/** A gateway that is root shows the whole folder to the users that its cells have; others cannot enter the home around it. */
const STORE_MODE = 0o711;
const FACTS_FILE = 'sallyport.json';
const NPM_ROOT = { name: 'sallyport-package', version: '0.0.0', private: true };

export function createPackageStore({
  dir,
  node,
  log,
  environment = {},
}: PackageStoreDependencies): PackageStore {
  mkdirSync(dir, { recursive: true, mode: STORE_MODE });
  chmodSync(dir, STORE_MODE);
  const self = identify(process.pid);
  const installing = new Map<string, Promise<InstalledPackage>>();
  /** Integrity to the stamps of the tree when it was last hashed whole. */
  const verified = new Map<string, string>();

  async function fetchNpm({ name, version }: PackageSpec, onProgress: (message: string) => void) {
    const staging = await mkdtemp(join(dir, `.staging-${self?.pid ?? 0}-${self?.startTime ?? 0}-`));
    const wanted = version === undefined ? name : `${name}@${version}`;
    try {
      await writeFile(join(staging, 'package.json'), JSON.stringify(NPM_ROOT));
      onProgress(`fetching ${wanted}`);
      let answers = 0;
      await runNpm({
        folder: staging,
        // With a tag, npm resolves it once and saves the exact version it found.
        args: ['install', version === undefined ? `${name}@latest` : wanted],
        spec: `npm:${wanted}`,
        node,
        environment,
        onLine: (line) => {
          if (line.startsWith('npm http fetch GET 200 ')) onProgress(`fetching ${wanted}: ${++answers} done`);
        },
      });
      onProgress(`checking ${wanted}`);
      const want = { name, ...(version === undefined ? {} : { version }), allowScripts: false };
      const { facts, lockfile } = await npmPackageFacts(staging, want);
      const integrity = await adopt(staging, facts);
      const { dir: folder } = await open({ name, version: facts.version, integrity });
      return { kind: 'npm' as const, ...facts, lockfile, integrity, dir: folder };
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }

  /** Gives a finished tree its final name. @returns its hash */
  async function adopt(staging: string, facts: TreeFacts): Promise<string> {
    await writeFile(join(staging, FACTS_FILE), `${JSON.stringify(facts, null, 2)}\n`);
    await settleModes(staging);
    const integrity = await hashTree(staging);
    const final = join(dir, integrity);
    try {
      await rename(staging, final);
    } catch (error) {
      // There already, from before or from another process: the same files, unless somebody changed them since.
      if (!isCode(error, 'ENOTEMPTY') && !isCode(error, 'EEXIST')) throw error;
      if ((await hashTree(final)) !== integrity) {
        log.warn('package.repaired', { integrity });
        await rm(final, { recursive: true, force: true });
        await rename(staging, final);
      }
    }
    return integrity;
  }

  async function open({ name, version, integrity }: PackageLock): Promise<OpenedPackage> {
    const folder = join(dir, integrity);
    const missing = (cause?: unknown): AppError =>
      new AppError('package_missing', `The package ${name}@${version} is not installed any more.`, {
        kind: 'failed',
        hint: 'Install it again with "sallyport server upgrade".',
        cause,
      });
    if (!/^sha256-[0-9a-f]{64}$/.test(integrity)) throw missing();
    const stamps = await stampTree(folder).catch((cause: unknown) => {
      throw missing(cause);
    });
    if (verified.get(integrity) !== stamps) {
      const found = await hashTree(folder);
      if (found !== integrity) {
        throw new AppError(
          'package_tampered',
          `The files of ${name}@${version} are not those that were installed. It will not be started.`,
          {
            kind: 'denied',
            hint: 'Find out who changed them; then install the package again with "sallyport server upgrade".',
            detail: { expected: integrity, found },
          },
        );
      }
      verified.set(integrity, stamps);
    }
    const facts = JSON.parse(await readFile(join(folder, FACTS_FILE), 'utf8')) as TreeFacts; // written by us, covered by the hash
    if (facts.name !== name || facts.version !== version) throw missing();
    return { dir: folder };
  }

  return {
    async install(text, onProgress) {
      const spec = parseNpmSpec(text);
      const running = installing.get(text);
      if (running !== undefined) return running;
      const started = fetchNpm(spec, onProgress).finally(() => installing.delete(text));
      installing.set(text, started);
      const installed = await started;
      const { name, version, integrity, scriptsSkipped } = installed;
      log.info('package.installed', { name, version, integrity, scriptsSkipped });
      return installed;
    },

    open,

    sweep() {
      const left = readdirSync(dir).filter((name) => {
        const [, pid, startTime] = /^\.staging-(\d+)-(\d+)-/.exec(name) ?? [];
        return pid !== undefined && startTime !== undefined && !isAlive({ pid: Number(pid), startTime });
      });
      for (const name of left) rmSync(join(dir, name), { recursive: true, force: true });
      return left.length;
    },
  };
}

function parseNpmSpec(text: string): PackageSpec {
  const spec = parsePackageSpec(text);
  if (!spec.ok) {
    const exact = spec.error.code === 'manifest_package_version';
    throw new AppError(
      exact ? 'package_version_required' : 'package_spec_invalid',
      exact
        ? `A package needs one exact version: ${spec.error.message}.`
        : `This is not a package: ${spec.error.message}.`,
      { kind: 'invalid', hint: 'Write npm:NAME@X.Y.Z, or npm:NAME for the latest version.' },
    );
  }
  if (spec.value.registry !== 'npm') {
    throw new AppError('package_kind_unsupported', 'Packages from PyPI cannot be installed yet.', {
      kind: 'invalid',
      hint: 'Install the program on this machine, and give its command instead.',
    });
  }
  return spec.value;
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
