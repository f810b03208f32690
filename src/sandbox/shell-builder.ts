/**
 * Builds the outer half of cells, and knows what each occupies: a record, a user id, a launcher. What is built belongs to
 * whoever asked until it is given to a cell or discarded; nothing is left when building fails.
 */
import { existsSync, realpathSync } from 'node:fs';
import { type CellId, limits, type Log } from '../kernel/index.ts';
import type { CellRecords } from './cell-records.ts';
import type { CellUsers } from './cell-users.ts';
import type { HostFacts } from './host.ts';
import type { StartLauncher } from './launcher.ts';
import type { MemoryMount } from './mounts.ts';
import { type CellShape, planShell, type ShellPlan } from './plan-shell.ts';
import { launchFailed } from './launch-errors.ts';
import { prepareCell, type PreparedCell } from './prepare.ts';
import type { Preparable } from './prepared-pool.ts';
import { isAlive, untilGone } from './process-identity.ts';
import { enterable, reachableByAnyone } from './reach.ts';
import { setupText } from './setup.ts';
import { type CellStdio, ownStdio, type PipeStock } from './stdio-pipes.ts';

export interface ShellWish {
  readonly shape: CellShape;
  /** A user id that the cell must have; null: any of its own, where the gateway is root. */
  readonly uid: number | null;
  /** Paths of the host, links resolved, that the cell needs besides what every cell does. */
  readonly sources: readonly string[];
  readonly memories: readonly MemoryMount[];
}

/** A prepared cell, and what it occupies. */
export interface Shell extends Preparable {
  readonly prepared: PreparedCell;
  /** What was shown to the launcher, since its user cannot reach it by itself. */
  readonly staged: readonly string[];
  /** Whether a cell that needs these paths of the host can be made of it. */
  reaches(sources: readonly string[]): boolean;
  /** From now on it is recorded as this cell. @throws what the file system throws */
  record(cell: CellId): void;
  /** Gives back what it occupies, when nothing of it runs any more. */
  forget(): void;
}

export interface ShellBuilderDependencies {
  readonly facts: HostFacts;
  /** Null when cells run as the gateway's own user. */
  readonly users: CellUsers | null;
  /** Of cells. */
  readonly records: CellRecords;
  /** Of what is no cell yet. */
  readonly aheadRecords: CellRecords;
  /** For the programs' stdin, stdout and stderr. */
  readonly pipes: PipeStock;
  readonly start: StartLauncher;
  /** Folder that the packages of all servers are in; absent: there is none. */
  readonly packagesDir: string | null;
  /** How long each step may take. */
  readonly timeoutMs: number;
  readonly log: Log;
}

export interface ShellBuilder {
  /** For this very cell. @throws what `prepareCell` throws */
  build(cell: CellId, wish: ShellWish): Promise<Shell>;
  /** For any cell: it is recorded apart until it is one. @throws what `prepareCell` throws */
  buildAhead(key: CellId, wish: ShellWish): Promise<Shell>;
  /** What `build` would carry out. */
  plan(wish: ShellWish): { readonly shell: ShellPlan; readonly staged: readonly string[] };
}

export function shellBuilder(deps: ShellBuilderDependencies): ShellBuilder {
  const { facts, users, packagesDir, timeoutMs, log } = deps;
  const unreachable = (sources: readonly string[]): readonly string[] =>
    users === null ? [] : sources.filter((path) => !reachableByAnyone(path));

  /** Empty where cells' users could not look into it, staged or not. */
  function packageStore(): readonly string[] {
    if (packagesDir === null || !existsSync(packagesDir) || !enterable(packagesDir)) return [];
    return [realpathSync(packagesDir)];
  }

  /** The folder of all packages rather than one in it, so that what was prepared fits every server. */
  function stagedFor(sources: readonly string[]): readonly string[] {
    const common = unreachable([facts.node, ...packageStore()]);
    return [...common, ...unreachable([...new Set(sources)]).filter((path) => !isBelow(path, common))];
  }

  /** A user id, and what gives it back. */
  function takeUser(wanted: number | null): { readonly uid: number | null; release(): void } {
    if (users === null || wanted !== null) return { uid: wanted, release: () => undefined };
    const uid = users.take();
    return { uid, release: () => users.release(uid) };
  }

  async function takePipes(): Promise<CellStdio> {
    try {
      return await deps.pipes.take();
    } catch (error) {
      throw launchFailed(`the pipes for its program could not be made: ${String(error)}`);
    }
  }

  async function build(key: CellId, wish: ShellWish, records: CellRecords): Promise<Shell> {
    const { shape, sources, memories } = wish;
    const staged = stagedFor(sources);
    const user = takeUser(wish.uid);
    let recorded = { as: key, in: records };
    let forgotten = false;
    let started: Shell | null = null;
    const forget = (): void => {
      if (forgotten) return;
      forgotten = true;
      recorded.in.remove(recorded.as);
      user.release();
    };
    try {
      const plan = planShell({ shape, facts, uid: user.uid, setup: setupText, staged, memories });
      const stdio = shape.terminal ? ownStdio() : await takePipes();
      const prepared = await prepareCell(plan, stdio, (pid) => records.put(key, pid, null), {
        timeoutMs,
        start: deps.start,
      });
      const { pid, first } = prepared;
      const shell: Shell = {
        prepared,
        // The launcher takes a moment to notice that what it leads is gone.
        alive: () => prepared.alive() && first !== null && isAlive(first),
        ended: prepared.ended.then(() => undefined),
        staged,
        reaches: (paths) => unreachable(paths).every((path) => isBelow(path, staged)),
        record(cell) {
          const before = recorded;
          deps.records.put(cell, pid, first);
          recorded = { as: cell, in: deps.records };
          if (before.in !== deps.records) before.in.remove(before.as);
        },
        forget,
        async discard() {
          await prepared.discard();
          // What is left keeps its record, for a later sweep, and its user id, which no other cell must get.
          if (first === null || (await untilGone(first, limits.cellKillTimeoutMs))) forget();
          else log.error('cell.unkillable', { cell: recorded.as, pid: first.pid });
        },
      };
      started = shell;
      // A cell's own is written when it is one, at once.
      if (records === deps.aheadRecords) records.put(key, pid, first);
      return shell;
    } catch (error) {
      if (started !== null) await started.discard();
      forget();
      throw error;
    }
  }

  return {
    build: (cell, wish) => build(cell, wish, deps.records),
    buildAhead: (key, wish) => build(key, wish, deps.aheadRecords),
    plan({ shape, uid: wanted, sources, memories }) {
      const staged = stagedFor(sources);
      const user = takeUser(wanted);
      user.release();
      return {
        staged,
        shell: planShell({ shape, facts, uid: user.uid, setup: setupText, staged, memories }),
      };
    },
  };
}

const isBelow = (path: string, folders: readonly string[]): boolean =>
  folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
