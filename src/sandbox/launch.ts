/**
 * Executes a plan: starts the launcher with an empty environment, feeds its descriptors, takes over the listeners,
 * and lets the program start once all of them are here.
 *
 * The launcher never learns a secret but what the cell's environment itself holds, and never outlives the gateway:
 * it asks for SIGKILL at the gateway's death before anything else, and the set-up program ends as soon as the
 * channel closes, which covers the moment before that request took effect.
 */
import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { Socket as UdpSocket } from 'node:dgram';
import { createServer, Server } from 'node:net';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { AppError, limits } from '../kernel/index.ts';
import type { CellListeners } from './cell-spec.ts';
import { type CellPlan, descriptors } from './plan.ts';
import { onlyChild, type ProcessIdentity } from './process-identity.ts';
import type { SetupNote } from './setup.ts';
import { tapTail } from './stderr-tail.ts';
import type { StdioPipes } from './stdio-pipes.ts';

export interface Launched {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The end of what the program wrote to stderr. */
  stderrTail(): string;
  /** The first process of the namespace around the cell: when it is gone, everything is. Null when it is gone already. */
  readonly first: ProcessIdentity | null;
  /** What was handed over: holds the cell's network namespace until closed. */
  readonly listening: readonly (Server | UdpSocket)[];
  /** False when the kernel gave the cell IPv4 only. */
  readonly dualStack: boolean;
}

/**
 * @param onSpawn called with the launcher's process id before anything else happens
 * @throws AppError `sandbox_launch_failed`, `sandbox_launch_timeout`; nothing is left then
 */
export async function launch(
  plan: CellPlan,
  stdio: StdioPipes,
  listeners: CellListeners,
  onSpawn: (pid: number) => void,
): Promise<Launched> {
  const { stdin, stdout, stderr } = stdio;
  // The other end may close at any time; whoever reads or writes sees that as the end of the stream.
  for (const stream of [stdin, stdout, stderr]) stream.on('error', () => {});
  const tail = tapTail(stderr, limits.cellStderrTailBytes);
  const listening: (Server | UdpSocket)[] = [];
  let started: Started | null = null;
  try {
    started = start(plan, stdio);
    const { child, pid, input } = started;
    onSpawn(pid);
    for (const { descriptor, content } of plan.inputs) deliver(input(descriptor), content);
    const ready = await takeListeners(child, listening, listeners, () => tail.text());
    return {
      child,
      pid,
      stdin,
      stdout,
      ...ready,
      stderr: tail.open(),
      stderrTail: () => tail.text(),
      listening,
    };
  } catch (error) {
    for (const open of listening) open.close();
    if (started !== null && started.child.exitCode === null && started.child.signalCode === null) {
      const { child, pid } = started;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      killGroup(pid);
      await gone;
    }
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    throw error;
  }
}

/** Kills every process that the launcher leads, and with them the cell. Harmless when there is none. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: there is nothing left to kill.
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Where one of the plan's inputs goes in. */
  readonly input: (descriptor: number) => Duplex;
}

function start(plan: CellPlan, stdio: StdioPipes): Started {
  const [program = '', ...args] = plan.launcher;
  const pipes = new Set(plan.inputs.map(({ descriptor }) => descriptor));
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      cwd: '/',
      env: {},
      // A process group of its own, to be killed as one, and out of reach of the terminal's Ctrl-C.
      detached: true,
      stdio: [...stdio.theirs, 'ipc', ...furtherDescriptors(pipes)],
    });
  } finally {
    stdio.giveAway();
  }
  // Without a listener the event would end the gateway; without a pid the failure is reported below.
  child.on('error', () => {});
  if (child.pid === undefined) throw launchFailed(`${program} could not be executed`);
  const all: readonly unknown[] = child.stdio;
  const input = (descriptor: number): Duplex => {
    const found = all[descriptor];
    if (!(found instanceof Duplex)) throw launchFailed(`descriptor ${descriptor} could not be made`);
    if (found.listenerCount('error') === 0) found.on('error', () => {});
    return found;
  };
  return { child, pid: child.pid, input };
}

