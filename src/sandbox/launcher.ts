/**
 * The launcher of a cell as a process: what `plan-shell.ts` planned, started, with everything that leads in and out of it. Here
 * by the gateway itself; `launcher-helper.ts` has another process start it.
 */
import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import type { AppError } from '../kernel/index.ts';
import { killGroup } from './kill.ts';
import { launchFailed } from './launch-errors.ts';
import { descriptors, type ShellPlan } from './plan-shell.ts';
import type { CellStdio } from './stdio-pipes.ts';

export interface LauncherEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Hears what the set-up program says, and what it hands over with it. */
export type NoteListener = (note: unknown, handle?: SendHandle) => void;

export interface Launcher {
  readonly pid: number;
  /** Where each of the plan's inputs goes in, by its descriptor. */
  readonly inputs: ReadonlyMap<number, Duplex>;
  /** What bubblewrap says of itself, out of the cell's reach. */
  readonly report: Duplex;
  /** Null while it runs. */
  readonly end: LauncherEnd | null;
  readonly ended: Promise<LauncherEnd>;
  /** In the place of who listened before. */
  hear(listener: NoteListener): void;
  /** Closes the set-up program's channel. */
  hangUp(): void;
  /** SIGKILL to this process alone, unless it has ended: its id may be another's by then. */
  kill(): void;
  /** The same to every process that it leads. */
  killGroup(): void;
}

/**
 * @param onSpawn called with the launcher's process id before anything else happens
 * @throws AppError `sandbox_launch_failed`, and what `onSpawn` throws; it is killed then
 */
export type StartLauncher = (
  plan: ShellPlan,
  stdio: CellStdio,
  onSpawn: (pid: number) => void,
) => Promise<Launcher>;

/** Descriptors of a launcher from `ipc` on. Node closes what is `ignore` here, since it opened it as close-on-exec. */
export function furtherDescriptors(pipes: readonly number[]): ('ipc' | 'pipe' | 'ignore')[] {
  const count = Math.max(...pipes) - descriptors.ipc + 1;
  return Array.from({ length: count }, (_, index) => {
    const number = descriptors.ipc + index;
    return number === descriptors.ipc ? 'ipc' : pipes.includes(number) ? 'pipe' : 'ignore';
  });
}

/** Everything that a launcher reads, and what it says of itself. */
export const pipesOf = (plan: ShellPlan): readonly number[] => [...plan.inputs, descriptors.report];

/** As this process's child: it waits until the program is executed. */
export const startLauncher: StartLauncher = async (plan, stdio, onSpawn) => {
  const [program = '', ...args] = plan.launcher;
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      cwd: '/',
      env: {},
      // A process group of its own, to be killed as one, and out of reach of the terminal's Ctrl-C.
      detached: !plan.terminal,
      stdio: [...stdio.theirs, ...furtherDescriptors(pipesOf(plan))],
    });
  } finally {
    stdio.giveAway();
  }
  // Without a listener the event would end the gateway; without a pid the failure is reported below.
  child.on('error', () => {});
  const { pid } = child;
  const all: readonly unknown[] = child.stdio;
  const { inputs, report } = streamsOf(plan, (descriptor) => all[descriptor]);
  if (pid === undefined || report === undefined) throw notExecuted(program);
  const ended = new Promise<LauncherEnd>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  );
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  try {
    onSpawn(pid);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return {
    pid,
    inputs,
    report,
    get end() {
      return alive() ? null : { code: child.exitCode, signal: child.signalCode };
    },
    ended,
    hear: (listener) => void child.removeAllListeners('message').on('message', listener),
    hangUp() {
      if (child.connected) child.disconnect();
    },
    kill() {
      if (alive()) child.kill('SIGKILL');
    },
    killGroup() {
      if (alive()) killGroup(pid);
    },
  };
};

/** The streams of a launcher, none of which ends the gateway by an error. */
export function streamsOf(
  plan: ShellPlan,
  at: (descriptor: number) => unknown,
): { readonly inputs: ReadonlyMap<number, Duplex>; readonly report: Duplex | undefined } {
  const streams = new Map<number, Duplex>();
  for (const descriptor of pipesOf(plan)) {
    const stream = at(descriptor);
    if (stream instanceof Duplex)
      streams.set(
        descriptor,
        stream.on('error', () => {}),
      );
  }
  const report = streams.get(descriptors.report);
  streams.delete(descriptors.report);
  return { inputs: streams, report };
}

export const notExecuted = (program: string): AppError => launchFailed(`${program} could not be executed`);
