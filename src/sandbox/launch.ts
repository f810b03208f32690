/**
 * The second half of a start: tells a prepared cell what it is. From then on it is one server's, and its program runs.
 *
 * Everything that a cell is given goes through descriptors, in an order that no death of the gateway can turn into a cell with
 * less around it: the script without which nothing is executed goes last, when all else is delivered.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import { limits } from '../kernel/index.ts';
import type { CellListeners } from './cell-spec.ts';
import type { CellPlan } from './plan.ts';
import { launchFailed, launchTimeout } from './launch-errors.ts';
import type { LauncherEnd } from './launcher.ts';
import type { Listening, PreparedCell } from './prepare.ts';
import type { ProcessIdentity } from './process-identity.ts';

export interface Launched {
  /** Of the launcher. */
  readonly pid: number;
  /** Resolves when the launcher has ended: how. */
  readonly ended: Promise<LauncherEnd>;
  /** False when it has. */
  alive(): boolean;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The end of what the program wrote to stderr. */
  stderrTail(): string;
  /** Resolves when nothing of the cell is left: whether bubblewrap got as far as to execute anything in it. */
  readonly executed: Promise<boolean>;
  /** Kills everything, unless the launcher has ended. */
  kill(): void;
  /** The first process of the namespace around the cell: when it is gone, everything is. */
  readonly first: ProcessIdentity;
  /** What was handed over: holds the cell's network namespace until closed. */
  readonly listening: readonly Listening[];
  /** False when the kernel gave the cell IPv4 only. */
  readonly dualStack: boolean;
}

/**
 * @param admit called with the cell's first process when the listeners have their owners, and before the cell is told anything: to record it, or to count its
 *   processes. Nothing is started when it throws
 * @throws AppError `sandbox_launch_failed`, `sandbox_launch_timeout`, and what `listeners` or `admit` throw; the prepared cell is to be discarded then
 */
export async function enterCell(
  prepared: PreparedCell,
  plan: Pick<CellPlan, 'inputs'>,
  listeners: CellListeners,
  admit: (first: ProcessIdentity) => void,
): Promise<Launched> {
  const { pid, stdio, tail, first, listening, dualStack } = prepared;
  // Without it there is nothing that a control group or a watch could be for.
  if (first === null)
    throw launchFailed('its first process was gone before it was told what to start', tail.text());
  for (const listener of listening) handOver(listener, listeners);
  admit(first);
  if (!prepared.alive()) {
    throw launchFailed(
      `the launcher ended with ${prepared.end?.signal ?? prepared.end?.code} before it was told what to start`,
      tail.text(),
    );
  }
  const stderr = tail.open();
  await deliverAll(prepared, plan);
  return {
    pid,
    ended: prepared.ended,
    alive: () => prepared.alive(),
    stdin: stdio.stdin,
    stdout: stdio.stdout,
    stderr,
    stderrTail: () => tail.text(),
    executed: prepared.executed,
    kill: () => prepared.kill(),
    first,
    listening,
    dualStack,
  };
}

function handOver(listener: Listening, listeners: CellListeners): void {
  switch (listener.kind) {
    case 'tcp':
      listeners.onTcp(listener.port, listener.server);
      break;
    case 'dnsTcp':
      listeners.onDnsTcp(listener.server);
      break;
    case 'dnsUdp':
      listeners.onDnsUdp(listener.socket);
      break;
  }
}

/** @throws AppError `sandbox_launch_timeout` where what was prepared reads nothing */
async function deliverAll(prepared: PreparedCell, { inputs }: Pick<CellPlan, 'inputs'>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(launchTimeout(limits.cellSetupTimeoutMs)), limits.cellSetupTimeoutMs);
  const deliver = ({ descriptor, content }: CellPlan['inputs'][number]): Promise<void> =>
    delivered(prepared.input(descriptor), content);
  try {
    await Promise.race([late, Promise.all(inputs.slice(0, -1).map(deliver))]);
    await Promise.race([late, Promise.all(inputs.slice(-1).map(deliver))]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whoever reads gets all of it; the descriptor here is given back at once, not when the launcher ends. Resolves when all is on
 * its way, or when there is no reader any more, which the end of the launcher tells.
 */
function delivered(stream: Duplex, content: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.once('close', resolve).end(content, () => stream.destroy());
  });
}
