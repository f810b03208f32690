/**
 * What `sallyport doctor` says about cells: what this machine has, and for what is missing, the exact way to get it.
 * Pure, but for the last line, which is the proof: a cell that was really built.
 */
import { isAppError } from '../kernel/index.ts';
import { gatherEvidence, type HostEvidence } from './host-evidence.ts';
import { checkSystem, type HostSystem } from './host-system.ts';
import { atLeast, bubblewrapFacts } from './host.ts';
import { namespaceFix } from './namespace-fix.ts';
import type { ToolName } from './tools.ts';

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
  const evidence = await gatherEvidence();
  const checks = [
    { name: 'system', ok: true, found: `linux ${evidence.kernel} on ${checked.architecture}` },
    ...judge(evidence),
  ];
  const ready = checks.every(({ ok }) => ok);
  return ready ? [...checks, await checkTrial(trial)] : checks;
}

/** Every verdict that follows from what was found. */
export function judge(evidence: HostEvidence): HostReport {
  const tools = checkTools(evidence);
  return [
    tools,
    ...(evidence.root && !evidence.nodeOpen ? [closedNode(evidence)] : []),
    ...(tools.ok ? [checkBubblewrap(evidence), checkNamespaces(evidence)] : []),
    checkSeccomp(evidence),
    checkIpv6(evidence),
    checkLimits(evidence),
  ];
}

function checkTools({ tools: { found, missing } }: HostEvidence): HostCheck {
  const name = 'programs';
  if (missing.length === 0) {
    const there = Object.values(found).join(', ');
    if (found.script !== undefined) return { name, ok: true, found: there };
    // Essential on Debian, a package of its own elsewhere.
    const fix =
      'Commands of `sallyport run` have no terminal without `script`: install bsdutils, or util-linux-script.';
    return { name, ok: true, found: there, fix };
  }
  const packages = [...new Set(missing.map((tool) => packageOf[tool]))].join(' ');
  return {
    name,
    ok: false,
    found: `missing: ${missing.join(', ')}`,
    fix: `sudo apt-get install -y ${packages}   (or your system's packages of the same names)`,
  };
}

/** As a umask of 077 leaves it: cells of a gateway that is root run it as users of their own. */
function closedNode({ node }: HostEvidence): HostCheck {
  return {
    name: 'Node for cells',
    ok: false,
    found: `${node} may be run by its owner only, and cells have users of their own`,
    fix: `sudo chmod go+rx ${node}`,
  };
}

function checkBubblewrap({ bubblewrap }: HostEvidence): HostCheck {
  const [major, minor] = BUBBLEWRAP_MIN;
  const name = 'bubblewrap';
  if (bubblewrap === null || !atLeast(major, minor, bubblewrap)) {
    const fix = `Sallyport needs bubblewrap ${major}.${minor} or later: upgrade the system, or build it from source.`;
    return { name, ok: false, found: bubblewrap ?? 'unknown version', fix };
  }
  const found = bubblewrapFacts(bubblewrap).limitsUserNamespaces
    ? bubblewrap
    : `${bubblewrap}: user namespaces in cells are refused by the system call filter alone; 0.8 or later refuses them twice`;
  return { name, ok: true, found };
}

function checkNamespaces(evidence: HostEvidence): HostCheck {
  const { namespaces, processes } = evidence;
  const name = 'user namespaces';
  if (namespaces?.ok === true && processes?.ok === true) return { name, ok: true, found: 'allowed' };
  const refused = namespaces?.ok === true ? processes : namespaces;
  return {
    name,
    ok: false,
    found: (refused?.said ?? '') || 'refused',
    fix: namespaceFix(evidence),
  };
}

function checkSeccomp({ setting, filtered }: HostEvidence): HostCheck {
  const actions = setting('kernel/seccomp/actions_avail');
  const name = 'seccomp';
  if (actions?.split(' ').includes('kill_process') !== true) {
    const fix = 'Use a kernel with CONFIG_SECCOMP_FILTER, 4.14 or later.';
    return { name, ok: false, found: actions ?? 'none', fix };
  }
  const outer = filtered ? "; Sallyport itself is under somebody's filter" : '';
  return { name, ok: true, found: `filters, kill_process${outer}` };
}

function checkIpv6({ ipv6 }: HostEvidence): HostCheck {
  const found = ipv6
    ? 'yes: cells have both protocols'
    : 'no: cells have IPv4 only, and IPv6 leads nowhere in them';
  return { name: 'ipv6', ok: true, found };
}

function checkLimits({ root, kernel, inspects }: HostEvidence): HostCheck {
  const perCell = root || atLeast(5, 14, kernel);
  const found = perCell
    ? 'resource limits: memory for each process, number of processes for each cell'
    : 'resource limits: memory for each process; this kernel (before 5.14) cannot count the processes of a cell';
  if (!root || inspects) return { name: 'limits', ok: true, found };
  const rough =
    'without CAP_SYS_PTRACE, and without control groups, memory that processes of a cell share counts for each of them';
  return { name: 'limits', ok: true, found: `${found}; ${rough}` };
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
