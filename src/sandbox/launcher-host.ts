/**
 * The program of the process that starts launchers in the gateway's place (`launcher-helper.ts`): starts what it is told, hands over
 * everything that leads in and out of it, and tells its end. It holds nothing of the gateway's but the names of pipes.
 *
 * It trusts whoever is at the other end of its channel, which is the gateway: nobody else has it. It ends with the channel.
 */
import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { Socket as UdpSocket } from 'node:dgram';
import { closeSync, constants, openSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { identify } from './process-identity.ts';

/** What it is told. */
export type Order =
  | {
      readonly start: number;
      readonly launcher: readonly string[];
      /** Of its stdin, stdout and stderr. */
      readonly names: readonly string[];
      /** Its descriptors from 3 on. */
      readonly further: readonly ('ipc' | 'pipe' | 'ignore')[];
    }
  | { readonly hangUp: number }
  | { readonly close: true };

/** What it tells, of the launcher with this number; with the stream itself beside `descriptor`, and with what came beside `note`. */
export type Told = {
  readonly of: number;
} /** With what tells it from others that have this number later. */ & (
  | { readonly pid: number | null; readonly startTime: string | null }
  | { readonly descriptor: number }
  | { readonly complete: true }
  | { readonly note: unknown }
  | { readonly code: number | null; readonly signal: NodeJS.Signals | null }
);

const running = new Map<number, ChildProcess>();
let isClosing = false;

function tell(told: Told, handle?: SendHandle): void {
  // A listener stays open here where nobody closes it: it would take connections that are the gateway's.
  const sent = (): void => {
    if (handle instanceof Server || handle instanceof UdpSocket) handle.close();
  };
  // Without a channel the gateway is gone, and there is nobody to work for.
  if (process.connected) process.send?.(told, handle, { keepOpen: false }, sent);
}

function start({ start: of, launcher, names, further }: Extract<Order, { readonly start: number }>): void {
  const [program = '', ...args] = launcher;
  const theirs: number[] = [];
  let child: ChildProcess;
  try {
    for (const [index, name] of names.entries())
      theirs.push(openSync(name, index === 0 ? constants.O_RDONLY : constants.O_WRONLY));
    // As `startLauncher` does.
    child = spawn(program, args, { cwd: '/', env: {}, detached: true, stdio: [...theirs, ...further] });
  } catch {
    tell({ of, pid: null, startTime: null });
    return;
  } finally {
    for (const descriptor of theirs) closeSync(descriptor);
  }
  child.on('error', () => undefined);
  const { pid = null } = child;
  // Nobody has waited for its end: the number is its own now.
  tell({ of, pid, startTime: pid === null ? null : (identify(pid)?.startTime ?? null) });
  if (pid === null) return;
  running.set(of, child);
  for (const [descriptor, stream] of child.stdio.entries())
    if (stream instanceof Socket) tell({ of, descriptor }, stream);
  tell({ of, complete: true });
  child.on('message', (note: unknown, handle?: SendHandle) => tell({ of, note }, handle));
  child.once('exit', (code, signal) => {
    running.delete(of);
    tell({ of, code, signal });
    endIfDone();
  });
}

function endIfDone(): void {
  if (isClosing && running.size === 0) process.disconnect();
}

process.on('message', (order: Order) => {
  if ('start' in order) start(order);
  else if ('hangUp' in order) {
    const child = running.get(order.hangUp);
    if (child?.connected === true) child.disconnect();
  } else {
    isClosing = true;
    endIfDone();
  }
});
process.once('disconnect', () => process.exit(0));
