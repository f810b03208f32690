/**
 * Descriptors that this process was given by whoever started it, and that it would pass on to every child. Node opens
 * its own as close-on-exec, so what is not marked so was inherited: a pipe of a supervisor, a log file, a socket.
 * A cell must have none of them.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** O_CLOEXEC on both architectures, in the octal `flags:` of `/proc/self/fdinfo/N`. */
const CLOSE_ON_EXEC = 0o2000000;

/** Numbers above 2 that a child process would get. Read when the gateway starts: later ones are Node's. */
export function inheritedDescriptors(): readonly number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => descriptor > 2 && passesOn(descriptor));
}

function passesOn(descriptor: number): boolean {
  try {
    const [, flags = ''] =
      /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1')) ?? [];
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    // The listing's own descriptor, closed by now.
    return false;
  }
}
