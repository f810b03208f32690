/** Facts about this machine that a plan depends on. Read once; nothing here changes while the gateway runs. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { type HardLimits, ownHardLimits } from './hard-limits.ts';
import { inheritedDescriptors } from './inherited-descriptors.ts';
import type { Architecture } from './seccomp/filter.ts';
import type { Tools } from './tools.ts';

/** How the host provides a folder such as `/lib`: a link into `/usr`, or a folder of its own. */
interface SystemFolder {
  readonly path: string;
  /** Link target; null for a real folder. */
  readonly link: string | null;
}

/** What a version of bubblewrap can do. */
export interface BubblewrapFacts {
  /** Give a memory file system a size: since 0.7. */
  readonly sizes: boolean;
  /** Limit the number of user namespaces: since 0.8. */
  readonly limitsUserNamespaces: boolean;
}

export interface HostFacts {
  readonly architecture: Architecture;
  readonly tools: Tools;
  /** The gateway's own Node binary, absolute. */
  readonly node: string;
  /** True when the gateway runs as root, and gives each cell a user of its own. */
  readonly root: boolean;
  readonly bubblewrap: BubblewrapFacts;
  readonly ipv6: boolean;
  readonly systemFolders: readonly SystemFolder[];
  /** Parts of `/etc` that cells see. */
  readonly systemFiles: readonly string[];
  /** Parts of `/proc` that this kernel has and that cells do not see. */
  readonly maskedFiles: readonly string[];
  readonly maskedFolders: readonly string[];
  /** Since Linux 5.14 processes are counted per user namespace, hence per cell. */
  readonly processesCountedPerCell: boolean;
  /** Above which no process of a cell can have anything. */
  readonly hardLimits: HardLimits;
  /** Descriptors of the gateway that must not reach a cell. */
  readonly inherited: readonly number[];
}

/** Top-level folders besides `/usr` that programs and their loader use. */
const systemFolderPaths = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'] as const;

/**
 * Parts of `/etc` that programs of `/usr` are made of, and that say nothing about the host but which programs it has: the
 * loader's cache, Debian's choice among programs of one purpose, and the files that Debian's Java moved there.
 */
const systemFileNames = /^(ld\.so\.cache|alternatives|java-\d+-openjdk)$/;

/**
 * What Docker hides of `/proc`, and besides what tells of the host without being of use to a server: which keys its user has
 * (a cell may be that user), how it was started, where its kernel lies, its disks.
 */
const maskedFileNames = words(`
  cmdline diskstats interrupts kallsyms kcore key-users keys latency_stats partitions sched_debug timer_list timer_stats
`);
const maskedFolderNames = words('acpi asound scsi');

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

const inProc = (names: readonly string[]): readonly string[] =>
  names.map((name) => `/proc/${name}`).filter((path) => existsSync(path));

/** @returns null on an architecture that there is no filter for */
export function hostArchitecture(arch: string = process.arch): Architecture | null {
  return arch === 'x64' || arch === 'arm64' ? arch : null;
}

export function readHostFacts(architecture: Architecture, tools: Tools, node: string): HostFacts {
  const root = process.getuid?.() === 0;
  return {
    architecture,
    tools,
    node,
    root,
    bubblewrap: bubblewrapFacts(bubblewrapVersion(tools.bwrap) ?? ''),
    ipv6: existsSync('/proc/net/if_inet6') && !ipv6Disabled(),
    systemFolders: systemFolderPaths.flatMap(systemFolder),
    systemFiles: readdirSync('/etc')
      .filter((name) => systemFileNames.test(name))
      .map((name) => `/etc/${name}`)
      .sort(),
    maskedFiles: inProc(maskedFileNames),
    maskedFolders: inProc(maskedFolderNames),
    processesCountedPerCell: root || atLeast(5, 14),
    hardLimits: ownHardLimits(),
    inherited: inheritedDescriptors(),
  };
}

function systemFolder(path: string): SystemFolder[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return [{ path, link: stat.isSymbolicLink() ? readlinkSync(path) : null }];
}

/** A kernel started with `ipv6.disable_ipv6=1` has the protocol, but gives new namespaces no address. */
function ipv6Disabled(): boolean {
  try {
    return readFileSync('/sys/module/ipv6/parameters/disable_ipv6', 'latin1').trim() === '1';
  } catch {
    return false;
  }
}

/** @returns e.g. `0.8.0`; null when the program does not say */
export function bubblewrapVersion(bwrap: string): string | null {
  const { stdout } = spawnSync(bwrap, ['--version'], { env: {}, cwd: '/', encoding: 'utf8' });
  return /\d+\.\d+(?:\.\d+)?/.exec(stdout)?.[0] ?? null;
}

export const bubblewrapFacts = (version: string): BubblewrapFacts => ({
  sizes: atLeast(0, 7, version),
  limitsUserNamespaces: atLeast(0, 8, version),
});

/** @param version numbers joined by dots, with anything behind them; absent: the kernel's */
export function atLeast(major: number, minor: number, version: string = release()): boolean {
  const [have = 0, haveMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return have > major || (have === major && haveMinor >= minor);
}
