/**
 * A cell's stdin, stdout and stderr: pipes, not the pairs of sockets that Node makes. A socket belongs for ever to the network
 * namespace it was made in, here the host's: through one, whoever holds it could ask for the host's addresses, and take
 * abstract names of the host, which another cell could look for.
 *
 * Node has no call for a pipe, so these are named ones, whose names are gone before anything of a server runs.
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
  /** Paths that another process may open the same ends at until they are given away; null: it cannot have them. */
  readonly names: readonly [stdin: string, stdout: string, stderr: string] | null;
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
    names: null,
    stdin: new PassThrough().resume(),
    stdout: ended(),
    stderr: ended(),
    giveAway() {
      // They stay this process's.
    },
  };
}

/** Named pipes for cells to come: what takes time is to start the program that makes them, not how many it makes. */
export interface PipeStock {
  /** @throws what the file system throws; nothing is left open then */
  take(): Promise<CellStdio>;
  /** Removes what nobody took. */
  close(): void;
}

export interface PipeStockInput {
  /** Absolute path of the program. */
  readonly mkfifo: string;
  /** Paths that nothing has yet, one for each name, in a folder that is the gateway's alone. */
  readonly newPaths: () => (name: string) => string;
  readonly timeoutMs?: number;
}

export function openPipeStock(input: PipeStockInput): PipeStock {
  const { mkfifo, newPaths, timeoutMs = limits.cellSetupTimeoutMs } = input;
  const made: PipePaths[] = [];
  let making: Promise<void> | null = null;

  async function make(): Promise<void> {
    const some = Array.from({ length: limits.cellPipesAhead }, () => pathsOf(newPaths()));
    // For everybody, but in a folder that only the gateway enters: a cell's own user may open /dev/stderr again.
    const args = ['-m', '666', '--', ...some.flatMap((paths) => Object.values(paths))];
    try {
      const options = { env: {}, cwd: '/', timeout: timeoutMs, killSignal: 'SIGKILL' } as const;
      await promisify(execFile)(mkfifo, args, options);
    } catch (error) {
      some.forEach(removePipes);
      throw error;
    }
    made.push(...some);
  }

  return {
    async take() {
      for (;;) {
        const paths = made.shift();
        if (paths !== undefined) return openStdio(paths);
        await (making ??= make().finally(() => (making = null)));
      }
    },
    close() {
      made.splice(0).forEach(removePipes);
    },
  };
}

interface PipePaths {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

const pathsOf = (pathOf: (name: string) => string): PipePaths => ({
  stdin: pathOf('stdin'),
  stdout: pathOf('stdout'),
  stderr: pathOf('stderr'),
});

function removePipes(paths: PipePaths): void {
  for (const path of Object.values(paths)) rmSync(path, { force: true });
}

/** Opens both ends of each pipe, which is nameless once theirs are given away. */
function openStdio(paths: PipePaths): CellStdio {
  const opened: number[] = [];
  try {
    const stdin = openEnds(paths.stdin, 'to the cell', opened);
    const stdout = openEnds(paths.stdout, 'from the cell', opened);
    const stderr = openEnds(paths.stderr, 'from the cell', opened);
    const theirs = [stdin.theirs, stdout.theirs, stderr.theirs] as const;
    // Their numbers are soon those of something else.
    let areGiven = false;
    return {
      theirs,
      names: [paths.stdin, paths.stdout, paths.stderr],
      stdin: new Socket({ fd: stdin.ours, readable: false, writable: true }),
      stdout: new Socket({ fd: stdout.ours, readable: true, writable: false }),
      stderr: new Socket({ fd: stderr.ours, readable: true, writable: false }),
      giveAway() {
        if (areGiven) return;
        areGiven = true;
        removePipes(paths);
        theirs.forEach((descriptor) => closeSync(descriptor));
      },
    };
  } catch (error) {
    for (const descriptor of opened) closeSync(descriptor);
    removePipes(paths);
    throw error;
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
