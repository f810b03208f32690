/** How a running program is asked to end before it is killed, as MCP has it for servers on pipes. */
import type { Writable } from 'node:stream';

export interface Endable {
  readonly stdin: Writable;
  /** Settles when nothing is left of it; never rejects. */
  readonly exited: Promise<unknown>;
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
}

/** Its stdin closes, after `graceMs` it gets SIGTERM, after as long again it is killed. @returns whether it had to be killed */
export async function askToEnd(program: Endable, graceMs: number): Promise<boolean> {
  program.stdin.end();
  if (await settlesWithin(program.exited, graceMs)) return false;
  program.signal('SIGTERM');
  if (await settlesWithin(program.exited, graceMs)) return false;
  await program.kill();
  return true;
}

function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    void promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
