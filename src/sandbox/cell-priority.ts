/**
 * Cells give way: where several want a processor, the gateway comes first, since everybody waits for it, the servers
 * that behave included. How much a cell may take at all is not this file's (`cell-limits.ts`).
 *
 * With a control group for each cell the gateway's own has more weight (`cgroup/groups.ts`). Beside that, and without: the nice
 * value (sched(7)), which everything in a cell inherits and nothing in it may lower. Where the kernel groups processes by
 * session, that has no effect between sessions, which have a value of their own; a cell makes new ones at any time, so that
 * the watch looks for them. Best effort: never a reason not to start a cell.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { limits } from '../kernel/index.ts';

const least = (value: number): number => Math.min(constants.priority.PRIORITY_LOW, value);

/** From now on for this process, which has one thread, and for whatever it starts. Harmless where there is none. */
export function giveWay(pid: number): void {
  try {
    setPriority(pid, least(getPriority() + limits.cellNiceSteps));
  } catch {
    // ESRCH: it is gone. EACCES: it gives way more than that already.
  }
}

/**
 * The same for the whole session of a process, at each look anew: a program may set its own session's value back (only a value
 * below zero takes a right), and a session that is just being made still has the group of the one before it. Where the kernel
 * does not take it (from whoever is not root: one in a tenth of a second) the next look asks again.
 */
export function sessionGivesWay(pid: number): void {
  try {
    // In the kernel's group of no session (what an init starts without one) a process itself stands beside the sessions.
    const own = niceOfSession('self') ?? getPriority();
    const below = least(own + limits.cellNiceSteps);
    const found = niceOfSession(pid);
    if (found !== null && found < below) writeFileSync(`/proc/${pid}/autogroup`, `${below}`);
  } catch {
    // ENOENT, ESRCH: it is gone, or this kernel does not group by session. EAGAIN, EACCES: not now.
  }
}

/** @returns null for a process that is in no group, such as one that has ended */
function niceOfSession(pid: number | 'self'): number | null {
  const nice = / nice (-?\d+)$/m.exec(readFileSync(`/proc/${pid}/autogroup`, 'latin1'))?.[1];
  return nice === undefined ? null : Number(nice);
}
