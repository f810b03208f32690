/**
 * What a launch will do, decided before anything is done: the launcher's command line, bubblewrap's options, mounts,
 * environment, system call filter and limits. Pure; `launch.ts` executes it.
 */
import { cellEnvironment } from './cell-environment.ts';
import { madeFiles, type MadeFile } from './cell-files.ts';
import { cellPaths, cellUserId } from './cell-layout.ts';
import { type AppliedLimits, appliedLimits, limitOptions } from './cell-limits.ts';
import type { CellSpec } from './cell-spec.ts';
import type { CheckedGrant } from './file-grants.ts';
import type { HostFacts } from './host.ts';
import { cellScript, grantScript, memoryScript, routeCommands, stageScript } from './launch-scripts.ts';
import { cellMounts, type Mount, mountOptions } from './mounts.ts';
import { compileFilter, encodeFilter, type Instruction } from './seccomp/filter.ts';

/** Where the launcher shows what the cell's user could not reach otherwise. Never granted to a cell. */
const STAGE = '/dev/shm';

/** Where the launcher makes memory file systems that bubblewrap cannot make. Never granted to a cell, nor used by the set-up. */
const MEMORY = '/sys';

/** Descriptors of the launcher besides 0-2. */
export const descriptors = { ipc: 3, options: 4, filter: 5, firstFile: 6 } as const;

export interface PlanInput {
  readonly spec: CellSpec;
  readonly facts: HostFacts;
  /** The cell's own user id on the host; null when the gateway is not root. */
  readonly uid: number | null;
  /** Text of the set-up program. */
  readonly setup: string;
  /** The package's folder, links resolved. */
  readonly packageDir: string | null;
  readonly files: readonly CheckedGrant[];
  /** Host paths that `uid` cannot reach by itself. */
  readonly unreachable: readonly string[];
}

export interface CellPlan {
  /** Program, then its arguments. Run with an empty environment. */
  readonly launcher: readonly string[];
  /** Command that bubblewrap executes: a look at what was mounted, limits, then the program. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly files: readonly MadeFile[];
  readonly limits: AppliedLimits;
  readonly filter: readonly Instruction[];
  /** Bubblewrap's options, as they go through descriptor 4. */
  readonly options: readonly string[];
  /** What each further descriptor delivers. */
  readonly inputs: readonly { readonly descriptor: number; readonly content: Buffer }[];
}

export function planCell(input: PlanInput): CellPlan {
  const { spec, facts } = input;
  const staged = new Map(input.unreachable.map((path, index) => [path, `${STAGE}/${index}`]));
  const reach = (path: string): string => staged.get(path) ?? path;
  const applied = appliedLimits(spec.limits, facts.processesCountedPerCell);
  const mounts = cellMounts({ facts, reach, packageDir: input.packageDir, files: input.files, applied });
  const environment = cellEnvironment(spec.env);
  const files = madeFiles(spec.caPem);
  const filter = compileFilter(facts.architecture);
  const stray = strayDescriptors(facts, descriptors.firstFile + files.length);
  const options = bubblewrapOptions({ facts, mounts: madeOutside(input.facts, mounts), files, environment });
  const sources = [descriptors.options, ...stray].flatMap((number) => ['--args', `${number}`]);
  const limited = [facts.tools.prlimit, ...limitOptions(applied), '--', ...spec.command, ...spec.args];
  const command = [...grantCheck(input), ...limited];
  return {
    launcher: asCellUser(
      input,
      inNamespaces(input, { node: reach(facts.node), mounts, bubblewrap: [...sources, '--', ...command] }),
    ),
    command,
    environment,
    mounts,
    files,
    limits: applied,
    filter,
    options,
    inputs: [
      {
        descriptor: descriptors.options,
        content: Buffer.from(options.map((option) => `${option}\0`).join('')),
      },
      { descriptor: descriptors.filter, content: encodeFilter(filter) },
      ...files.map(({ content }, index) => ({ descriptor: descriptors.firstFile + index, content })),
      ...stray.map((descriptor) => ({ descriptor, content: Buffer.alloc(0) })),
    ],
  };
}

/** Ends the cell before its program starts where a granted path named something else when it was mounted. */
function grantCheck({ facts, files }: PlanInput): readonly string[] {
  if (files.length === 0) return [];
  const pairs = files.flatMap(({ cell, identity }) => [cell, identity]);
  return [facts.tools.sh, '-c', grantScript, 'sallyport-grants', facts.tools.stat, ...pairs, '--'];
}

/**
 * Inherited descriptors that no input of ours replaces. Each is replaced by an empty source of further options, because
 * that is what bubblewrap reads to its end and closes; nothing else on the way could close a number above 9.
 */
