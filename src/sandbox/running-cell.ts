/** A cell's life from the moment its program starts. */
import { type CellId, limits, type Log } from '../kernel/index.ts';
import { askToEnd } from './ask-to-end.ts';
import type { AppliedLimits } from './cell-limits.ts';
import type { Cell, CellExit } from './cell-spec.ts';
import type { CellWatch } from './cell-watch.ts';
import type { CellGroup } from './cgroup/ports.ts';
import { explainExit } from './exit-reason.ts';
import type { Launched } from './launch.ts';
import { type LimitHit, limitHit } from './limit-hit.ts';
import { killGroup } from './kill.ts';
import { closeAll } from './prepare.ts';
import { isAlive, untilGone } from './process-identity.ts';
import { programProcess } from './program-process.ts';
import { closeUnread } from './stdio-pipes.ts';

export interface RunningCellInput {
  readonly id: CellId;
  /** What was asked to be executed, for messages. */
  readonly program: string;
  readonly launched: Launched;
  readonly applied: AppliedLimits;
  /** Whether it was granted folders of the host to write to. */
  readonly writesToHost: boolean;
  /** Holds the limits that are the cell's as a whole, where its group does not. */
  /** Whether it leaves processors to the gateway where several want one. */
  readonly givesWay: boolean;
  readonly watch: CellWatch;
  readonly group: CellGroup | null;
  readonly log: Log;
  /** Gives back what the cell occupied. Called once, when nothing of it is left. */
  readonly forget: () => void;
}

export function runningCell(input: RunningCellInput): Cell {
  const { id, program, launched, applied, writesToHost, group, log, forget } = input;
  const { pid, listening } = launched;
  let killed = false;
  let overrun: LimitHit | null = null;
  const endWatch = watchOver(input, (hit) => {
    overrun = hit;
    launched.kill();
  });

  async function finish(): Promise<CellExit> {
    const end = await launched.ended;
    endWatch();
    const { first } = launched;
    // Where the launcher was killed, the rest of its group may not know yet.
    if (isAlive(first)) killGroup(pid);
    const left = !(await untilGone(first, limits.cellKillTimeoutMs));
    closeAll(listening);
    launched.stdin.destroy();
    closeUnread([launched.stdout, launched.stderr]);
    // What is left keeps its record, for a later sweep, and its user id, which no other cell must get.
    if (left) log.error('cell.unkillable', { cell: id, pid: first.pid });
    else forget();
    const usage = group?.usage() ?? null;
    group?.kill();
    if ((await group?.remove()) === false) log.error('cell.group_left', { cell: id });
    const exit = explainExit({
      ...end,
      killed,
      overrun,
      // What is left could hold the report open.
      executed: left || (await launched.executed),
      stderr: launched.stderrTail(),
      program,
      applied,
      usage,
      writesToHost,
    });
    const { code, signal, reason, limit } = exit;
    log.info('cell.exited', { cell: id, code, signal, reason, limit: limit?.kind ?? null });
    return exit;
  }
  const exited = finish();

  async function kill(): Promise<void> {
    if (launched.alive()) {
      killed = true;
      launched.kill();
    }
    await exited;
  }

  function signal(name: NodeJS.Signals): boolean {
    const program = programProcess(launched.first);
    if (program === null || !isAlive(program)) return false;
    try {
      return process.kill(program.pid, name);
    } catch {
      // ESRCH: it ended just now.
      return false;
    }
  }

  async function stop(graceMs: number): Promise<void> {
    const hadToKill = await askToEnd({ stdin: launched.stdin, exited, signal, kill }, graceMs);
    if (hadToKill) log.info('cell.not_stopping', { cell: id, graceMs: 2 * graceMs });
  }
  let stopping: Promise<void> | null = null;

  return {
    id,
    stdin: launched.stdin,
    stdout: launched.stdout,
    stderr: launched.stderr,
    exited,
    kill,
    stop: (graceMs) => (stopping ??= stop(graceMs)),
    signal,
  };
}

/** @returns ends the watch */
function watchOver(
  { launched: { first }, applied, givesWay, watch }: RunningCellInput,
  over: (hit: LimitHit) => void,
): () => void {
  const { inGroup } = applied;
  return watch.add({
    first,
    memoryBytes: inGroup.includes('memory') ? null : applied.memoryBytes,
    cpus: inGroup.includes('cpu') ? null : applied.cpus,
    // Groups have weights, whatever sessions are in them.
    givesWay: givesWay && !inGroup.includes('cpu'),
    over: (kind) => over(limitHit(kind, applied)),
  });
}
