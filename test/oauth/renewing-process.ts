/** Starts another process that renews the token of a home: see `renewing-child.ts`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { ownProgram } from '../own-process.ts';
import type { Network, OAuthWorld } from './world.ts';

export interface RenewingProcess {
  readonly process: ChildProcess;
  /** Tells it that its token was refused. @returns what came of it; null: it was killed */
  renew(): Promise<string | null>;
}

/** @param aheadMs its clock is so much ahead of this process's */
export async function startRenewing(
  { home }: OAuthWorld,
  network: Network,
  aheadMs: number,
): Promise<RenewingProcess> {
  const child = spawn(
    process.execPath,
    [
      ...ownProgram(join(import.meta.dirname, 'renewing-child.ts')),
      home.config.home,
      String(aheadMs),
      JSON.stringify(network),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.value !== 'ready') throw new Error(`the other process says ${String(first.value)}`);
  return {
    process: child,
    async renew() {
      child.stdin.end('go\n');
      const { value } = await lines.next();
      return typeof value === 'string' ? value : null;
    },
  };
}
