/**
 * Resource limits of a cell, and how each is held.
 *
 * Those of each process are resource limits, set by `prlimit` inside the cell just before the program. Those of the cell as a
 * whole (memory, processors) are held by a control group where the gateway has some to give, and else by a watch that
 * looks at the cell's processes once a second (`cell-watch.ts`).
 *
 * What only a control group bounds: memory that belongs to no process (files of `/tmp`, the home and `/dev/shm` up to
 * their sizes, what the kernel holds for sockets and pipes), and what is taken and given back between two looks.
 */
import { limits } from '../kernel/index.ts';
import type { CellLimits } from '../manifest/index.ts';
import type { GroupController } from './cgroup/ports.ts';
import type { HardLimits, LimitName } from './hard-limits.ts';

export interface AppliedLimits {
  /** Memory of all processes of the cell together. */
  readonly memoryBytes: number;
  /**
   * Data of one process, RLIMIT_DATA; null where a control group counts what the cell really takes. RLIMIT_AS would break V8,
   * which reserves far more than it uses.
   */
  readonly dataBytes: number | null;
  /** Processes and threads of the cell; null where the kernel could only count those of the user on the whole host. */
  readonly processes: number | null;
  /** Processors that it may keep busy; null: all. */
  readonly cpus: number | null;
  readonly openFiles: number;
  /** Size of one file, and of `/tmp` and the home, each, in bytes. */
  readonly diskBytes: number;
  /** What the cell's control group holds. */
  readonly inGroup: readonly GroupController[];
}

export function appliedLimits(
  wanted: CellLimits,
  processesCountedPerCell: boolean,
  inGroup: ReadonlySet<GroupController> = new Set(),
): AppliedLimits {
  const memoryBytes = (wanted.memoryMiB ?? limits.cellMemoryDefaultMiB) * limits.MIB;
  return {
    memoryBytes,
    // RLIMIT_DATA counts what is reserved, used or not.
    dataBytes: inGroup.has('memory') ? null : memoryBytes + limits.cellMemoryReservedMiB * limits.MIB,
    processes:
      processesCountedPerCell || inGroup.has('pids')
        ? (wanted.processes ?? limits.cellProcessesDefault)
        : null,
    cpus: wanted.cpus ?? null,
    openFiles: wanted.openFiles ?? limits.cellOpenFilesDefault,
    diskBytes: (wanted.diskMiB ?? limits.cellDiskDefaultMiB) * limits.MIB,
    inGroup: [...inGroup].sort(),
  };
}

/**
 * Options of `prlimit(1)`: soft and hard limit alike, so that nothing in the cell can raise them again.
 *
 * @param hard above which nothing can be set on this machine
 */
export function limitOptions(applied: AppliedLimits, hard: HardLimits): readonly string[] {
  const { dataBytes, processes, openFiles, diskBytes, inGroup } = applied;
  const option = (name: LimitName, wanted: number): string =>
    `--${name}=${Math.min(wanted, hard.get(name) ?? wanted)}`;
  return [
    // Not 0: where the host pipes core dumps to a program of its own, only this number keeps the kernel from it (core(5)).
    option('core', 1),
    ...(dataBytes === null ? [] : [option('data', dataBytes)]),
    option('fsize', diskBytes),
    option('nofile', openFiles),
    // Counted for the user on the whole host too, and so shared by the cells of a gateway that is not root.
    option('sigpending', limits.cellSignalsMax),
    option('memlock', limits.cellLockedMemoryBytes),
    ...(processes === null || inGroup.includes('pids') ? [] : [option('nproc', processes)]),
  ];
}
