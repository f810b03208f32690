/**
 * Holds the limits of a cell as a whole where no control group does: looks once a second at what its processes take
 * together, and says which cell is above its limit. Memory: at one look. Processors: over a whole minute.
 *
 * A look reads one line for each process of the machine that may be a cell's; what others start, and what has nothing to
 * do with cells, is looked at again only now and then. It must never keep the event loop for long, however many there are.
 * At the same look the sessions that a cell has made are told to leave processors to the gateway.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, limits } from '../kernel/index.ts';
import { sessionGivesWay } from './cell-priority.ts';
import type { LimitKind } from './limit-hit.ts';
import type { ProcessIdentity } from './process-identity.ts';
import {
  parseStat,
  type ProcessLine,
  type ProcReader,
  takenBytes,
  TICKS_PER_SECOND,
} from './process-table.ts';

interface WatchedCell {
  /** First process of the namespace around the cell: everything in it descends from it. */
  readonly first: ProcessIdentity;
  /** Null: not to be watched. */
  readonly memoryBytes: number | null;
  readonly cpus: number | null;
  /** Whether it is to leave processors to the gateway. */
  readonly givesWay: boolean;
  /** Called once, when it is above. */
  over(kind: Extract<LimitKind, 'memory' | 'cpu'>): void;
}

export interface CellWatch {
  /** @returns ends the watch over this cell */
  add(cell: WatchedCell): () => void;
}

export interface WatchDeps {
  readonly proc: () => ProcReader;
  readonly clock: Clock;
  /** Makes the session of a process give way, where it does not yet. */
  readonly sessionGivesWay?: (pid: number) => void;
  readonly intervalMs?: number;
  readonly cpuWindowMs?: number;
}

interface Watched {
  readonly cell: WatchedCell;
  readonly cpu: CpuUse;
}

/** Reads between two turns of the event loop: about half a millisecond. */
const READS_PER_TURN = 50;
/** A process that is no cell's is looked at again in one of so many looks: its number may be another's by then. */
const FOREIGN_LOOKS = 16;

export function createCellWatch(deps: WatchDeps): CellWatch {
  const { clock, intervalMs = limits.cellWatchIntervalMs, cpuWindowMs = limits.cellCpuWindowMs } = deps;
  const giveWay = deps.sessionGivesWay ?? sessionGivesWay;
  const watched = new Set<Watched>();
  let foreign: ReadonlySet<number> = new Set();
  let looks = 0;
  let timer: NodeJS.Timeout | null = null;
  let proc: ProcReader | null = null;

  async function look(): Promise<void> {
    proc ??= deps.proc();
    const lines = await read(proc);
    const children = Map.groupBy(lines.values(), ({ parent }) => parent);
    const ours = new Set<number>();
    for (const entry of watched) {
      const { cell, cpu } = entry;
      const processes = family(cell.first, lines, children);
      for (const { pid } of processes) ours.add(pid);
      if (cell.givesWay) await sessionsGiveWay(processes);
      if (cell.cpus !== null && busyOf(processes, cpu) > cell.cpus) end(entry, 'cpu');
      else if (cell.memoryBytes !== null && takes(processes, cell.memoryBytes, proc)) end(entry, 'memory');
    }
    foreign = new Set([...lines.keys(), ...foreign].filter((pid) => !ours.has(pid)));
  }

  /** One process of each session stands for it. A program makes sessions as it likes. */
  async function sessionsGiveWay(processes: readonly ProcessLine[]): Promise<void> {
    const seen = new Set<number>();
    for (const { pid, session } of processes) {
      if (seen.has(session)) continue;
      giveWay(pid);
      seen.add(session);
      if (seen.size % READS_PER_TURN === 0) await turn();
    }
  }

  function busyOf(processes: readonly ProcessLine[], cpu: CpuUse): number {
    const usedMs = sum(processes, ({ cpuTicks }) => cpuTicks) * (1_000 / TICKS_PER_SECOND);
    return cpu.averageOver(cpuWindowMs, { atMs: clock.monotonic(), usedMs });
  }

  async function read(from: ProcReader): Promise<ReadonlyMap<number, ProcessLine>> {
    const lines = new Map<number, ProcessLine>();
    looks += 1;
    const all = from.pids();
    const present = new Set(all);
    foreign = new Set([...foreign].filter((pid) => present.has(pid)));
    let reads = 0;
    for (const pid of all) {
      if (foreign.has(pid) && (pid + looks) % FOREIGN_LOOKS !== 0) continue;
      const line = parseStat(from.stat(pid) ?? '');
      if (line !== null) lines.set(pid, line);
      reads += 1;
      if (reads % READS_PER_TURN === 0) await turn();
    }
    return lines;
  }

  function end(entry: Watched, kind: 'memory' | 'cpu'): void {
    if (watched.delete(entry)) entry.cell.over(kind);
  }

  /** One look after the other, as long as there is something to look at. */
  function schedule(): void {
    if (timer !== null || watched.size === 0) return;
    timer = setTimeout(() => {
      void look()
        .catch(() => undefined)
        .then(() => {
          timer = null;
          schedule();
        });
    }, intervalMs).unref();
  }

  return {
    add(cell) {
      if (cell.memoryBytes === null && cell.cpus === null && !cell.givesWay) return () => undefined;
      const entry: Watched = { cell, cpu: new CpuUse() };
      watched.add(entry);
      // What was prepared for it may have been looked at before as nobody's.
      foreign = new Set();
      schedule();
      return () => void watched.delete(entry);
    },
  };
}

