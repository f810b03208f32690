/** What runs on this machine, as far as `/proc` tells. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface HostProcess {
  readonly pid: number;
  readonly parent: number;
  /** With the pid it names a process unmistakably. */
  readonly startTime: string;
  readonly command: string;
}

/** Every process that is not a zombie. */
export function hostProcesses(): readonly HostProcess[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? read(Number(name)) : []));
}

function read(pid: number): HostProcess[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state = '', parent = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return [];
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
    return [{ pid, parent: Number(parent), startTime: fields[17] ?? '', command }];
  } catch {
    return [];
  }
}

/** Children of a process, their children, and so on. */
export function descendants(
  root: number,
  all: readonly HostProcess[] = hostProcesses(),
): readonly HostProcess[] {
  const children = all.filter(({ parent }) => parent === root);
  return [...children, ...children.flatMap(({ pid }) => descendants(pid, all))];
}

/** Which of the given processes still run, and which others carry the marker on their command line, once that is final. */
export async function survivors(
  known: readonly HostProcess[],
  marker: string,
): Promise<readonly HostProcess[]> {
  let left: readonly HostProcess[] = [];
  // The kernel kills at once but not in no time; what is to stay alive stays.
  for (let attempt = 0; attempt < 200; attempt += 1) {
    left = hostProcesses().filter(
      (one) =>
        one.command.includes(marker) ||
        known.some(({ pid, startTime }) => pid === one.pid && startTime === one.startTime),
    );
    if (left.length === 0) return left;
    await sleep(25);
  }
  return left;
}
