/**
 * The running cells: one per (server, profile), started at the first call, shared by all who may use it, reaped when
 * idle, started again with back-off when it dies.
 */
import type { CellView, ServerRow, ServerRows } from '../../api/index.ts';
import { AppError, type CellId, limits, type Log } from '../../kernel/index.ts';
import type { CellActivity, UpstreamTransport } from '../../mcp/index.ts';
import { createServerLog, type ServerLog } from './server-log.ts';
import { gatewayCaller, type RunningCell, type StartDeps, startCell } from './start.ts';

export interface CellPoolDeps extends StartDeps {
  readonly servers: ServerRows;
  readonly idleSeconds: number;
  readonly log: Log;
  /** What the front knows about the use of a cell; null: not used yet. */
  readonly activity: (cell: CellId) => CellActivity | null;
}

export interface CellPool {
  /** The running cell, or a new one. Concurrent calls for the same one share its start. */
  open(slug: string, profile: string | null): Promise<UpstreamTransport>;
  /** The stored server that a cell runs, while it runs or starts. */
  serverOf(cell: CellId): ServerRow | null;
  list(): readonly CellView[];
  logs(slug: string): readonly string[];
  followLogs(slug: string, onLine: (line: string) => void): () => void;
  /** Ends the cells for which `which` holds. */
  stop(which: (cell: RunningCell) => boolean, reason: string): Promise<void>;
  /** What leaves from now on carries the new values. Cells that were given a value, or lack a placeholder, are ended. */
  credentialsChanged(slug: string): Promise<void>;
  close(): Promise<void>;
}

/** One (server, profile): its cell while there is one, and how it fared before. */
interface Slot {
  readonly slug: string;
  starting: Promise<RunningCell> | null;
  cell: RunningCell | null;
  deaths: number;
  /** `Clock.monotonic()` before which it is not started again. */
  notBefore: number;
  lastReason: string;
}

