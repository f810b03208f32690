/**
 * A control group for each cell, in a group that was given to this process. The layout, below that group:
 *
 *   sallyport-PID-START/gateway    this process, since a group with limits on its children has no processes of its own
 *   sallyport-PID-START/CELL       one cell
 *
 * The name tells whose they are, so that a later gateway finds what one that is gone left, and touches nothing else.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { limits } from '../../kernel/index.ts';
import { isAlive, type ProcessIdentity } from '../process-identity.ts';
import { GATEWAY_GROUP, GATEWAY_LEAF } from './detect.ts';
import type { CellGroup, CellGroups, GroupController, GroupLimits, GroupUsage } from './ports.ts';

/** What is in a cell's group besides what the program starts: bubblewrap outside and inside. */
const OWN_PROCESSES = 2;
/** Of `cpu.max`: the time that a quota is for, in microseconds. */
const CPU_PERIOD_US = 100_000;

/**
 * Moves this process to a group of its own below `root`, and passes the controllers on. May be done again.
 *
 * @throws Error where `root` has processes of somebody else's, or is not ours after all
 */
export function takeOver(
  root: string,
  controllers: ReadonlySet<GroupController>,
  self: ProcessIdentity,
): CellGroups {
  const own = join(root, `sallyport-${self.pid}-${self.startTime}`);
  const leaf = join(own, GATEWAY_LEAF);
  mkdirSync(leaf, { recursive: true });
  const passed = new Set<GroupController>();
  try {
    move(self.pid, leaf);
    for (const name of controllers) if (passOn(root, name) && passOn(own, name)) passed.add(name);
    if (passed.has('cpu')) moreWeight(leaf);
    if (controllers.size > 0 && passed.size === 0) throw new Error(`${root} passes no controller on`);
  } catch (error) {
    giveBack(self.pid, root, [leaf, own]);
    throw error;
  }
  return {
    controllers: passed,
    open: (cell, wanted) => openGroup(join(own, cell), wanted, passed),
    sweep: () => sweep(root),
  };
}

/** Where several want a processor, the gateway is not one among its cells: all of them wait for it. */
function moreWeight(leaf: string): void {
  writeFileSync(join(leaf, 'cpu.weight'), `${limits.gatewayCpuWeight}`);
}

/** As far as it can be: a group that passes anything on takes no process back. */
function giveBack(pid: number, root: string, made: readonly string[]): void {
  try {
    move(pid, root);
    for (const folder of made) rmdirSync(folder);
  } catch {
    // This process stays where it is, which limits nothing; a later sweep removes the folders.
  }
}

function move(pid: number, group: string): void {
  writeFileSync(join(group, 'cgroup.procs'), String(pid));
}

/** @returns false where the kernel does not do that: with processes of real time there is no `cpu` */
function passOn(group: string, controller: GroupController): boolean {
  const file = join(group, 'cgroup.subtree_control');
  try {
    if (!contents(file).split(/\s+/).includes(controller)) writeFileSync(file, `+${controller}`);
    return true;
  } catch {
    return false;
  }
}

function openGroup(
  folder: string,
  { memoryBytes, processes, cpus }: GroupLimits,
  controllers: ReadonlySet<GroupController>,
): CellGroup {
  mkdirSync(folder);
  const set = (file: string, value: string | number): void => writeFileSync(join(folder, file), `${value}`);
  try {
    if (controllers.has('memory')) {
      set('memory.max', memoryBytes);
      // What one process of a cell cannot have, the rest cannot do without.
      set('memory.oom.group', 1);
      withoutSwap(folder);
    }
    if (controllers.has('pids') && processes !== null) set('pids.max', processes + OWN_PROCESSES);
    if (controllers.has('cpu') && cpus !== null) {
      set('cpu.max', `${Math.round(cpus * CPU_PERIOD_US)} ${CPU_PERIOD_US}`);
    }
  } catch (error) {
    rmdirSync(folder);
    throw error;
  }
  return {
    admit: (pid) => move(pid, folder),
    usage: () => usageOf(folder),
    kill: () => killAll(folder),
    remove: () => remove(folder),
  };
}

/** A kernel without swap, or that does not count it, has no such file. */
function withoutSwap(folder: string): void {
  try {
    writeFileSync(join(folder, 'memory.swap.max'), '0');
  } catch {
    // Then `memory.max` is all there is.
  }
}

function usageOf(folder: string): GroupUsage | null {
  try {
    const counted = (file: string, key: string): number => keyed(optional(join(folder, file)), key);
    const peak = Number.parseInt(optional(join(folder, 'memory.peak')), 10);
    return {
      oomKills: counted('memory.events', 'oom_kill'),
      forksRefused: counted('pids.events', 'max'),
      cpuUs: keyed(contents(join(folder, 'cpu.stat')), 'usage_usec'),
      memoryPeakBytes: Number.isNaN(peak) ? null : peak,
    };
  } catch {
    return null;
  }
}

/** The number behind a word at the beginning of a line. */
const keyed = (text: string, key: string): number =>
  Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);

function optional(path: string): string {
  try {
    return contents(path);
  } catch {
    return '';
  }
}

const contents = (path: string): string => readFileSync(path, 'latin1');

function killAll(folder: string): void {
  try {
    writeFileSync(join(folder, 'cgroup.kill'), '1');
  } catch {
    // Before Linux 5.14 there is no such file: one after the other, which whoever forks may outrun; the next look finds the rest.
    for (const pid of optional(join(folder, 'cgroup.procs')).split('\n').filter(Boolean))
      killOne(Number(pid));
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it has ended.
  }
}

/** A group goes when nothing is in it, which what was killed takes a moment for. */
async function remove(folder: string): Promise<boolean> {
  const waitMs = 2;
  for (let waited = 0; waited <= limits.cellKillTimeoutMs; waited += waitMs) {
    try {
      rmdirSync(folder);
      return true;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null;
      if (code === 'ENOENT') return true;
      if (code !== 'EBUSY') return false;
    }
    await sleep(waitMs);
  }
  return false;
}

async function sweep(root: string): Promise<number> {
  const gone = foldersIn(root).filter((name) => {
    const [, pid = '', startTime = ''] = GATEWAY_GROUP.exec(name) ?? [];
    return pid !== '' && !isAlive({ pid: Number(pid), startTime });
  });
  const swept = await Promise.all(gone.map((name) => sweepOne(join(root, name))));
  return swept.reduce((total, cells) => total + cells, 0);
}

/** What the gateway itself had started outside of cells is not ours to end: its group stays as long as that does. */
async function sweepOne(own: string): Promise<number> {
  const cells = foldersIn(own).filter((name) => name !== GATEWAY_LEAF);
  for (const cell of cells) killAll(join(own, cell));
  await Promise.all(cells.map((cell) => remove(join(own, cell))));
  for (const folder of [join(own, GATEWAY_LEAF), own]) {
    try {
      rmdirSync(folder);
    } catch {
      // EBUSY, or another gateway was quicker.
    }
  }
  return cells.length;
}

function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}