/** A process and everything that descends from it; nothing when the process is another one by now. */
function family(
  first: ProcessIdentity,
  lines: ReadonlyMap<number, ProcessLine>,
  children: ReadonlyMap<number, readonly ProcessLine[]>,
): readonly ProcessLine[] {
  const root = lines.get(first.pid);
  if (root === undefined || root.startTime !== first.startTime) return [];
  // A set, since lines of different moments could lead in a circle.
  const found = new Set([root]);
  for (const { pid } of found) for (const child of children.get(pid) ?? []) found.add(child);
  return [...found];
}

/** Asks for the exact figure, which takes long, only where the rough one, which counts shared pages for each, is above. */
function takes(processes: readonly ProcessLine[], bytes: number, proc: ProcReader): boolean {
  if (sum(processes, ({ residentPages }) => residentPages) * proc.pageBytes <= bytes) return false;
  const takenBy = ({ pid, residentPages }: ProcessLine): number => {
    const rollup = proc.memory(pid);
    // Rather too much than nothing: a root without CAP_SYS_PTRACE, as in a container, is refused every cell's figure.
    return rollup === null ? residentPages * proc.pageBytes : takenBytes(rollup);
  };
  const isAbove = (): boolean => sum(processes, takenBy) > bytes;
  // Twice: they are asked one after the other, and while they end, the share of each that is left grows from one to the next.
  return isAbove() && isAbove();
}

const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

interface CpuSample {
  readonly atMs: number;
  /** Of all processes together: what a child used is its parent's once it was waited for. */
  readonly usedMs: number;
}

class CpuUse {
  #samples: CpuSample[] = [];
  #usedMs = 0;
  #lastMs = 0;

  /** @returns processors kept busy on average; 0 while they were not watched for that long */
  averageOver(windowMs: number, now: CpuSample): number {
    // A process that nobody waited for takes its time with it.
    this.#usedMs += Math.max(0, now.usedMs - this.#lastMs);
    this.#lastMs = now.usedMs;
    this.#samples.push({ atMs: now.atMs, usedMs: this.#usedMs });
    while ((this.#samples[1]?.atMs ?? Number.POSITIVE_INFINITY) <= now.atMs - windowMs) this.#samples.shift();
    const [oldest] = this.#samples;
    if (oldest === undefined || now.atMs - oldest.atMs < windowMs) return 0;
    return (this.#usedMs - oldest.usedMs) / (now.atMs - oldest.atMs);
  }
}
