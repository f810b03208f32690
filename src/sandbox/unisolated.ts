/**
 * Programs as plain children of the gateway, with no cell around them: only where the operator has set
 * `cells.isolation: none-unsafe`. Such a program can read every file of the gateway's user, the master key among them,
 * connect to anything, and leave processes behind. All that is kept is what needs no kernel: an environment that holds
 * nothing of the gateway's but the names below, pipes, an end of its process group, a record for the next gateway.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, type CellId, limits, type Log } from '../kernel/index.ts';
import { askToEnd } from './ask-to-end.ts';
import { openCellRecords } from './cell-records.ts';
import type { Cell, CellExit, CellSpec } from './cell-spec.ts';
import { closeUnread } from './stdio-pipes.ts';

/** What a program is started with besides what the spec names. Nothing of Sallyport's own is among it. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'TMPDIR',
  'LANG',
  'LC_ALL',
  'TZ',
  // Windows does not start programs without these.
  'SystemRoot',
  'TEMP',
  'TMP',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
  'PATHEXT',
];

type UnisolatedSpec = Pick<CellSpec, 'id' | 'label' | 'command' | 'args' | 'env' | 'packageDir' | 'files'>;

export interface UnisolatedDependencies {
  /** The sandbox's: its sweep ends what a gateway that was killed left behind, on Linux. */
  readonly stateDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

export interface Unisolated {
  /** @throws AppError `unisolated_file` for a grant that would need a mount */
  launch(spec: UnisolatedSpec): Cell;
}

export function createUnisolated({ stateDir, environment, log }: UnisolatedDependencies): Unisolated {
  const records = openCellRecords(join(stateDir, 'cells'), log);
  return {
    launch(spec) {
      refuseMounts(spec);
      const [program = '', ...leading] = spec.command;
      const child = spawn(program, [...leading, ...spec.args], {
        env: { ...ownEnvironment(environment, spec.packageDir), ...spec.env },
        // A group of its own, to be ended as one, and out of reach of the terminal's ctrl-C.
        detached: process.platform !== 'win32',
        windowsHide: true,
        stdio: 'pipe',
      });
      if (child.pid !== undefined) records.put(spec.id, child.pid, null);
      return running(spec.id, program, child, { log, forget: () => records.remove(spec.id) });
    },
  };
}

function refuseMounts({ label, files }: UnisolatedSpec): void {
  const moved = files.find(({ host, cell }) => host !== cell);
  if (moved === undefined) return;
  const message = `Without a cell nothing is mounted: \`${label}\` would not find ${moved.host} at ${moved.cell}.`;
  throw new AppError('unisolated_file', message, {
    kind: 'failed',
    hint: 'Give the path on this machine for both, `host` and `cell`, in its manifest.',
  });
}

function ownEnvironment(
  all: UnisolatedDependencies['environment'],
  packageDir: string | undefined,
): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]]));
  const own: Record<string, string> = Object.fromEntries(passed);
  const programs =
    packageDir === undefined
      ? []
      : [join(packageDir, 'node_modules', '.bin'), join(packageDir, 'venv', 'bin')];
  const separator = process.platform === 'win32' ? ';' : ':';
  // The gateway's Node last: there may be no other.
  own['PATH'] = [...programs, own['PATH'] ?? '', dirname(process.execPath)].join(separator);
  return own;
}

interface Owner {
  readonly log: Log;
  readonly forget: () => void;
}

function running(
  id: CellId,
  program: string,
  child: ChildProcess & { stdin: Writable; stdout: Readable; stderr: Readable },
  { log, forget }: Owner,
): Cell {
  let killed = false;
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined);

  function signal(name: NodeJS.Signals): boolean {
    return child.exitCode === null && child.signalCode === null && child.kill(name);
  }

  async function finish(): Promise<CellExit> {
    const end = await ended(child);
    await endGroup(child.pid, id, log);
    closeUnread([child.stdout, child.stderr]);
    forget();
    const exit = explain(end, killed, program);
    log.info('cell.exited', {
      cell: id,
      isolation: 'none',
      code: exit.code,
      signal: exit.signal,
      reason: exit.reason,
    });
    return exit;
  }
  const exited = finish();

  async function kill(): Promise<void> {
    killed = child.exitCode === null && child.signalCode === null;
    killGroup(child);
    await exited;
  }
  let stopping: Promise<void> | null = null;
  const cell: Cell = {
    id,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    kill,
    stop: (graceMs) => (stopping ??= askToEnd(cell, graceMs).then(() => undefined)),
    signal,
  };
  return cell;
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it was not even started. */
  readonly failure: string | null;
}

function ended(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, failure: null }));
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined)
        resolve({ code: null, signal: null, failure: error.code ?? error.message });
    });
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: nothing is left.
  }
}

/** What its program started goes with it, as far as it stayed in the group. */
async function endGroup(pid: number | undefined, id: CellId, log: Log): Promise<void> {
  if (pid === undefined || process.platform === 'win32') return;
  const waitMs = 5;
  for (let waited = 0; waited < limits.cellKillTimeoutMs; waited += waitMs) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      return;
    }
    await sleep(waitMs);
  }
  log.error('cell.unkillable', { cell: id, pid });
}

function explain({ code, signal, failure }: End, killed: boolean, program: string): CellExit {
  if (failure !== null) {
    const reason = `the program "${program}" could not be started: ${failure}`;
    return { code: null, signal: null, started: false, reason, limit: null };
  }
  const words = signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
  const reason = killed ? 'stopped by Sallyport' : code === 0 ? 'it ended by itself' : words;
  return { code, signal, started: true, reason, limit: null };
}
