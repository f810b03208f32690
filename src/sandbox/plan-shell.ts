/**
 * The outer half of a plan: the launcher's command line, up to a bubblewrap that waits for its options on a descriptor. It
 * depends on the machine and on which ports get a listener, and on nothing else of a server; so it can be carried out before
 * anybody asks for a cell. Nothing of what a cell is given may come in here: command lines are for everybody to read. Pure.
 */
import { cellPaths } from './cell-layout.ts';
import { madeFiles } from './cell-files.ts';
import type { HostFacts } from './host.ts';
import { cellScript, memoryScript, routeCommands, stageScript } from './launch-scripts.ts';
import type { MemoryMount } from './mounts.ts';
import { shellWord } from './start-script.ts';

/** Where the launcher shows what the cell's user could not reach otherwise. Never granted to a cell. */
const STAGE = '/dev/shm';

/** Where the launcher makes memory file systems that bubblewrap cannot make. Never granted to a cell, nor used by the set-up. */
const MEMORY = '/sys';

/** Descriptors of the launcher besides 0-2. Bubblewrap keeps `report` to itself: nothing in the cell can write to it. */
export const descriptors = { ipc: 3, options: 4, filter: 5, report: 6, firstFile: 7 } as const;

/** What has to be known of a cell before it can be prepared. */
export interface CellShape {
  /** Ports that get a listener, besides 53. */
  readonly tcpPorts: readonly number[];
  /** The program gets the terminal of this process, behind one of its own. */
  readonly terminal: boolean;
}

export interface ShellInput {
  readonly shape: CellShape;
  readonly facts: HostFacts;
  /** The cell's own user id on the host; null when the gateway is not root. */
  readonly uid: number | null;
  /** Text of the set-up program. */
  readonly setup: string;
  /** Host paths that `uid` cannot reach by itself, and that are shown to the launcher with everything below them. */
  readonly staged: readonly string[];
  /** Memory file systems of the cell that bubblewrap cannot give a size: they are made ahead of it. */
  readonly memories: readonly MemoryMount[];
}

export interface ShellPlan {
  /** Program, then its arguments. Run with an empty environment. */
  readonly launcher: readonly string[];
  /** Descriptors, besides 0-3, that bubblewrap reads to their ends. */
  readonly inputs: readonly number[];
  /** Whether the launcher's own group and session are the caller's, so that it has the caller's terminal. */
  readonly terminal: boolean;
}

export function planShell(input: ShellInput): ShellPlan {
  const { facts, shape } = input;
  const stray = strayDescriptors(facts);
  const sources = [descriptors.options, ...stray].flatMap((number) => ['--args', `${number}`]);
  const bubblewrap = [...sources, '--', facts.tools.sh, cellPaths.start];
  const launcher = asCellUser(input, inNamespaces(input, bubblewrap));
  return {
    launcher: shape.terminal ? behindTerminal(facts.tools, launcher) : launcher,
    inputs: [
      descriptors.options,
      descriptors.filter,
      ...madeFiles('', '').map((_, index) => descriptors.firstFile + index),
      ...stray,
    ],
    terminal: shape.terminal,
  };
}

/** Where a path of the host is to be found by a launcher to which `staged` was shown. */
export function reachStaged(staged: readonly string[], path: string): string {
  const index = staged.findIndex((folder) => path === folder || path.startsWith(`${folder}/`));
  return index < 0 ? path : `${STAGE}/${index}${path.slice(staged[index]?.length)}`;
}

/** Where a memory file system is to be found that was made ahead. */
export const madeMemory = (index: number): string => `${MEMORY}/${index}`;

/**
 * Inherited descriptors that no input of ours replaces. Each is replaced by an empty source of further options, because
 * that is what bubblewrap reads to its end and closes; nothing else on the way could close a number above 9.
 */
export function strayDescriptors({ inherited }: HostFacts): readonly number[] {
  const firstFree = descriptors.firstFile + madeFiles('', '').length;
  return inherited.filter((descriptor) => descriptor >= firstFree);
}

/**
 * New user, network, mount and process namespaces, then the script that ends in the cell's command.
 *
 * The process namespace around bubblewrap's own is what makes the end certain: its first process is tied to the launcher
 * before the set-up hears from the gateway, and the kernel kills everything in it along with that process. Bubblewrap alone
 * ties its child only after building the file system, and would leave it behind if the gateway was killed meanwhile.
 */
function inNamespaces(input: ShellInput, bubblewrap: readonly string[]): string[] {
  const { shape, facts, setup, staged } = input;
  const { tools } = facts;
  const node = reachStaged(staged, facts.node);
  const ports = shape.tcpPorts.join(' ');
  const script = [tools.ip, routeCommands(facts.ipv6), node, setup, ports, tools.env, tools.bwrap];
  const namespaces = [tools.unshare, '--user', '--map-root-user', '--net', '--mount'];
  // With a view of its own on the processes, since bubblewrap looks its child up in /proc.
  const processes = ['--pid', '--mount-proc', '--fork', '--kill-child=SIGKILL'];
  const shell = [tools.sh, '-c', cellScript, 'sallyport-cell', ...script, '--', ...bubblewrap];
  return [...namespaces, ...processes, ...memoriesAhead(input), ...shell];
}

/** The command before the set-up's that makes the memory file systems, where bubblewrap cannot. */
function memoriesAhead({ facts: { tools }, memories }: ShellInput): readonly string[] {
  if (memories.length === 0) return [];
  const each = memories.map(({ bytes, mode }) => `size=${bytes},mode=${mode}`);
  return [tools.sh, '-c', memoryScript, 'sallyport-memory', tools.mount, tools.mkdir, MEMORY, ...each, '--'];
}

/** Bound to the gateway's life, without a way to gain privileges, and as an own user where the gateway is root. */
function asCellUser({ facts, uid, staged }: ShellInput, rest: readonly string[]): readonly string[] {
  const { tools } = facts;
  const identity = uid === null ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const launcher = [tools.setpriv, ...identity, '--no-new-privs', '--pdeathsig=KILL', ...rest];
  if (staged.length === 0) return launcher;
  const namespace = [tools.setpriv, '--pdeathsig=KILL', tools.unshare, '--mount', '--propagation=private'];
  const stage = [tools.sh, '-c', stageScript, 'sallyport-stage', tools.mount, tools.mkdir, STAGE];
  return [...namespace, ...stage, ...staged, '--', ...launcher];
}

/**
 * With a terminal of its own as 0, 1 and 2, which `script` carries to and from the caller's: what a program pushes into its
 * terminal's input is gone with it. The launcher is tied to `script`, and that to the gateway.
 */
function behindTerminal(
  { setpriv, script }: HostFacts['tools'],
  launcher: readonly string[],
): readonly string[] {
  if (script === undefined) throw new Error('a cell at a terminal was planned on a machine without script');
  const command = `exec ${launcher.map(shellWord).join(' ')}`;
  const options = ['--quiet', '--flush', '--return', '--command', command, '/dev/null'];
  return [setpriv, '--pdeathsig=KILL', script, ...options];
}
