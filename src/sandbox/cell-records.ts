/**
 * One small file per running cell, so that a new gateway finds what a dead one left. The launcher dies with its
 * gateway by itself (`--pdeathsig`, `--die-with-parent`); the records are the second line, and clean up the first.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CellId, limits, type Log } from '../kernel/index.ts';
import { killOnly } from './kill.ts';
import { bootId, identify, isAlive, type ProcessIdentity } from './process-identity.ts';

interface CellRecord {
  readonly boot: string;
  readonly gateway: ProcessIdentity;
  /** Leads the process group of everything outside of the cell's innermost namespace. */
  readonly launcher: ProcessIdentity;
  /** First process of the namespace around the cell, once it is known. */
  readonly first: ProcessIdentity | null;
}

export interface CellRecords {
  /** Called again when `first` is known. Does nothing when the launcher is gone. @throws when the file cannot be written */
  put(cell: CellId, launcherPid: number, first: ProcessIdentity | null): void;
  remove(cell: CellId): void;
  /** Path for a file that lives for a moment. A sweep removes what a gateway that is gone left there. */
  momentary(cell: CellId, name: string): string;
  /** Kills and forgets the cells of gateways that are gone. @returns how many cells were forgotten */
  sweep(): Promise<number>;
}

/** @param folder made if it is missing, for the owner only */
export function openCellRecords(folder: string, log: Log): CellRecords {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let known: Pick<CellRecord, 'boot' | 'gateway'> | null = null;
  /** Only once there is a cell, or the record of one: where there can be none, /proc need not be there either. */
  const writer = (): Pick<CellRecord, 'boot' | 'gateway'> => (known ??= readWriter());
  const pathOf = (cell: string): string => join(folder, `${cell}.json`);

  const momentary = (cell: string, name: string): string => {
    const { pid, startTime } = writer().gateway;
    return join(folder, `${cell}.${name}.${pid}.${startTime}`);
  };

  async function sweepOne(name: string): Promise<boolean> {
    const path = join(folder, name);
    const record = name.endsWith('.json') ? readRecord(path) : null;
    // A name that ends otherwise is a file whose writer was killed before the rename, or is just about to do it.
    if (record === null && isAlive(writerOf(name))) return false;
    if (record !== null && record.boot === writer().boot) {
      if (isAlive(record.gateway)) return false;
      await killLeft(record);
      log.warn('cell.swept', { cell: name.replace(/\.json$/, '') });
    }
    rmSync(path, { force: true });
    return record !== null;
  }

  return {
    put(cell, launcherPid, first) {
      const launcher = identify(launcherPid);
      if (launcher === null) return;
      const record: CellRecord = { ...writer(), launcher, first };
      const unfinished = momentary(cell, 'json');
      writeFileSync(unfinished, JSON.stringify(record), { mode: 0o600 });
      renameSync(unfinished, pathOf(cell));
    },
    remove(cell) {
      rmSync(pathOf(cell), { force: true });
    },
    momentary,
    async sweep() {
      const swept = await Promise.all(readdirSync(folder).map(sweepOne));
      return swept.filter(Boolean).length;
    },
  };
}

function readWriter(): Pick<CellRecord, 'boot' | 'gateway'> {
  const gateway = identify(process.pid);
  if (gateway === null) throw new Error('/proc does not show this process');
  return { boot: bootId(), gateway };
}

/** Process that made a file named `<cell>.<name>.<pid>.<start time>`. */
function writerOf(name: string): ProcessIdentity {
  const [, pid, startTime] = /\.(\d+)\.(\d+)$/.exec(name) ?? [];
  return { pid: Number(pid ?? 0), startTime: startTime ?? '' };
}

/** @returns null for anything that this module did not write whole */
function readRecord(path: string): CellRecord | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value !== 'object' || value === null) return null;
    const { boot, gateway, launcher, first } = value as Readonly<Record<string, unknown>>; // checked field by field below
    if (typeof boot !== 'string' || !isIdentity(gateway) || !isIdentity(launcher)) return null;
    return first === null || isIdentity(first) ? { boot, gateway, launcher, first } : null;
  } catch {
    return null;
  }
}

const isIdentity = (value: unknown): value is ProcessIdentity =>
  typeof value === 'object' &&
  value !== null &&
  'pid' in value &&
  Number.isSafeInteger(value.pid) &&
  'startTime' in value &&
  typeof value.startTime === 'string';

/**
 * Kills what is left and waits until nothing is. The group goes by the launcher's number, which may be another's as soon as
 * the launcher is gone; the first process takes with it everything in the cell.
 */
async function killLeft({ launcher, first }: CellRecord): Promise<void> {
  const waitMs = 5;
  for (let waited = 0; waited < limits.cellKillTimeoutMs; waited += waitMs) {
    const left = [launcher, ...(first === null ? [] : [first])].filter(isAlive);
    if (left.length === 0) return;
    // Behind a terminal it leads no group.
    if (left.includes(launcher)) killOnly(-launcher.pid);
    for (const { pid } of left) killOnly(pid);
    await sleep(waitMs);
  }
}
