/**
 * A cell's stdin, stdout and stderr: pipes, not the pairs of sockets that Node makes. A socket belongs for ever to the network
 * namespace it was made in, here the host's: through one, whoever holds it could ask for the host's addresses, and take
 * abstract names of the host, which another cell could look for.
 *
 * Node has no call for a pipe, so these are named ones, whose names are gone before anything runs.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { promisify } from 'node:util';
import { limits } from '../kernel/index.ts';

export interface CellStdio {
  /** What the launcher gets as 0, 1 and 2: descriptors of this process. */
  readonly theirs: readonly [stdin: number, stdout: number, stderr: number];
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** To be called once the launcher has its ends, or will not get them: only then can the ends here see the end. */
  giveAway(): void;
}

/** This process's own, for a program that is behind a terminal: nothing is to be read or written here. */
export function ownStdio(): CellStdio {
  const ended = (): PassThrough => new PassThrough().end();
  return {
    theirs: [0, 1, 2],
    stdin: new PassThrough().resume(),
    stdout: ended(),
    stderr: ended(),
    giveAway() {
      // They stay this process's.
    },
  };
}

/**
 * @param mkfifo absolute path of the program
 * @param pathOf a path for each name, in a folder that is the gateway's alone
 * @throws what the file system throws; nothing is left then
 */
export async function makeStdioPipes(
  mkfifo: string,
  pathOf: (name: string) => string,
  timeoutMs: number = limits.cellSetupTimeoutMs,
): Promise<CellStdio> {
  const paths = { stdin: pathOf('stdin'), stdout: pathOf('stdout'), stderr: pathOf('stderr') };
  const opened: number[] = [];
  try {
    // For everybody, but in a folder that only the gateway enters: a cell's own user may open /dev/stderr again.
    await promisify(execFile)(mkfifo, ['-m', '666', '--', ...Object.values(paths)], {
      env: {},
      cwd: '/',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const stdin = openEnds(paths.stdin, 'to the cell', opened);
    const stdout = openEnds(paths.stdout, 'from the cell', opened);
    const stderr = openEnds(paths.stderr, 'from the cell', opened);
    const theirs = [stdin.theirs, stdout.theirs, stderr.theirs] as const;
    return {
      theirs,
      stdin: new Socket({ fd: stdin.ours, readable: false, writable: true }),
      stdout: new Socket({ fd: stdout.ours, readable: true, writable: false }),
      stderr: new Socket({ fd: stderr.ours, readable: true, writable: false }),
      giveAway: () => theirs.forEach((descriptor) => closeSync(descriptor)),
    };
  } catch (error) {
    for (const descriptor of opened) closeSync(descriptor);
    throw error;
  } finally {
    for (const path of Object.values(paths)) rmSync(path, { force: true });
  }
}

interface Ends {
  /** Waits when there is nothing to read or no room to write, as programs expect. */
  readonly theirs: number;
  readonly ours: number;
}

/** @param opened gets every descriptor that was opened and not closed again */
function openEnds(path: string, direction: 'to the cell' | 'from the cell', opened: number[]): Ends {
  const [theirs, ours] =
    direction === 'to the cell'
      ? [constants.O_RDONLY, constants.O_WRONLY]
      : [constants.O_WRONLY, constants.O_RDONLY];
  const open = (flags: number): number => {
    const descriptor = openSync(path, flags);
    opened.push(descriptor);
    return descriptor;
  };
  // As long as both ends are open here, opening either does not wait for the other.
  const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    return { theirs: open(theirs), ours: open(ours | constants.O_NONBLOCK) };
  } finally {
    closeSync(both);
  }
}

/**
 * Outputs of a program that has ended: what nobody reads would stay open. Whoever started it may only be about to read, so
 * they are given a moment, without which the last words of a quick program would be lost.
 */
export function closeUnread(outputs: readonly Readable[]): void {
  const unread = (): readonly Readable[] => outputs.filter(({ readableFlowing }) => readableFlowing === null);
  if (unread().length === 0) return;
  setTimeout(() => {
    for (const output of unread()) output.resume();
  }, limits.cellOutputUnreadMs);
}
