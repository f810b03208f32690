/**
 * Installed packages: fetched once, pinned, hashed, and from then on only read. A package's folder is named by the hash of
 * everything in it, and is mounted read-only into the cells of its servers; nothing is downloaded when a server starts.
 * What is not trusted: everything that an installer leaves, until it is hashed.
 *
 * Layout of the store: `<hash>/` holds a package (what its installer made, and `sallyport.json` with what the store knows of
 * it, so that the hash covers that too); `.staging-<pid>-<start time>-<random>` one being made; `.trash-<random>` one that
 * is being removed.
 */
import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rename, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, type Clock, type Log } from '../../kernel/index.ts';
import { type PackageSpec, parsePackageSpec } from '../../manifest/index.ts';
import { identify, isAlive } from '../process-identity.ts';
import { collectPackages, type Collected, removeAll, removeOrTell, removeTrash } from './collect.ts';
import type { InstallCell } from './install-cell.ts';
import type { Installer, TreeFacts, Wanted } from './installer.ts';
import { removeTree } from './removal.ts';
import { writeWithin } from './staging.ts';
import { hashTree, settleModes, stampTree } from './tree.ts';

export interface PackageStoreDependencies {
  /** Absolute; made if missing, for the owner only. */
  readonly dir: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Where installers run. */
  readonly cell: InstallCell;
  /** At most one of each kind. */
  readonly installers: readonly Installer[];
}

/** What pins a package. */
export interface PackageLock {
  readonly kind: Installer['kind'];
  readonly name: string;
  readonly version: string;
  /** Hash of the installed tree, `sha256-` and 64 hex digits. */
  readonly integrity: string;
}

/** A package that was just installed: what pins it, and all that is worth keeping of it. */
export interface InstalledPackage extends PackageLock, TreeFacts {
  readonly lockfile: string;
  /** Host folder, to be mounted read-only. */
  readonly dir: string;
}

/** A package that is as it was when it was installed. */
export interface OpenedPackage {
  /** Host folder, to be mounted read-only. */
  readonly dir: string;
}

export interface InstallOptions {
  /** Whether install scripts are run, in the install cell. Default: no. */
  readonly allowScripts?: boolean;
  /** Archives on this machine, or folders that hold some, to take everything from; absolute. Default: the registry is asked. */
  readonly from?: readonly string[];
  /** What an earlier installation wrote down: the same parts are taken, or none. */
  readonly lockfile?: string;
}

export interface PackageStore {
  /**
   * Fetches a package, or takes what is there already.
   *
   * @param spec `npm:NAME@X.Y.Z` or `pypi:NAME==X.Y.Z`; without a version, the latest
   * @param onProgress told in words what is going on
   * @param signal nobody wants it any more
   * @throws AppError `package_spec_invalid`, `package_version_required`, `package_kind_unsupported`, `cancelled`,
   *   `package_tree_unsafe`, `package_store_full`, those of the kind's installer, and `sandbox_*`
   */
  install(
    spec: string,
    options: InstallOptions,
    onProgress: (message: string) => void,
    signal: AbortSignal,
  ): Promise<InstalledPackage>;
  /**
   * The package of a lock, after checking that its files are those that were installed.
   *
   * @throws AppError `package_missing`, `package_tampered`, and what the kind's installer has to say
   */
  open(lock: PackageLock): Promise<OpenedPackage>;
  /** Removes packages that are not in `keep`, but for those that were used a short while ago. */
  collect(keep: ReadonlySet<string>): Promise<Collected>;
  /** Removes what processes that are gone left unfinished; what cannot be removed is in the log. @returns how many */
  sweep(): Promise<number>;
}

/** A gateway that is root shows the whole folder to the users that its cells have; others cannot enter the home around it. */
const STORE_MODE = 0o711;
const FACTS_FILE = 'sallyport.json';

