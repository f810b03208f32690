/**
 * Runs an installer (npm, pip) in a cell: one folder that it may write to, a way out of its own, and limits on memory,
 * time and disk. What it fetches and what it runs of that, it runs there. Nothing of Sallyport's is in the cell, and no
 * credential: a registry's login is put in on the way.
 */
import { statfs } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { limits, newId } from '../../kernel/index.ts';
import {
  cellPaths,
  giveAway,
  type InstallCell,
  type InstallEnd,
  type InstallJob,
  type Sandbox,
  takeBack,
  treeBytes,
} from '../../sandbox/index.ts';
import { openWayOut, type WayOutDeps } from './way-out.ts';

export interface InstallCellDeps extends WayOutDeps {
  readonly sandbox: Pick<Sandbox, 'launch'>;
}

export const createInstallCell = (deps: InstallCellDeps): InstallCell => ({
  run: (job) => runInstaller(deps, job),
});

async function runInstaller(deps: InstallCellDeps, job: InstallJob): Promise<InstallEnd> {
  const id = newId<'cell'>('cell', deps.random);
  const out = await openWayOut(deps, id, job.label, job.network);
  try {
    // Otherwise the cell's user is the gateway's own.
    if (process.geteuid?.() === 0) await giveAway(job.staging);
    const free = await freeBytes(job.staging);
    const cell = await deps.sandbox.launch(
      {
        id,
        label: job.label,
        command: job.command,
        args: [],
        env: { ...job.env, ...out.env },
        tcpPorts: out.ports,
        caPem: out.caPem,
        files: [],
        limits: { memoryMiB: job.memoryMiB },
        binds: [
          { host: job.staging, cell: cellPaths.package, write: true },
          ...job.tools.map((tool) => ({ ...tool, write: false })),
        ],
        workDir: cellPaths.package,
      },
      out.listeners,
    );
    let stopped: InstallEnd['stopped'] = null;
    const stop = (why: NonNullable<InstallEnd['stopped']>): void => {
      stopped ??= why;
      void cell.kill();
    };
    const onAbort = (): void => stop('cancelled');
    job.signal.addEventListener('abort', onAbort, { once: true });
    if (job.signal.aborted) onAbort();
    const timer = setTimeout(() => stop('timeout'), limits.packageInstallTimeoutMs);
    const unwatch = watchRoom(job, free, () => stop('too-large'));
    cell.stdin.end();
    for (const output of [cell.stdout, cell.stderr]) eachLine(output, job.onLine);
    const exit = await cell.exited;
    clearTimeout(timer);
    unwatch();
    job.signal.removeEventListener('abort', onAbort);
    await takeBack(job.staging);
    if (stopped === null && (await treeBytes(job.staging)) > job.bytesMax) stopped = 'too-large';
    return {
      code: stopped === null ? exit.code : null,
      stopped,
      reason: exit.reason,
      unreached: [...out.unreached],
    };
  } finally {
    await out.close();
  }
}

/**
 * Calls back when the job's folder has grown beyond its bound. How much room the disk has is asked often, since that costs
 * nothing; the folder itself is measured when as much of it went as the folder may take, and now and then.
 *
 * @param free bytes that the disk had when the job began
 */
function watchRoom({ staging, bytesMax }: InstallJob, free: number, tooLarge: () => void): () => void {
  let before = free;
  let measuring = false;
  let looks = 0;
  const look = async (): Promise<void> => {
    const now = await freeBytes(staging);
    looks += 1;
    if (before - now <= bytesMax && looks % limits.packageRoomLooksPerMeasure !== 0) return;
    if ((await treeBytes(staging)) > bytesMax) tooLarge();
    // What others wrote meanwhile does not count.
    else before = now;
  };
  const timer = setInterval(() => {
    if (measuring) return;
    measuring = true;
    void look()
      .catch(() => undefined) // looked at again soon, and once more at the end
      .finally(() => {
        measuring = false;
      });
  }, limits.packageRoomIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Lines without an end are cut, so that none can fill the memory. */
function eachLine(output: Readable, onLine: (line: string) => void): void {
  let rest = '';
  output.setEncoding('utf8');
  output.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) onLine(part);
    if (rest.length <= limits.packageInstallLineCharsMax) return;
    onLine(rest);
    rest = '';
  });
  output.on('error', () => undefined);
  output.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}
