/**
 * What `sallyport doctor` says about cells: what this machine has, and for what is missing, the exact way to get it.
 * The last line is the proof: a cell that was really built.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { isAppError, limits } from '../kernel/index.ts';
import { checkSystem, type HostSystem } from './host-system.ts';
import { atLeast, bubblewrapFacts, bubblewrapVersion } from './host.ts';
import { findTools, type ToolName } from './tools.ts';

export interface HostCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What is there, in a few words. */
  readonly found: string;
  /** What to do about it, where something is to be done. */
  readonly fix?: string;
}

export type HostReport = readonly HostCheck[];

/** Package of Debian and Ubuntu that has a tool. */
const packageOf: Readonly<Record<ToolName, string>> = {
  bwrap: 'bubblewrap',
  env: 'coreutils',
  ip: 'iproute2',
  mkdir: 'coreutils',
  mkfifo: 'coreutils',
  mount: 'mount',
  prlimit: 'util-linux',
  setpriv: 'util-linux',
  sh: 'dash',
  stat: 'coreutils',
  unshare: 'util-linux',
};

/** Oldest bubblewrap that was tried; before 0.5 it lacked options that every cell needs. */
const BUBBLEWRAP_MIN = [0, 6] as const;

/**
 * @param trial builds a cell that runs a program which ends at once; resolves to the milliseconds it took
 */
export async function checkHost(trial: () => Promise<number>, system: HostSystem): Promise<HostReport> {
  const checked = checkSystem(system);
  if (!checked.ok) return [{ name: 'system', ok: false, found: checked.found, fix: checked.alternatives }];
  const tools = checkTools();
  const checks = [
    { name: 'system', ok: true, found: `linux on ${checked.architecture}` },
    tools,
    ...(tools.ok ? [checkBubblewrap(), await checkNamespaces()] : []),
    checkSeccomp(),
    checkIpv6(),
    checkLimits(),
  ];
  const ready = checks.every(({ ok }) => ok);
  return ready ? [...checks, await checkTrial(trial)] : checks;
}

function checkTools(): HostCheck {
  const { found, missing } = findTools();
  if (missing.length === 0) return { name: 'programs', ok: true, found: Object.values(found).join(', ') };
  const packages = [...new Set(missing.map((name) => packageOf[name]))].join(' ');
  return {
    name: 'programs',
    ok: false,
    found: `missing: ${missing.join(', ')}`,
    fix: `sudo apt-get install -y ${packages}   (or your system's packages of the same names)`,
  };
}

function checkBubblewrap(): HostCheck {
  const { bwrap } = findTools().found;
  const version = bwrap === undefined ? null : bubblewrapVersion(bwrap);
  const [major, minor] = BUBBLEWRAP_MIN;
  const name = 'bubblewrap';
  if (version === null || !atLeast(major, minor, version)) {
    const fix = `Sallyport needs bubblewrap ${major}.${minor} or later: upgrade the system, or build it from source.`;
    return { name, ok: false, found: version ?? 'unknown version', fix };
  }
  const found = bubblewrapFacts(version).limitsUserNamespaces
    ? version
    : `${version}: user namespaces in cells are refused by the system call filter alone; 0.8 or later refuses them twice`;
  return { name, ok: true, found };
}

/** Asks as a user without privileges, since that is what a cell's launcher is. */
async function checkNamespaces(): Promise<HostCheck> {
  const { setpriv, unshare, sh } = findTools().found;
  const asNobody = process.getuid?.() === 0 ? ['--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const namespaces = ['--user', '--map-root-user', '--net', '--mount', '--pid', '--mount-proc', '--fork'];
  const { ok, stderr } = await run(setpriv, [
    ...asNobody,
    '--no-new-privs',
    `${unshare}`,
    ...namespaces,
    `${sh}`,
    '-c',
    ':',
  ]);
  const name = 'user namespaces';
  return ok
    ? { name, ok, found: 'allowed' }
    : { name, ok, found: stderr.trim() || 'refused', fix: namespaceFix() };
}

function namespaceFix(): string {
  if (setting('kernel/unprivileged_userns_clone') === '0') {
    return 'echo kernel.unprivileged_userns_clone=1 | sudo tee /etc/sysctl.d/60-sallyport.conf && sudo sysctl --system';
  }
  if (setting('user/max_user_namespaces') === '0') {
    return 'echo user.max_user_namespaces=65536 | sudo tee /etc/sysctl.d/60-sallyport.conf && sudo sysctl --system';
  }
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return (
      'AppArmor refuses user namespaces to programs without a profile (Ubuntu 23.10 and later): ' +
      'echo kernel.apparmor_restrict_unprivileged_userns=0 | sudo tee /etc/sysctl.d/60-sallyport.conf && sudo sysctl --system'
    );
  }
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) {
    return (
      'This container may not make user namespaces: start it with a seccomp profile that allows unshare, clone and mount, ' +
      'and with "systempaths=unconfined" so that a new /proc can be mounted.'
    );
  }
  return 'Ask whoever runs this machine to allow unprivileged user namespaces.';
}

function checkSeccomp(): HostCheck {
  const actions = setting('kernel/seccomp/actions_avail');
  const ok = actions?.split(' ').includes('kill_process') === true;
  return ok
    ? { name: 'seccomp', ok, found: 'filters, kill_process' }
    : {
        name: 'seccomp',
        ok,
        found: actions ?? 'none',
        fix: 'Use a kernel with CONFIG_SECCOMP_FILTER, 4.14 or later.',
      };
}

function checkIpv6(): HostCheck {
  const ok = existsSync('/proc/net/if_inet6');
  return {
    name: 'ipv6',
    ok: true,
    found: ok ? 'yes: cells have both protocols' : 'no: cells have IPv4 only, and IPv6 leads nowhere in them',
  };
}

function checkLimits(): HostCheck {
  const perCell = process.getuid?.() === 0 || atLeast(5, 14);
  return {
    name: 'limits',
    ok: true,
    found: perCell
      ? 'resource limits: memory for each process, number of processes for each cell'
      : 'resource limits: memory for each process; this kernel (before 5.14) cannot count the processes of a cell',
  };
}

async function checkTrial(trial: () => Promise<number>): Promise<HostCheck> {
  try {
    return { name: 'trial cell', ok: true, found: `built and ended in ${Math.round(await trial())} ms` };
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    const why = isAppError(error) ? JSON.stringify(error.detail ?? {}) : '';
    return {
      name: 'trial cell',
      ok: false,
      found,
      fix: `This machine refuses something that the checks above do not know: ${why}`,
    };
  }
}

/** A line of /proc/sys; null where this kernel has no such setting. */
function setting(path: string): string | null {
  try {
    return readFileSync(`/proc/sys/${path}`, 'latin1').trim();
  } catch {
    return null;
  }
}

interface Output {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string | undefined, args: readonly string[]): Promise<Output> {
  return new Promise((resolve) => {
    if (program === undefined) return resolve({ ok: false, stdout: '', stderr: 'not found' });
    execFile(
      program,
      args,
      { env: {}, cwd: '/', timeout: limits.cellSetupTimeoutMs },
      (error, stdout, stderr) => {
        resolve({ ok: error === null, stdout, stderr });
      },
    );
  });
}
