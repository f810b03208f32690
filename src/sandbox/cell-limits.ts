/**
 * Resource limits of a cell without control groups, set by `prlimit` inside the cell, just before the program.
 *
 * What this does not limit, and only a control group could: the memory of all processes together (each one may use
 * the whole of its own), processor time, memory in files of `/tmp`, the home and `/dev/shm` beyond their sizes
 * added up, and what the kernel holds for sockets.
 */
import { limits } from '../kernel/index.ts';
import type { CellLimits } from '../manifest/index.ts';

export interface AppliedLimits {
  /** Data of one process, in bytes. RLIMIT_DATA; RLIMIT_AS would break V8, which reserves far more than it uses. */
  readonly dataBytes: number;
  /** Processes and threads of the cell; null where the kernel could only count those of the user on the whole host. */
  readonly processes: number | null;
  readonly openFiles: number;
  /** Size of one file, and of `/tmp` and the home, each, in bytes. */
  readonly diskBytes: number;
}

export function appliedLimits(wanted: CellLimits, processesCountedPerCell: boolean): AppliedLimits {
  return {
    dataBytes: (wanted.memoryMiB ?? limits.cellMemoryDefaultMiB) * limits.MIB,
    processes: processesCountedPerCell ? (wanted.processes ?? limits.cellProcessesDefault) : null,
    openFiles: wanted.openFiles ?? limits.cellOpenFilesDefault,
    diskBytes: (wanted.diskMiB ?? limits.cellDiskDefaultMiB) * limits.MIB,
  };
}

/** Options of `prlimit(1)`: soft and hard limit alike, so that nothing in the cell can raise them again. */
export function limitOptions({
  dataBytes,
  processes,
  openFiles,
  diskBytes,
}: AppliedLimits): readonly string[] {
  return [
    // Not 0: where the host pipes core dumps to a program of its own, only this number keeps the kernel from it (core(5)).
    '--core=1',
    `--data=${dataBytes}`,
    `--fsize=${diskBytes}`,
    `--nofile=${openFiles}`,
    ...(processes === null ? [] : [`--nproc=${processes}`]),
  ];
}
