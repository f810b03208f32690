/** Processes of a benchmark: started with a first message, asked things, ended; and what they cost the processor. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const READY_ATTEMPTS = 400;
const READY_STEP_MS = 25;
/** Linux counts processor time for `/proc` in these, whatever the kernel's own tick is. */
const TICK_US = 10_000;

/** A program of `bench/support/` in a process of its own. */
export class Helper {
  readonly child: ChildProcess;
  readonly #name: string;

  constructor(file: string, execArgv: readonly string[] = []) {
    this.#name = file;
    this.child = fork(fileURLToPath(new URL(file, import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...execArgv],
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Sends a message and gives the next one that comes back. One question at a time. */
  async ask<Answer>(question: object): Promise<Answer> {
    if (!this.child.connected) throw new Error(`${this.#name} has ended`);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const onExit = (code: number | null): void =>
      reject(new Error(`${this.#name} ended with ${code ?? 'a signal'} before it answered`));
    const onMessage = (message: Answer): void => resolve(message);
    this.child.once('exit', onExit);
    this.child.once('message', onMessage);
    this.child.send(question);
    try {
      return await promise;
    } finally {
      this.child.off('exit', onExit);
      this.child.off('message', onMessage);
    }
  }

  /** Lets go of it: it ends by itself when its parent is gone. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
  }
}

/** Fields of a `stat` file after the program's name, which stands in parentheses and may hold anything. */
const statFields = (file: string): readonly string[] => {
  const stat = readFileSync(file, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
};

const ticksAt = (fields: readonly string[], index: number): number => Number(fields[index] ?? 0) * TICK_US;

/** Processor time of a process with all its threads so far, in microseconds, and of children it has waited for. */
export function processorTime(pid: number): { readonly own: number; readonly children: number } {
  const fields = statFields(`/proc/${pid}/stat`);
  return {
    own: ticksAt(fields, 11) + ticksAt(fields, 12),
    children: ticksAt(fields, 13) + ticksAt(fields, 14),
  };
}

/** The same without that of children, as the scheduler has it: in nanoseconds, so that a few calls can be told apart. */
export function scheduledUs(pid: number): number {
  let us = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    us += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]) / 1_000;
  return us;
}

/** The same by name of thread; threads with one name are one. */
export function threadTimes(
  pid: number,
): ReadonlyMap<string, { readonly user: number; readonly kernel: number }> {
  const times = new Map<string, { user: number; kernel: number }>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const name = readFileSync(`/proc/${pid}/task/${thread}/comm`, 'latin1').trim();
    const fields = statFields(`/proc/${pid}/task/${thread}/stat`);
    const { user, kernel } = times.get(name) ?? { user: 0, kernel: 0 };
    times.set(name, { user: user + ticksAt(fields, 11), kernel: kernel + ticksAt(fields, 12) });
  }
  return times;
}

export const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number);

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when something listens there. @throws when the process has ended, or takes longer than ten seconds */
export async function listening(child: ChildProcess, port: number, name: string): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`${name} ended before it was ready`);
    const isUp = await new Promise<boolean>((resolve) => {
      const probe = connect(port, '127.0.0.1', () => {
        probe.destroy();
        resolve(true);
      });
      probe.once('error', () => resolve(false));
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, READY_STEP_MS));
  }
  throw new Error(`${name} does not listen`);
}
