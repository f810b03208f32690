/**
 * What was found on this machine of what cells need, before anybody judges it: the judging (`host-check.ts`) is pure, so
 * that each verdict can be tested on machines that are not at hand. Looks, and tries two harmless things; changes nothing.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { limits } from '../kernel/index.ts';
import { bubblewrapVersion } from './host.ts';
import { findTools, type ToolSearch } from './tools.ts';

/** Something that was tried. */
interface Attempt {
  readonly ok: boolean;
  /** What it said about why not. */
  readonly said: string;
}

export type Container = 'docker' | 'podman' | 'kubernetes';

export interface HostEvidence {
  readonly tools: ToolSearch;
  /** Null: it is missing, or does not say. */
  readonly bubblewrap: string | null;
  /** True when Sallyport runs as root, and its cells as users of their own. */
  readonly root: boolean;
  /** Numbers of the kernel, `6.1.0-18-amd64`. */
  readonly kernel: string;
  /** The Node that runs Sallyport, links resolved. */
  readonly node: string;
  /** Whether its own mode lets every user run it; the folders above it do not matter. */
  readonly nodeOpen: boolean;
  /** A line of /proc/sys, such as `user/max_user_namespaces`; null where this kernel has no such setting. */
  readonly setting: (name: string) => string | null;
  readonly container: Container | null;
  /** A system call filter of somebody else's holds for this process. */
  readonly filtered: boolean;
  /** It may look into the memory of other users' processes, as cells are where it is root: CAP_SYS_PTRACE. */
  readonly inspects: boolean;
  /** Name of the AppArmor profile that holds for this process; null: none does. */
  readonly appArmor: string | null;
  /** Something lies over parts of /proc, as containers have it: then no fresh one can be mounted. */
  readonly procCovered: boolean;
  /** User, network and mount namespaces, as a user without privileges. Null: not tried, because tools are missing. */
  readonly namespaces: Attempt | null;
  /** A process namespace with a fresh /proc besides. Null: not tried, because the one before failed. */
  readonly processes: Attempt | null;
  readonly ipv6: boolean;
}

/** The parts of the file system that are read; tests have their own. */
export interface HostFiles {
  /** @returns the file's text; null when it cannot be read */
  readonly text: (path: string) => string | null;
  readonly exists: (path: string) => boolean;
}

const systemFiles: HostFiles = {
  text(path) {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return null;
    }
  },
  exists: existsSync,
};

/** Its bit among the capabilities of a process. */
const CAP_SYS_PTRACE = 19n;

/** Read and execute, of a mode. */
const OTHERS_RUN = 0o005;

export async function gatherEvidence(): Promise<HostEvidence> {
  const tools = findTools();
  const root = process.getuid?.() === 0;
  const namespaces = tools.missing.length > 0 ? null : await tryNamespaces(tools, root, []);
  const fresh = ['--pid', '--mount-proc', '--fork'];
  return {
    ...readEvidence(systemFiles),
    tools,
    bubblewrap: tools.found.bwrap === undefined ? null : bubblewrapVersion(tools.found.bwrap),
    root,
    node: process.execPath,
    nodeOpen: (statSync(process.execPath).mode & OTHERS_RUN) === OTHERS_RUN,
    namespaces,
    processes: namespaces?.ok === true ? await tryNamespaces(tools, root, fresh) : null,
  };
}

type ReadEvidence = Pick<
  HostEvidence,
  'kernel' | 'setting' | 'container' | 'filtered' | 'inspects' | 'appArmor' | 'procCovered' | 'ipv6'
>;

/** What files say. Pure but for the reading. */
export function readEvidence({ text, exists }: HostFiles): ReadEvidence {
  const setting = (name: string): string | null => text(`/proc/sys/${name}`)?.trim() ?? null;
  const status = text('/proc/self/status') ?? '';
  const [, capabilities = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return {
    kernel: setting('kernel/osrelease') ?? '',
    setting,
    container: containerOf(exists),
    filtered: /^Seccomp:\s*2$/m.test(status),
    inspects: ((BigInt(`0x${capabilities}`) >> CAP_SYS_PTRACE) & 1n) === 1n,
    appArmor: profileIn(text('/proc/self/attr/apparmor/current') ?? text('/proc/self/attr/current') ?? ''),
    procCovered: (text('/proc/self/mountinfo') ?? '')
      .split('\n')
      .some((line) => /^\/proc\/./.test(line.split(' ')[4] ?? '')),
    ipv6: exists('/proc/net/if_inet6'),
  };
}

/** Kubernetes first: its containers may have the marks of the program that runs them. */
function containerOf(exists: HostFiles['exists']): Container | null {
  if (exists('/var/run/secrets/kubernetes.io')) return 'kubernetes';
  if (exists('/run/.containerenv')) return 'podman';
  return exists('/.dockerenv') ? 'docker' : null;
}

/** @param label `docker-default (enforce)`, `unconfined`, or of another security module */
function profileIn(label: string): string | null {
  const [, profile = ''] = /^(.*?)(?: \((?:enforce|complain|kill|mixed)\))\n?$/.exec(label) ?? [];
  return profile === '' ? null : profile;
}

/** As a user without privileges, since that is what a cell's launcher is. */
function tryNamespaces({ found }: ToolSearch, root: boolean, more: readonly string[]): Promise<Attempt> {
  const asNobody = root ? ['--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const namespaces = ['--user', '--map-root-user', '--net', '--mount', ...more];
  const command = [`${found.unshare}`, ...namespaces, `${found.sh}`, '-c', ':'];
  return attempt(`${found.setpriv}`, [...asNobody, '--no-new-privs', ...command]);
}

function attempt(program: string, args: readonly string[]): Promise<Attempt> {
  return new Promise((resolve) => {
    const options = { env: {}, cwd: '/', timeout: limits.cellSetupTimeoutMs };
    execFile(program, args, options, (error, _stdout, stderr) =>
      resolve({ ok: error === null, said: stderr.trim() }),
    );
  });
}
