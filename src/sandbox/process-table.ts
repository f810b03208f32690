/** The machine's processes as `/proc` shows them: who started whom, processor time, memory. Reads only, and trusts the kernel alone. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

export interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since boot. */
  readonly startTime: string;
  /** Processor time of its own and of children that it has waited for, in clock ticks. */
  readonly cpuTicks: number;
  /** Memory that is mapped and present, what others share included, in pages. */
  readonly residentPages: number;
}

export interface ProcReader {
  pids(): readonly number[];
  /** `/proc/PID/stat`; null when the process is gone. */
  stat(pid: number): string | null;
  /** `/proc/PID/smaps_rollup`; empty when the process is gone, null when it is not to be looked at. */
  memory(pid: number): string | null;
  readonly pageBytes: number;
}

/** USER_HZ, the same on x86-64 and arm64. */
export const TICKS_PER_SECOND = 100;

export function openProc(): ProcReader {
  return {
    pids: () =>
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map(Number),
    stat: (pid) => shortText(`/proc/${pid}/stat`),
    memory: rollup,
    pageBytes: pageBytes(readFileSync('/proc/self/auxv')),
  };
}

/** Longer than any line of `/proc/PID/stat`. */
const line = Buffer.alloc(2_048);

/** Half the time that `readFileSync` takes, which counts for what is done for each process of the machine every second. */
function shortText(path: string): string | null {
  try {
    const descriptor = openSync(path, 'r');
    try {
      return line.toString('latin1', 0, readSync(descriptor, line));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return null;
  }
}

function rollup(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  } catch (error) {
    // ESRCH: it ended after the file was opened, and has not been waited for.
    const ended = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    return ended || !existsSync(`/proc/${pid}`) ? '' : null;
  }
}

/** AT_PAGESZ among the pairs of 64-bit words that the kernel gives each program. */
export function pageBytes(auxiliary: Buffer): number {
  for (let at = 0; at + 16 <= auxiliary.length; at += 16) {
    if (auxiliary.readBigUInt64LE(at) === 6n) return Number(auxiliary.readBigUInt64LE(at + 8));
  }
  return 4_096;
}

/** @returns null for anything that is not a line of `/proc/PID/stat` */
export function parseStat(stat: string): ProcessLine | null {
  // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
  const close = stat.lastIndexOf(')');
  const fields = stat.slice(close + 2).split(' ', 22);
  const number = (index: number): number => Number(fields[index] ?? Number.NaN);
  const [pid, parent, session, residentPages] = [Number.parseInt(stat, 10), number(1), number(3), number(21)];
  const cpuTicks = number(11) + number(12) + number(13) + number(14);
  const startTime = fields[19];
  if (close < 0 || startTime === undefined) return null;
  if (![pid, parent, session, residentPages, cpuTicks].every(Number.isSafeInteger)) return null;
  return { pid, parent, session, startTime, cpuTicks, residentPages };
}

/**
 * Of `/proc/PID/smaps_rollup`: memory that this process takes from the machine, what it shares counted by its share. Pages of
 * files on a disk are not counted, since they can be dropped at any time.
 *
 * @returns bytes
 */
export function takenBytes(rollup: string): number {
  let kib = 0;
  for (const [, value] of rollup.matchAll(/^(?:Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB$/gm))
    kib += Number(value);
  return kib * 1024;
}