export function createPackageStore(deps: PackageStoreDependencies): PackageStore {
  const { dir, log, clock, cell, installers } = deps;
  mkdirSync(dir, { recursive: true, mode: STORE_MODE });
  chmodSync(dir, STORE_MODE);
  const self = identify(process.pid);
  const installing = new Map<string, Installing>();
  /** Integrity to the stamps of the tree when it was last hashed whole. */
  const verified = new Map<string, string>();
  const installerOf = (kind: string): Installer => {
    const found = installers.find((installer) => installer.kind === kind);
    if (found !== undefined) return found;
    throw new AppError(
      'package_kind_unsupported',
      `Packages of the kind ${kind}: cannot be installed here.`,
      {
        kind: 'invalid',
        hint: 'Install the program on this machine, and give its command instead.',
      },
    );
  };

  async function make(
    installer: Installer,
    want: Wanted,
    tell: (message: string) => void,
    signal: AbortSignal,
  ): Promise<InstalledPackage> {
    const staging = await mkdtemp(join(dir, `.staging-${self?.pid ?? 0}-${self?.startTime ?? 0}-`));
    try {
      const { facts, lockfile } = await installer.install(want, staging, cell, tell, signal);
      const integrity = await adopt(installer, staging, facts);
      const lock = { kind: installer.kind, name: facts.name, version: facts.version, integrity };
      const { dir: folder } = await open(lock);
      return { ...facts, ...lock, lockfile, dir: folder };
    } catch (error) {
      throw isFull(error) ? storeFull(error) : error;
    } finally {
      await removeOrTell(staging, log);
    }
  }

  /** Gives a finished tree its final name. @returns its hash */
  async function adopt(installer: Installer, staging: string, facts: TreeFacts): Promise<string> {
    const { linkTargets } = installer;
    await writeWithin(staging, FACTS_FILE, `${JSON.stringify(facts, null, 2)}\n`);
    await settleModes(staging);
    const integrity = await hashTree(staging, linkTargets);
    const final = join(dir, integrity);
    try {
      await rename(staging, final);
    } catch (error) {
      // There already, from before or from another process: the same files, unless somebody changed them since.
      if (!isCode(error, 'ENOTEMPTY') && !isCode(error, 'EEXIST')) throw error;
      if ((await hashTree(final, linkTargets).catch(() => null)) !== integrity) {
        log.warn('package.repaired', { integrity });
        await removeTree(final);
        await rename(staging, final);
      }
    }
    return integrity;
  }

  async function open({ kind, name, version, integrity }: PackageLock): Promise<OpenedPackage> {
    const installer = installerOf(kind);
    const folder = join(dir, integrity);
    const missing = (cause?: unknown): AppError =>
      new AppError('package_missing', `The package ${name}@${version} is not installed any more.`, {
        kind: 'failed',
        hint: 'Install the same one again with "sallyport server reinstall".',
        cause,
      });
    if (!/^sha256-[0-9a-f]{64}$/.test(integrity)) throw missing();
    const stamps = await stampTree(folder).catch((cause: unknown) => {
      throw missing(cause);
    });
    if (verified.get(integrity) !== stamps) {
      const found = await hashTree(folder, installer.linkTargets);
      if (found !== integrity) {
        throw new AppError(
          'package_tampered',
          `The files of ${name}@${version} are not those that were installed. It will not be started.`,
          {
            kind: 'denied',
            hint: 'Find out who changed them; then install the same package again with "sallyport server reinstall".',
            detail: { expected: integrity, found },
          },
        );
      }
      verified.set(integrity, stamps);
    }
    const facts = JSON.parse(await readFile(join(folder, FACTS_FILE), 'utf8')) as TreeFacts; // written by us, covered by the hash
    if (facts.name !== name || facts.version !== version) throw missing();
    installer.check?.(facts);
    await markUsed(folder);
    return { dir: folder };
  }

  /** The folder's own times are no part of what is stamped; a store that cannot be written to still works. */
  async function markUsed(folder: string): Promise<void> {
    const now = new Date(clock.now());
    await utimes(folder, now, now).catch(() => undefined);
  }

  return {
    async install(text, { allowScripts = false, from = [], lockfile }, onProgress, signal) {
      const { registry, name, version } = parseSpec(text);
      const installer = installerOf(registry);
      const want: Wanted = {
        name,
        ...(version === undefined ? {} : { version }),
        allowScripts,
        from,
        ...(lockfile === undefined ? {} : { lockfile }),
      };
      const key = JSON.stringify([registry, want]);
      const begun = installing.get(key);
      // One that nobody wanted any more is about to fail.
      const running =
        begun !== undefined && !begun.unwanted.aborted
          ? begun
          : startInstalling((tell, wanted) => make(installer, want, tell, wanted));
      installing.set(key, running);
      void running.done
        .finally(() => {
          if (installing.get(key) === running) installing.delete(key);
        })
        .catch(() => undefined);
      const installed = await running.join(onProgress, signal);
      const { integrity, scriptsSkipped, scriptsRun } = installed;
      log.info('package.installed', {
        name,
        version: installed.version,
        integrity,
        scriptsSkipped,
        scriptsRun,
      });
      return installed;
    },

    open,

    async collect(keep) {
      return collectPackages(dir, keep, clock.now(), log);
    },

    async sweep() {
      const left = readdirSync(dir).filter((name) => {
        const [, pid, startTime] = /^\.staging-(\d+)-(\d+)-/.exec(name) ?? [];
        return pid !== undefined && startTime !== undefined && !isAlive({ pid: Number(pid), startTime });
      });
      return (await removeAll(dir, left, log)) + (await removeTrash(dir, log));
    },
  };
}

