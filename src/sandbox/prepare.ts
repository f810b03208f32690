/**
 * The first half of a start: carries out the outer half of a plan, takes over the listeners, and leaves a bubblewrap that
 * waits to be told what the cell is. Nothing of a server is known here.
 *
 * The launcher never outlives the gateway: it asks for SIGKILL at the gateway's death before anything else, and everything
 * ends by itself where the gateway dies in the moment before that request took effect: the set-up program as soon as the channel
 * closes, bubblewrap at the end of what it is told, for want of something to execute.
 */
import type { SendHandle } from 'node:child_process';
import { Socket as UdpSocket } from 'node:dgram';
import { createServer, Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { limits } from '../kernel/index.ts';
import { killOnly } from './kill.ts';
import { launchFailed, launchTimeout } from './launch-errors.ts';
import { type Launcher, type LauncherEnd, type StartLauncher, startLauncher } from './launcher.ts';
import { FATAL_LINE } from './limit-hit.ts';
import type { ShellPlan } from './plan-shell.ts';
import { isAlive, onlyChild, type ProcessIdentity } from './process-identity.ts';
import type { SetupNote } from './setup.ts';
import { type Tail, tapTail } from './stderr-tail.ts';
import type { CellStdio } from './stdio-pipes.ts';

/** A listener in the cell's network namespace, which it keeps until it is closed. */
export type Listening =
  | { readonly kind: 'tcp'; readonly port: number; readonly server: Server }
  | { readonly kind: 'dnsTcp'; readonly server: Server }
  | { readonly kind: 'dnsUdp'; readonly socket: UdpSocket };

export interface PreparedCell {
  /** Of the launcher, which leads the process group of everything outside of the cell's innermost namespace. */
  readonly pid: number;
  /** How the launcher ended; null while it runs. */
  readonly end: LauncherEnd | null;
  readonly stdio: CellStdio;
  readonly tail: Tail;
  /** The first process of the namespace around the cell: when it is gone, everything is. Null when it is gone already. */
  readonly first: ProcessIdentity | null;
  /** False when the kernel gave the cell IPv4 only. */
  readonly dualStack: boolean;
  readonly listening: readonly Listening[];
  /** Where one of the plan's inputs goes in. */
  input(descriptor: number): Duplex;
  /** False when the launcher has ended. */
  alive(): boolean;
  /** Resolves when the launcher has ended. */
  readonly ended: Promise<LauncherEnd>;
  /**
   * Resolves when nothing of it is left: whether what it was told to start was executed. False too where bubblewrap was killed
   * before it could report the end of that.
   */
  readonly executed: Promise<boolean>;
  /** Kills everything, unless the launcher has ended: its id may be another process's by then. */
  kill(): void;
  /** Ends it, and resolves when its launcher is gone and nothing is open here any more. May be called again. */
  discard(): Promise<void>;
}

export interface Preparing {
  readonly timeoutMs?: number;
  /** Who starts the launcher; absent: this process. */
  readonly start?: StartLauncher;
}

/**
 * @param onSpawn called with the launcher's process id before anything else happens
 * @throws AppError `sandbox_launch_failed`, `sandbox_launch_timeout`; nothing is left then
 */
export async function prepareCell(
  plan: ShellPlan,
  stdio: CellStdio,
  onSpawn: (pid: number) => void,
  { timeoutMs = limits.cellSetupTimeoutMs, start = startLauncher }: Preparing = {},
): Promise<PreparedCell> {
  // The other end may close at any time; whoever reads or writes sees that as the end of the stream.
  for (const stream of [stdio.stdin, stdio.stdout, stdio.stderr]) stream.on('error', () => {});
  const tail = tapTail(stdio.stderr, limits.cellStderrTailBytes, FATAL_LINE);
  const listening: Listening[] = [];
  let started: Launcher | null = null;
  let first: ProcessIdentity | null = null;
  const alive = (): boolean => started !== null && started.end === null;

  function kill(): void {
    if (started === null || !alive()) return;
    if (!plan.terminal) started.killGroup();
    // What carries the terminal is left to end by itself where it can, since it gives the caller's back as it was.
    else if (first === null || !isAlive(first)) started.kill();
    else killOnly(first.pid);
  }

  async function discard(): Promise<void> {
    closeAll(listening);
    if (started !== null && alive()) {
      const { ended } = started;
      kill();
      await ended;
    }
    for (const input of started?.inputs.values() ?? []) input.destroy();
    started?.report.destroy();
    for (const stream of [stdio.stdin, stdio.stdout, stdio.stderr]) stream.destroy();
  }

  try {
    const launcher = await start(plan, stdio, onSpawn);
    started = launcher;
    const { pid, inputs, report, ended } = launcher;
    const executed = saysExecuted(report);
    const ready = await takeListeners(launcher, plan.terminal, listening, {
      timeoutMs,
      stderr: () => tail.text(),
      kill,
    });
    ({ first } = ready);
    const input = (descriptor: number): Duplex => {
      const found = inputs.get(descriptor);
      if (found === undefined) throw launchFailed(`descriptor ${descriptor} was not planned`);
      return found;
    };
    return {
      pid,
      get end() {
        return launcher.end;
      },
      stdio,
      tail,
      ...ready,
      listening,
      input,
      alive,
      ended,
      executed,
      kill,
      discard,
    };
  } catch (error) {
    await discard();
    throw error;
  }
}

export function closeAll(listening: readonly Listening[]): void {
  for (const listener of listening) {
    try {
      if (listener.kind === 'dnsUdp') listener.socket.close();
      else listener.server.close();
    } catch {
      // ERR_SOCKET_DGRAM_NOT_RUNNING: whoever took it over has closed it already.
    }
  }
}

/** The end is reported of nothing but what was executed. */
const END_REPORTED = /"exit-code"/;

function saysExecuted(report: Duplex): Promise<boolean> {
  let said = '';
  report.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('latin1')).slice(-limits.cellStderrTailBytes);
  });
  return new Promise((resolve) => report.once('close', () => resolve(END_REPORTED.test(said))));
}