/** Node closes what is `ignore` here, since it opened it as close-on-exec. */
function furtherDescriptors(pipes: ReadonlySet<number>): ('pipe' | 'ignore')[] {
  const first = descriptors.ipc + 1;
  return Array.from({ length: Math.max(...pipes) - first + 1 }, (_, index) =>
    pipes.has(first + index) ? 'pipe' : 'ignore',
  );
}

/** Whoever reads gets all of it; the descriptor here is given back at once, not when the launcher ends. */
function deliver(stream: Duplex, content: Buffer): void {
  stream.end(content, () => stream.destroy());
}

/** Resolves when every listener is here and the set-up program was told to leave. */
function takeListeners(
  child: ChildProcess,
  listening: (Server | UdpSocket)[],
  listeners: CellListeners,
  stderr: () => string,
): Promise<Pick<Launched, 'first' | 'dualStack'>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const message = `The cell was not ready after ${limits.cellSetupTimeoutMs / 1000} seconds.`;
      fail(
        new AppError('sandbox_launch_timeout', message, {
          kind: 'failed',
          hint: 'Is the machine overloaded?',
        }),
      );
    }, limits.cellSetupTimeoutMs);
    const fail = (error: unknown): void => {
      finish();
      // Those that are still on their way would stay open, and keep the network namespace.
      child.on('message', closeLate);
      reject(error);
    };
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void => {
      fail(launchFailed(`the launcher ended with ${signal ?? code} before the cell was ready`, stderr()));
    };
    const onMessage = (note: unknown, handle?: SendHandle): void => {
      try {
        if (handle !== undefined) handOver(note, handle, listening, listeners);
        if (!isReady(note)) return;
        // Before the answer, while the launcher's child surely waits for it: later the number could be another's.
        const first = onlyChild(child.pid ?? 0);
        child.send({ go: true }, () => {
          // The launcher keeps its end open as long as it waits, so the channel would not close by itself.
          if (child.connected) child.disconnect();
        });
        finish();
        resolve({ first, dualStack: note.dualStack });
      } catch (error) {
        fail(error);
      }
    };
    const finish = (): void => {
      clearTimeout(timer);
      child.off('exit', onExit).off('message', onMessage);
    };
    child.on('exit', onExit).on('message', onMessage);
  });
}

function closeLate(_note: unknown, handle?: SendHandle): void {
  if (handle instanceof UdpSocket || handle instanceof Server) handle.close();
}

/** Owned by `listening` before anybody else hears of it, so that it is closed whatever they do. */
function handOver(
  note: unknown,
  handle: SendHandle,
  listening: (Server | UdpSocket)[],
  listeners: CellListeners,
): void {
  if (handle instanceof UdpSocket) {
    listening.push(handle);
    listeners.onDnsUdp(handle);
    return;
  }
  if (!(handle instanceof Server) || typeof note !== 'object' || note === null || !('tcp' in note)) {
    throw launchFailed('the set-up program sent something unexpected');
  }
  // A connection must wait until its owner looks at it, or its first bytes could be lost.
  const server = createServer({ pauseOnConnect: true, noDelay: true }).listen(handle);
  listening.push(server);
  const port = Number(note.tcp);
  if (port === 53) listeners.onDnsTcp(server);
  else listeners.onTcp(port, server);
}

type Ready = Extract<SetupNote, { readonly ready: true }>;
const isReady = (note: unknown): note is Ready =>
  typeof note === 'object' && note !== null && 'ready' in note && 'dualStack' in note;

function launchFailed(why: string, stderr = ''): AppError {
  return new AppError('sandbox_launch_failed', 'The cell could not be built on this machine.', {
    kind: 'failed',
    hint: 'Run "sallyport doctor": it says what is missing and how to get it.',
    detail: { why, stderr },
  });
}
