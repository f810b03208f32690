/**
 * Runs an installer (npm, pip) in a cell: one folder that it may write to, a way out of its own, and limits on memory,
 * time and disk. What it fetches and what it runs of that, it runs there. Nothing of Sallyport's is in the cell, and no
 * credential: a registry's login is put in on the way.
 */
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { limits, newId } from '../../kernel/index.ts';
import {
  cellPaths,
  giveAway,
  type InstallCell,
  type InstallEnd,
  type InstallJob,
  isWithin,
  type Sandbox,
  takeBack,
} from '../../sandbox/index.ts';
import { readLines } from './installer-output.ts';
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
    const room = await roomOf(job.staging);
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
    const unwatch = watchRoom(job, room, stop);
    cell.stdin.end();
    const outputs = [cell.stdout, cell.stderr].map((output) => readLines(output, deps.clock, job.onLine));
    const exit = await cell.exited;
    clearTimeout(timer);
    unwatch();
    job.signal.removeEventListener('abort', onAbort);
    const said = Promise.all(outputs.map((output) => output.rest()));
    await Promise.race([said, sleep(limits.cellStderrDrainMs, undefined, { ref: false })]);
    if (stopped === null && !(await takeBack(job.staging, job.bytesMax))) stopped = 'too-large';
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

/** What a disk has left. */
interface Room {
  readonly bytes: number;
  /** Files and folders that can still be made; 0 where the file system does not say. */
  readonly entries: number;
}

async function roomOf(folder: string): Promise<Room> {
  const { bavail, bsize, ffree } = await statfs(folder);
  return { bytes: bavail * bsize, entries: ffree };
}

/**
 * Calls back when the job's folder has grown beyond its bounds, or the disk is nearly full: what a program holds open and has
 * removed is in no folder. How much room the disk has is asked often, since that costs nothing; the folder itself is
 * measured when as much of it went as the folder may take, and now and then.
 *
 * @param start what the disk had when the job began
 */
function watchRoom(
  { staging, bytesMax }: InstallJob,
  start: Room,
  stop: (why: 'too-large' | 'disk-full') => void,
): () => void {
  const bytesLeftMin = Math.min(limits.packageRoomLeftBytesMin, start.bytes / 4);
  const entriesLeftMin = Math.min(limits.packageRoomLeftEntriesMin, start.entries / 4);
  let before = start;
  let measuring = false;
  let looks = 0;
  const measure = async (now: Room): Promise<void> => {
    if (!(await isWithin(staging, bytesMax))) stop('too-large');
    // What others wrote meanwhile does not count.
    else before = now;
  };
  const look = async (): Promise<void> => {
    const now = await roomOf(staging);
    if (now.bytes < bytesLeftMin || now.entries < entriesLeftMin) return stop('disk-full');
    looks += 1;
    const hasGrown =
      before.bytes - now.bytes > bytesMax || before.entries - now.entries > limits.packageEntriesMax;
    if (measuring || (!hasGrown && looks % limits.packageRoomLooksPerMeasure !== 0)) return;
    measuring = true;
    await measure(now).finally(() => {
      measuring = false;
    });
  };
  const timer = setInterval(() => {
    void look().catch(() => undefined); // looked at again soon, and once more at the end
  }, limits.packageRoomIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
