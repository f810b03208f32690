/**
 * The program of a running cell among the processes of the host, for signals. Nothing inside a cell can change what is
 * found here: it is read from how the launcher's processes descend from each other, which are not the cell's.
 */
import { firstInNamespace, onlyChild, type ProcessIdentity } from './process-identity.ts';

/**
 * @param first the first process of the namespace around the cell: bubblewrap, one of whose children is the first process
 *   of the cell's own namespace, whose eldest is the program. The others set the cell up, and are about to end
 * @returns null before the program runs and after it ended
 */
export function programProcess(first: ProcessIdentity): ProcessIdentity | null {
  const init = firstInNamespace(first.pid);
  return init === null ? null : onlyChild(init.pid);
}
