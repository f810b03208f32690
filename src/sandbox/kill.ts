/** The end of processes that somebody knows to be a cell's. */

/** Kills every process of a group, such as that which a launcher leads. Harmless when there is none. */
export const killGroup = (pid: number): void => killOnly(-pid);

/** Harmless when there is no such process, or when it is not this user's to kill. */
export function killOnly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: there is nothing left to kill. EPERM: it was not ours.
  }
}
