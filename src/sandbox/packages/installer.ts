/** Port: one kind of package, from what was asked for to a finished tree. Types only; `npm.ts` is one. */
import type { InstallCell } from './install-cell.ts';

/** One package of a tree. */
export interface PackagePart {
  readonly name: string;
  readonly version: string;
  /** Of the archive that it came in, as the registry gives it: `sha512-…` for npm, `sha256:…` for PyPI. */
  readonly integrity: string;
  /** Whether it wants to run programs when it is installed. */
  readonly scripts: boolean;
}

/** What is to be installed. */
export interface Wanted {
  readonly name: string;
  /** The one version; undefined for the latest. */
  readonly version?: string;
  /** Whether the install scripts of the package and its parts are run, in the cell. */
  readonly allowScripts: boolean;
  /** Archives on this machine to take everything from, absolute paths; empty: the registry is asked. */
  readonly from: readonly string[];
  /** What an earlier installation wrote down: take exactly these parts. */
  readonly lockfile?: string;
}

/** What a finished tree is, as its installer says and has checked. */
export interface TreeFacts {
  /** `npm:NAME@VERSION` or `pypi:NAME==VERSION`, always exact. */
  readonly spec: string;
  readonly name: string;
  readonly version: string;
  /** Program name to path within the tree. */
  readonly bins: Readonly<Record<string, string>>;
  /** Everything in the tree, sorted by name, then version. */
  readonly parts: readonly PackagePart[];
  /** `NAME@VERSION` of each part with install scripts that were not run, sorted. */
  readonly scriptsSkipped: readonly string[];
  /** The same of those whose were allowed to be run, by what lies in the tree afterwards: what did run need not have left it so. */
  readonly scriptsRun: readonly string[];
  /** `3.11`: the interpreter that a tree of Python's was made for. */
  readonly python?: string;
}

/** A finished tree, and the text from which the same can be made again. */
export interface FinishedTree {
  readonly facts: TreeFacts;
  /** `package-lock.json`, or requirements with hashes. */
  readonly lockfile: string;
}

export interface Installer {
  readonly kind: 'npm' | 'pypi';
  /**
   * Fills an empty folder.
   *
   * @param tell told in words what is going on
   * @throws AppError `package_not_found`, `package_version_not_found`, `package_registry_unreachable`,
   *   `package_install_failed`, `package_source_refused`, `package_install_timeout`, `package_too_large`,
   *   `package_store_full`, and those of the kind
   */
  install(
    want: Wanted,
    into: string,
    cell: InstallCell,
    tell: (message: string) => void,
    signal: AbortSignal,
  ): Promise<FinishedTree>;
  /** Before each start: what a tree needs of this machine is still there. @throws AppError */
  check?(facts: TreeFacts): void;
  /** Targets outside of the tree that its links may have, besides those inside. */
  readonly linkTargets?: RegExp;
}