interface TakingListeners {
  readonly timeoutMs: number;
  readonly stderr: () => string;
  readonly kill: () => void;
}

/** Resolves when every listener is here, and the set-up program leaves. */
function takeListeners(
  launcher: Launcher,
  terminal: boolean,
  listening: Listening[],
  { timeoutMs, stderr, kill }: TakingListeners,
): Promise<Pick<PreparedCell, 'first' | 'dualStack'>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(launchTimeout(timeoutMs, stderr())), timeoutMs);
    const fail = (error: unknown): void => {
      finish();
      reject(error);
    };
    let setupFailed = false;
    let isOver = false;
    const onEnd = ({ code, signal }: LauncherEnd): void => {
      if (isOver) return;
      const what = setupFailed ? 'set-up program ended' : `launcher ended with ${signal ?? code}`;
      fail(launchFailed(`the ${what} before the cell was ready`, stderr()));
    };
    const onMessage = (note: unknown, handle?: SendHandle): void => {
      try {
        if (handle !== undefined) listening.push(takeOver(note, handle));
        if (isFailed(note)) {
          // What is left waits for what will not come. With its end, all that was said of why is here.
          setupFailed = true;
          kill();
        }
        if (!isReady(note)) return;
        // Before it is told anything it surely waits for that: later the number could be another's.
        const first = firstOf(launcher.pid, terminal);
        // The launcher keeps its end open as long as it waits, so the channel would not close by itself.
        launcher.hangUp();
        finish();
        resolve({ first, dualStack: note.dualStack });
      } catch (error) {
        fail(error);
      }
    };
    const finish = (): void => {
      clearTimeout(timer);
      isOver = true;
      // Listeners that are still on their way would stay open, and keep the network namespace.
      launcher.hear(closeLate);
    };
    void launcher.ended.then(onEnd);
    launcher.hear(onMessage);
  });
}

/** Behind a terminal of its own the launcher is the child of what carries that terminal. */
function firstOf(pid: number, terminal: boolean): ProcessIdentity | null {
  const launcher = terminal ? (onlyChild(pid)?.pid ?? 0) : pid;
  return onlyChild(launcher);
}

function closeLate(_note: unknown, handle?: SendHandle): void {
  if (handle instanceof UdpSocket || handle instanceof Server) handle.close();
}

function takeOver(note: unknown, handle: SendHandle): Listening {
  if (handle instanceof UdpSocket) return { kind: 'dnsUdp', socket: handle };
  if (!(handle instanceof Server) || typeof note !== 'object' || note === null || !('tcp' in note)) {
    closeLate(note, handle);
    throw launchFailed('the set-up program sent something unexpected');
  }
  // A connection must wait until its owner looks at it, or its first bytes could be lost.
  const server = createServer({ pauseOnConnect: true, noDelay: true }).listen(handle);
  const port = Number(note.tcp);
  return port === 53 ? { kind: 'dnsTcp', server } : { kind: 'tcp', port, server };
}

/** Said by `cellScript`. */
const isFailed = (note: unknown): boolean => typeof note === 'object' && note !== null && 'failed' in note;

type Ready = Extract<SetupNote, { readonly ready: true }>;
const isReady = (note: unknown): note is Ready =>
  typeof note === 'object' && note !== null && 'ready' in note && 'dualStack' in note;
