/**
 * A process, unmistakably, within one boot of the machine. Its id alone is soon used again for another one, which
 * must then not be killed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of `/proc/PID/stat`. */
  readonly startTime: string;
}

interface ProcessState extends ProcessIdentity {
  /** Dead, and only waiting for its parent to take notice. */
  readonly zombie: boolean;
  readonly parent: number;
}

/** @returns null when there is no such process */
function readState(pid: number): ProcessState | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, parent, startTime] = [fields[0], fields[1], fields[19]];
    if (state === undefined || startTime === undefined) return null;
    return { pid, startTime, zombie: /^[ZX]$/.test(state), parent: Number(parent) };
  } catch {
    return null;
  }
}

/** @returns null when there is no such process */
export function identify(pid: number): ProcessIdentity | null {
  const state = readState(pid);
  return state === null ? null : { pid, startTime: state.startTime };
}

/** What a process started, and what was left to it; the eldest first. */
function childrenOf(pid: number): readonly ProcessIdentity[] {
  let children: readonly number[];
  try {
    // Made by kernels with CONFIG_PROC_CHILDREN, which distributions set.
    children = (readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').match(/\d+/g) ?? []).map(Number);
  } catch {
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    children = all.map(Number).filter((each) => readState(each)?.parent === pid);
  }
  return children.map(identify).filter((child) => child !== null);
}

/** The only child of a process, or its eldest; null while it has none. */
export const onlyChild = (pid: number): ProcessIdentity | null => childrenOf(pid)[0] ?? null;

/** The child that is the first process of a namespace of its own; null while there is none. */
export const firstInNamespace = (pid: number): ProcessIdentity | null =>
  childrenOf(pid).find((child) => leadsNamespace(child.pid)) ?? null;

function leadsNamespace(pid: number): boolean {
  try {
    // Its number in each namespace that it is seen from, its own last.
    return /^NSpid:.*\s1$/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** True while this very process runs. A zombie does not: of a pid namespace's first process, nothing is left then. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const state = readState(pid);
  return state !== null && state.startTime === startTime && !state.zombie;
}

/**
 * Resolves when a process is gone: of a pid namespace's first process, everything in it, since the kernel keeps that one until
 * the others are gone.
 *
 * @returns false when it is still there after `timeoutMs`
 */
export async function untilGone(process: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const waitMs = 2;
  for (let waited = 0; isAlive(process); waited += waitMs) {
    if (waited > timeoutMs) return false;
    await sleep(waitMs);
  }
  return true;
}

/** Changes at every start of the machine. */
export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
