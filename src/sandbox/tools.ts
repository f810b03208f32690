/**
 * The system programs that build a cell, found once, in the system's own folders. Never through the user's PATH:
 * whoever can put a file into a folder of that list would otherwise run as part of the launcher.
 */
import { accessSync, constants, realpathSync, statSync } from 'node:fs';

const toolNames = [
  'bwrap',
  'env',
  'ip',
  'mkdir',
  'mkfifo',
  'mount',
  'prlimit',
  'setpriv',
  'sh',
  'stat',
  'unshare',
] as const;
export type ToolName = (typeof toolNames)[number];
/** Of use only to some cells. */
const optionalNames = ['script'] as const;

/** Absolute paths. */
export interface Tools extends Readonly<Record<ToolName, string>> {
  /** Gives a program a terminal of its own; only for cells at a terminal. */
  readonly script?: string;
}

const trustedFolders = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'] as const;

export interface ToolSearch {
  readonly found: Partial<Tools>;
  readonly missing: readonly ToolName[];
}

/** Looks for every tool in the trusted folders. */
export function findTools(folders: readonly string[] = trustedFolders): ToolSearch {
  const found: Partial<Record<keyof Tools, string>> = {};
  for (const name of [...toolNames, ...optionalNames]) {
    const path = folders.map((folder) => `${folder}/${name}`).find(isTrustedProgram);
    if (path !== undefined) found[name] = path;
  }
  return { found, missing: toolNames.filter((name) => found[name] === undefined) };
}

/** All tools, or null when one is missing that every cell needs. */
export function completeTools({ found }: ToolSearch): Tools | null {
  const { bwrap, env, ip, mkdir, mkfifo, mount, prlimit, setpriv, sh, stat, unshare, script } = found;
  if (
    !bwrap ||
    !env ||
    !ip ||
    !mkdir ||
    !mkfifo ||
    !mount ||
    !prlimit ||
    !setpriv ||
    !sh ||
    !stat ||
    !unshare
  )
    return null;
  const needed = { bwrap, env, ip, mkdir, mkfifo, mount, prlimit, setpriv, sh, stat, unshare };
  return script === undefined ? needed : { ...needed, script };
}

/** Executable, owned by root, and writable by nobody else. */
function isTrustedProgram(path: string): boolean {
  try {
    const real = statSync(realpathSync(path));
    accessSync(path, constants.X_OK);
    return real.isFile() && real.uid === 0 && (real.mode & 0o022) === 0;
  } catch {
    return false;
  }
}