/** One installation, and everybody who waits for it. */
interface Installing {
  readonly done: Promise<InstalledPackage>;
  /** Aborted when everybody who waited went away. */
  readonly unwanted: AbortSignal;
  join(tell: (message: string) => void, signal: AbortSignal): Promise<InstalledPackage>;
}

/** Goes on as long as anybody waits. */
function startInstalling(
  work: (tell: (message: string) => void, wanted: AbortSignal) => Promise<InstalledPackage>,
): Installing {
  const listeners = new Set<(message: string) => void>();
  const unwanted = new AbortController();
  // Not before somebody listens.
  const done = Promise.resolve().then(() =>
    work((message) => {
      for (const tell of listeners) tell(message);
    }, unwanted.signal),
  );
  return {
    done,
    unwanted: unwanted.signal,
    async join(tell, signal) {
      const mine = (message: string): void => tell(message);
      listeners.add(mine);
      const leave = (): void => {
        listeners.delete(mine);
        if (listeners.size === 0) unwanted.abort();
      };
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
      try {
        return await done;
      } finally {
        signal.removeEventListener('abort', leave);
      }
    },
  };
}

function parseSpec(text: string): PackageSpec {
  const spec = parsePackageSpec(text);
  if (spec.ok) return spec.value;
  const exact = spec.error.code === 'manifest_package_version';
  throw new AppError(
    exact ? 'package_version_required' : 'package_spec_invalid',
    exact
      ? `A package needs one exact version: ${spec.error.message}.`
      : `This is not a package: ${spec.error.message}.`,
    {
      kind: 'invalid',
      hint: 'Write npm:NAME@X.Y.Z or pypi:NAME==X.Y.Z; leave the version out to get the latest.',
    },
  );
}

const storeFull = (cause: unknown): AppError =>
  new AppError('package_store_full', 'There is no room on the disk to install the package.', {
    kind: 'failed',
    hint: 'Make room where SALLYPORT_HOME lies, and try again.',
    cause,
  });

const isFull = (error: unknown): boolean => isCode(error, 'ENOSPC') || isCode(error, 'EDQUOT');

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