export function createCellPool(deps: CellPoolDeps): CellPool {
  const slots = new Map<string, Slot>();
  const rows = new Map<CellId, ServerRow>();
  const logs = new Map<string, ServerLog>();
  /** Cells that were told to stop: their end is no failure. */
  const stopping = new Map<CellId, { current: boolean }>();
  let closed = false;

  const logOf = (slug: string): ServerLog => {
    const log = logs.get(slug) ?? createServerLog();
    logs.set(slug, log);
    return log;
  };
  const running = (): RunningCell[] =>
    [...slots.values()].flatMap((slot) => (slot.cell === null ? [] : [slot.cell]));

  const reaper = setInterval(() => void reap(), limits.cellReapIntervalMs).unref();

  async function reap(): Promise<void> {
    for (const cell of running()) {
      const activity = deps.activity(cell.id);
      const usedMs = activity?.lastUsedMs ?? 0;
      const { server } = cell.server.manifest as unknown as { server: { idleSeconds?: number } };
      const idleMs = (server.idleSeconds ?? deps.idleSeconds) * 1_000;
      if (activity !== null && activity.calls === 0 && deps.clock.monotonic() - usedMs > idleMs)
        await cell.stop('idle');
    }
  }

  function backOff(slot: Slot): void {
    const waitMs = slot.notBefore - deps.clock.monotonic();
    if (waitMs <= 0) return;
    throw new AppError(
      'cell_backing_off',
      `\`${slot.slug}\` stopped ${slot.deaths} times in a row (${slot.lastReason}); it starts again in ${Math.ceil(waitMs / 1_000)} s.`,
      {
        kind: 'unavailable',
        hint: `See what it said: \`sallyport server logs ${slot.slug}\`.`,
      },
    );
  }

  async function start(slot: Slot, profile: string | null): Promise<RunningCell> {
    const row = await deps.servers.find(deps.workspace, slot.slug);
    if (row === null)
      throw new AppError('server_unknown', `There is no server \`${slot.slug}\`.`, { kind: 'not_found' });
    if (!row.enabled) {
      throw new AppError('server_disabled', `\`${slot.slug}\` is disabled.`, {
        kind: 'denied',
        hint: `Enable it: \`sallyport server enable ${slot.slug}\`.`,
      });
    }
    let id: CellId | null = null;
    try {
      const cell = await startCell(deps, row, profile, logOf(slot.slug), (starting) => {
        id = starting;
        rows.set(starting, row);
      });
      watch(slot, cell);
      return cell;
    } catch (error) {
      if (id !== null) rows.delete(id);
      throw error;
    }
  }

  function watch(slot: Slot, cell: RunningCell): void {
    slot.cell = cell;
    const bornMs = deps.clock.monotonic();
    const asked = { current: false };
    stopping.set(cell.id, asked);
    void cell.transport.exited.then((exit) => {
      if (slot.cell === cell) slot.cell = null;
      rows.delete(cell.id);
      stopping.delete(cell.id);
      if (asked.current) return;
      const nowMs = deps.clock.monotonic();
      slot.deaths = nowMs - bornMs >= limits.cellHealthyMs ? 1 : slot.deaths + 1;
      slot.lastReason = exit.reason;
      slot.notBefore =
        nowMs + Math.min(limits.cellBackoffMs * 2 ** (slot.deaths - 1), limits.cellBackoffMsMax);
      deps.log.warn('cell.died', {
        server: slot.slug,
        cell: cell.id,
        reason: exit.reason,
        deaths: slot.deaths,
      });
    });
  }
  async function stop(cell: RunningCell, reason: string): Promise<void> {
    const asked = stopping.get(cell.id);
    if (asked !== undefined) asked.current = true;
    for (const slot of slots.values()) if (slot.cell === cell) slot.cell = null;
    await cell.stop(reason);
    await cell.transport.exited;
  }

  return {
    async open(slug, profile) {
      if (closed) throw new AppError('gateway_stopping', 'The gateway is stopping.', { kind: 'unavailable' });
      const key = JSON.stringify([slug, profile]);
      const slot = slots.get(key) ?? {
        slug,
        starting: null,
        cell: null,
        deaths: 0,
        notBefore: 0,
        lastReason: '',
      };
      slots.set(key, slot);
      if (slot.cell !== null) return slot.cell.transport;
      if (slot.starting === null) {
        backOff(slot);
        slot.starting = start(slot, profile).finally(() => {
          slot.starting = null;
        });
      }
      return (await slot.starting).transport;
    },
    serverOf: (cell) => rows.get(cell) ?? null,
    list: () =>
      running().map((cell) => ({
        id: cell.id,
        server: cell.server.slug,
        profile: cell.profile,
        startedAt: cell.startedAt,
      })),
    logs: (slug) => logOf(slug).lines(),
    followLogs: (slug, onLine) => logOf(slug).follow(onLine),
    async stop(which, reason) {
      const starting = [...slots.values()].flatMap((slot) =>
        slot.starting === null ? [] : [slot.starting.catch(() => null)],
      );
      await Promise.all(
        running()
          .filter(which)
          .map((cell) => stop(cell, reason)),
      );
      // A cell that was being started when the order came is ended as soon as it is there.
      for (const cell of await Promise.all(starting))
        if (cell !== null && which(cell)) await stop(cell, reason);
    },
    async credentialsChanged(slug) {
      for (const cell of running().filter((one) => one.server.slug === slug)) {
        const set = new Set(
          (await deps.vault.list(gatewayCaller(deps.workspace), { id: cell.server.id, slug })).map(
            (info) => info.name,
          ),
        );
        const gained = [...set].some((name) => !cell.credentials.has(name));
        if (cell.entrusted || gained) await stop(cell, 'credentials changed');
        else await cell.egress.refresh();
      }
      for (const slot of slots.values()) {
        if (slot.slug !== slug) continue;
        slot.deaths = 0;
        slot.notBefore = 0;
      }
    },
    async close() {
      closed = true;
      clearInterval(reaper);
      await this.stop(() => true, 'gateway stopped');
    },
  };
}