const strayDescriptors = ({ inherited }: HostFacts, firstFree: number): readonly number[] =>
  inherited.filter((descriptor) => descriptor >= firstFree);

/**
 * New user, network, mount and process namespaces, then the script that ends in the cell's command.
 *
 * The process namespace around bubblewrap's own is what makes the end certain: its first process is tied to the launcher
 * before the set-up hears from the gateway, and the kernel kills everything in it along with that process. Bubblewrap alone
 * ties its child only after building the file system, and would leave it behind if the gateway was killed meanwhile.
 */
function inNamespaces(
  { spec, facts, setup }: PlanInput,
  { node, mounts, bubblewrap }: { node: string; mounts: readonly Mount[]; bubblewrap: readonly string[] },
): string[] {
  const { tools } = facts;
  const script = [
    tools.ip,
    routeCommands(facts.ipv6),
    node,
    setup,
    spec.tcpPorts.join(' '),
    tools.env,
    tools.bwrap,
  ];
  const namespaces = [tools.unshare, '--user', '--map-root-user', '--net', '--mount'];
  // With a view of its own on the processes, since bubblewrap looks its child up in /proc.
  const processes = ['--pid', '--mount-proc', '--fork', '--kill-child=SIGKILL'];
  const shell = [tools.sh, '-c', cellScript, 'sallyport-cell', ...script, '--', ...bubblewrap];
  return [...namespaces, ...processes, ...memoryOutside(facts, mounts), ...shell];
}

const isMemory = (mount: Mount): mount is Extract<Mount, { kind: 'memory' }> => mount.kind === 'memory';

/** The command before the set-up's that makes the memory file systems, where bubblewrap cannot. */
function memoryOutside({ bubblewrap, tools }: HostFacts, mounts: readonly Mount[]): readonly string[] {
  if (bubblewrap.sizes) return [];
  const each = mounts.filter(isMemory).map(({ bytes, mode }) => `size=${bytes},mode=${mode}`);
  return [tools.sh, '-c', memoryScript, 'sallyport-memory', tools.mount, tools.mkdir, MEMORY, ...each, '--'];
}

/** The same mounts for such a bubblewrap: it binds what was made. */
function madeOutside({ bubblewrap }: HostFacts, mounts: readonly Mount[]): readonly Mount[] {
  if (bubblewrap.sizes) return mounts;
  const memories = mounts.filter(isMemory);
  return mounts.map((mount) =>
    isMemory(mount)
      ? { kind: 'bind', source: `${MEMORY}/${memories.indexOf(mount)}`, path: mount.path, write: true }
      : mount,
  );
}

/** Bound to the gateway's life, without a way to gain privileges, and as an own user where the gateway is root. */
function asCellUser({ facts, uid, unreachable }: PlanInput, rest: readonly string[]): readonly string[] {
  const { tools } = facts;
  const identity = uid === null ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const launcher = [tools.setpriv, ...identity, '--no-new-privs', '--pdeathsig=KILL', ...rest];
  if (unreachable.length === 0) return launcher;
  const namespace = [tools.setpriv, '--pdeathsig=KILL', tools.unshare, '--mount', '--propagation=private'];
  const stage = [tools.sh, '-c', stageScript, 'sallyport-stage', tools.mount, tools.mkdir, STAGE];
  return [...namespace, ...stage, ...unreachable, '--', ...launcher];
}

function bubblewrapOptions({
  facts,
  mounts,
  files,
  environment,
}: Pick<CellPlan, 'mounts' | 'files' | 'environment'> & { readonly facts: HostFacts }): readonly string[] {
  const sealed = mounts.filter(({ kind }) => kind === 'seal');
  const others = mounts.filter(({ kind }) => kind !== 'seal');
  const identity = ['--unshare-user', '--uid', `${cellUserId}`, '--gid', `${cellUserId}`];
  // A second refusal: the filter refuses each call that could make a user namespace.
  const nested = facts.bubblewrap.limitsUserNamespaces ? ['--disable-userns'] : [];
  const namespaces = ['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'];
  const restraints = [
    '--cap-drop',
    'ALL',
    '--new-session',
    '--die-with-parent',
    '--seccomp',
    `${descriptors.filter}`,
  ];
  return [
    ...identity,
    ...nested,
    ...namespaces,
    ...restraints,
    ...others.flatMap(mountOptions),
    ...files.flatMap(({ path }, index) => [
      '--perms',
      '0444',
      '--file',
      String(descriptors.firstFile + index),
      path,
    ]),
    ...sealed.flatMap(mountOptions),
    '--hostname',
    'cell',
    '--chdir',
    cellPaths.home,
    '--clearenv',
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
}
