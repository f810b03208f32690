/** A command's streams between its cell and this process, and signals on their way to it. */
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { limits } from '../../kernel/index.ts';
import type { Cell, CellExit } from '../../sandbox/index.ts';

export interface OwnStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Passes everything on until both outputs have ended. A reader that went away is one for the command too. */
export async function relay(
  { stdin, stdout, stderr }: Pick<Cell, 'stdin' | 'stdout' | 'stderr'>,
  own: OwnStreams,
): Promise<void> {
  const gone = (from: Readable) => (): void => void from.destroy();
  const [outGone, errGone] = [gone(stdout), gone(stderr)];
  own.stdout.on('error', outGone);
  own.stderr.on('error', errGone);
  own.stdin.pipe(stdin);
  stdout.pipe(own.stdout, { end: false });
  stderr.pipe(own.stderr, { end: false });
  const ends = [stdout, stderr].map((output) => finished(output, { writable: false }).catch(() => undefined));
  await Promise.all(ends);
  own.stdin.unpipe(stdin);
  own.stdin.pause();
  // What a shell closes when its command has ended.
  stdin.destroy();
}

/** Those that people and supervisors send to programs, and that a program may act on. */
const PASSED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'] as const;

/**
 * Those that come before the program runs are for it too, as soon as it does.
 *
 * @param to null as long as there is no cell
 * @returns stops passing them on
 */
export function passSignals(to: () => Pick<Cell, 'signal'> | null): () => void {
  const waiting: NodeJS.Signals[] = [];
  const pass = (): void => {
    while (waiting[0] !== undefined && to()?.signal(waiting[0]) === true) waiting.shift();
  };
  const take = (signal: NodeJS.Signals): void => {
    waiting.push(signal);
    pass();
  };
  const timer = setInterval(pass, limits.runSignalRetryMs).unref();
  for (const signal of PASSED) process.on(signal, take);
  return () => {
    clearInterval(timer);
    for (const signal of PASSED) process.removeListener(signal, take);
  };
}

/** As shells say it. */
export function exitCode({ code, signal, started }: CellExit): number {
  if (signal !== null) return 128 + constants.signals[signal];
  if (code !== null) return code;
  return started ? 1 : 125;
}
