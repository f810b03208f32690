/** What the start of a cell could leave mounted. */
import { readFileSync } from 'node:fs';

/** Where it mounts anything, or below that a number. */
const PLACES = ['/dev/shm', '/sys', '/proc', '/tmp', '/newroot', '/oldroot'];

/**
 * How many mounts this process sees where a start makes any. Elsewhere others make some at any time, such as the kernel
 * itself where somebody looks into `/sys/kernel/debug/tracing`.
 *
 * @param root folder of the test
 */
export function ownMounts(root: string): number {
  const lines = readFileSync('/proc/self/mountinfo', 'latin1').trimEnd().split('\n');
  const places = lines.map((line) => line.split(' ')[4] ?? '');
  return places.filter(
    (path) => path === root || path.startsWith(`${root}/`) || PLACES.includes(path.replace(/\/\d+$/, '')),
  ).length;
}
