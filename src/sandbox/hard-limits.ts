/**
 * What this machine lets a process of the gateway's have at most: the hard limits that it was started with. Nobody can set
 * one higher again, a cell's program neither, and `prlimit` that is asked to ends without starting anything. Machines that
 * are set up with care have a core size of 0; kernels before 5.16 let 64 KiB be locked.
 */
import { readFileSync } from 'node:fs';

/** As options of `prlimit(1)` name them. */
export type LimitName = 'core' | 'data' | 'fsize' | 'memlock' | 'nofile' | 'nproc' | 'sigpending';

/** In the limit's own unit; a limit that is not there is none. */
export type HardLimits = ReadonlyMap<LimitName, number>;

/** As `/proc/PID/limits` (proc(5)) names them. */
const NAMES: Readonly<Record<string, LimitName>> = {
  'Max core file size': 'core',
  'Max data size': 'data',
  'Max file size': 'fsize',
  'Max locked memory': 'memlock',
  'Max open files': 'nofile',
  'Max processes': 'nproc',
  'Max pending signals': 'sigpending',
};

export const ownHardLimits = (): HardLimits => parseHardLimits(readFileSync('/proc/self/limits', 'utf8'));

/** @param text of `/proc/PID/limits` */
export function parseHardLimits(text: string): HardLimits {
  return new Map(
    text.split('\n').flatMap((line): [LimitName, number][] => {
      const [, label = '', hard = ''] = /^(Max [a-z ]*[a-z]) +\S+ +(\d+) /.exec(line) ?? [];
      const name = NAMES[label];
      return name === undefined ? [] : [[name, Number(hard)]];
    }),
  );
}
