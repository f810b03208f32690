/**
 * The running cells: one per (server, owner of its credentials, profile), or one for all where the manifest says so;
 * started at the first call, shared by all who may use it, reaped when idle, started again with back-off when it dies. A cell whose server or credentials are no longer those that it was
 * started with is ended, whoever changed them, and so is one whose server was taken out of its profile.
 */
import type { CellView, ServerRow, ServerRows, Trouble } from '../../api/index.ts';
import { manifestOf, packageOf } from '../../api/index.ts';
import { AppError, type CellId, limits, type Log } from '../../kernel/index.ts';
import type { CellActivity, UpstreamTransport } from '../../mcp/index.ts';
import {
  type CellKey,
  cellKey,
  type CellUser,
  heldBy,
  type HeldCredentials,
  keyText,
  sameHeld,
  stillServes,
} from './cell-key.ts';
import { Deaths } from './deaths.ts';
import type { LogFiles } from './log-files.ts';
import type { Eras } from '../upstreams/eras.ts';
import { startUpstream } from '../upstreams/start.ts';
import { credentialInfos } from './credentials.ts';
import type { Ending, RunningCell, StartDeps } from './start.ts';

export interface CellPoolDeps extends StartDeps {
  readonly logs: Pick<LogFiles, 'append' | 'remove' | 'flush'>;
  readonly eras: Eras;
  readonly servers: Pick<ServerRows, 'find'>;
  /** Whether a profile has the server; null is the operator's own, which has all. */
  readonly offers: (profile: string | null, slug: string) => Promise<boolean>;
  readonly idleSeconds: number;
  readonly log: Log;
  /** What the front knows about the use of a cell; null: not used yet. */
  readonly activity: (cell: CellId) => CellActivity | null;
}

export interface CellPool {
  /** The running cell, or a new one. Concurrent calls for the same one share its start. */
  open(
    slug: string,
    profile: string | null,
    user: string | null,
  ): UpstreamTransport | Promise<UpstreamTransport>;
  /**
   * Starts a cell that serves nobody, for as long as `use` takes: to see what the server offers. Credentials need not be set.
   */
  look<T>(slug: string, use: (transport: UpstreamTransport) => Promise<T>): Promise<T>;
  /** The stored server that a cell runs, while it runs or starts. */
  serverOf(cell: CellId): ServerRow | null;
  list(): readonly CellView[];
  /** How the server fails, while it is not started because of that, or was not started again since. */
  trouble(slug: string): Trouble | null;
  /** Kills the cells for which `which` holds, those that are about to end included. */
  kill(which: (cell: RunningCell) => boolean, reason: string): Promise<void>;
  /** Ends the server's cells and forgets how they fared: it was changed, and the next call starts it anew. */
  restart(slug: string, reason: string): Promise<void>;
  /** What leaves from now on carries the new values. Cells that were given a value, or lack a placeholder, are ended. */
  credentialsChanged(slug: string): Promise<void>;
  /** Anything may have changed: another process wrote to the store. */
  storeChanged(): Promise<void>;
  close(): Promise<void>;
}

/** One place for a cell: the cell while there is one, and how it fared before. */
interface Slot {
  readonly key: CellKey;
  readonly deaths: Deaths;
  starting: Promise<RunningCell> | null;
  running: Running | null;
}

interface Running {
  readonly cell: RunningCell;
  /** `Clock.monotonic()` at its start. */
  readonly bornMs: number;
  /** The values that its way out knows. */
  held: HeldCredentials;
  /** It was told to stop: its end is no failure. */
  stopping: boolean;
}

/** How often a server is started anew because it was changed while it started. */
const STARTS_MAX = 3;

export function createCellPool(deps: CellPoolDeps): CellPool {
  const slots = new Map<string, Slot>();
  const rows = new Map<CellId, ServerRow>();
  /** Cells that somebody asked for and that are not there yet. */
  const opening = new Set<Promise<RunningCell>>();
  /** Told to stop, and still there: a kill must find them. */
  const ending = new Set<Running>();
  let closed = false;

  const allRunning = (): Running[] =>
    [...slots.values()].flatMap((slot) => (slot.running === null ? [] : [slot.running]));

  deps.eras.onDied(forgive);
  const reaper = setInterval(() => reap(), limits.cellReapIntervalMs).unref();

  function reap(): void {
    const nowMs = deps.clock.monotonic();
    for (const running of allRunning()) {
      const { cell, bornMs } = running;
      const activity = deps.activity(cell.id);
      const idleMs = (cell.idleSeconds ?? deps.idleSeconds) * 1_000;
      if ((activity?.calls ?? 0) > 0 || nowMs - (activity?.lastUsedMs ?? bornMs) <= idleMs) continue;
      dismiss(running, 'idle', 'ask');
    }
  }

  function forgive(slug: string): void {
    for (const { key, deaths } of slots.values()) if (key.slug === slug) deaths.forgive();
  }

  async function start(slot: Slot): Promise<RunningCell> {
    for (let starts = 0; starts < STARTS_MAX; starts += 1) {
      const running = await startOnce(slot);
      if (await settle(running)) return running.cell;
    }
    throw changing(slot.key.slug);
  }

  /** @throws AppError `server_unknown`, `server_disabled`, `server_not_selected` */
  async function usableRow(slug: string, profile: string | null): Promise<ServerRow> {
    const row = await deps.servers.find(deps.workspace, slug);
    if (row === null)
      throw new AppError('server_unknown', `There is no server \`${slug}\`.`, { kind: 'not_found' });
    if (!row.enabled) {
      throw new AppError('server_disabled', `\`${slug}\` is disabled.`, {
        kind: 'denied',
        hint: `Enable it: \`sallyport server enable ${slug}\`.`,
      });
    }
    if (!(await deps.offers(profile, slug))) {
      throw new AppError('server_not_selected', `Profile ${profile} does not include \`${slug}\`.`, {
        kind: 'denied',
        hint: `Add it: \`sallyport profile set ${profile} --server ${slug}\`.`,
      });
    }
    return row;
  }

  /** The place of the cell that serves this user. @throws AppError as `usableRow`, and `server_shared_owned` */
  async function slotFor(slug: string, caller: CellUser): Promise<Slot> {
    const row = await usableRow(slug, caller.profile);
    const key = cellKey(slug, manifestOf(row), caller, await credentialInfos(deps, row));
    if (!key.ok) throw sharedOwned(slug, key.error);
    const text = keyText(key.value);
    const known = slots.get(text);
    if (known !== undefined && known.key.shared === key.value.shared) return known;
    // A server became one that is shared, or is it no more: what its cell was before is being ended.
    if (known !== undefined && (known.running !== null || known.starting !== null)) throw changing(slug);
    const deaths = new Deaths(slug, deps.clock);
    const slot: Slot = { key: key.value, deaths, starting: null, running: null };
    slots.set(text, slot);
    return slot;
  }

  async function openCell(slug: string, caller: CellUser): Promise<RunningCell> {
    const slot = await slotFor(slug, caller);
    if (closed) throw stopping();
    // While it starts it is not yet known to be up to date.
    if (slot.starting === null) {
      if (slot.running !== null) return slot.running.cell;
      slot.deaths.checkStart();
      slot.starting = start(slot).finally(() => {
        slot.starting = null;
      });
    }
    return slot.starting;
  }

  async function openNew(slug: string, caller: CellUser): Promise<UpstreamTransport> {
    if (closed) throw stopping();
    const opened = openCell(slug, caller);
    opening.add(opened);
    try {
      return (await opened).transport;
    } finally {
      opening.delete(opened);
    }
  }

  /** Without asking the store: a cell that may not go on is ended when the store changes. */
  function runningFor(slug: string, { profile, user }: CellUser): RunningCell | null {
    const at = (of: string | null): Slot | undefined =>
      slots.get(keyText({ slug, profile: of, owner: null }));
    const everybodys = at(null);
    const slot = everybodys?.key.shared === true ? everybodys : user === null ? at(profile) : undefined;
    return slot?.starting === null ? (slot.running?.cell ?? null) : null;
  }

  async function startToLook(slug: string): Promise<Running> {
    const row = await usableRow(slug, null);
    const key: CellKey = { slug, profile: null, owner: null, shared: false };
    let id: CellId | null = null;
    try {
      const cell = await startUpstream({ ...deps, forLook: true }, row, key, (starting) => {
        id = starting;
        rows.set(starting, row);
      });
      const bornMs = deps.clock.monotonic();
      const running: Running = { cell, bornMs, held: cell.credentials, stopping: true };
      // Where those are that nobody gets to use any more: a kill must find it.
      ending.add(running);
      void cell.transport.exited.then(() => {
        ending.delete(running);
        rows.delete(cell.id);
      });
      return running;
    } catch (error) {
      if (id !== null) rows.delete(id);
      throw error;
    }
  }

  async function startOnce(slot: Slot): Promise<Running> {
    const { key } = slot;
    const row = await usableRow(slot.key.slug, key.profile);
    if (!stillServes(key, manifestOf(row), await credentialInfos(deps, row))) throw changing(slot.key.slug);
    let id: CellId | null = null;
    try {
      const cell = await startUpstream(deps, row, key, (starting) => {
        id = starting;
        rows.set(starting, row);
      });
      return watch(slot, cell);
    } catch (error) {
      if (id !== null) rows.delete(id);
      throw error;
    }
  }

  function watch(slot: Slot, cell: RunningCell): Running {
    const running: Running = {
      cell,
      bornMs: deps.clock.monotonic(),
      held: cell.credentials,
      stopping: false,
    };
    slot.running = running;
    void cell.transport.exited.then((exit) => {
      if (slot.running === running) slot.running = null;
      ending.delete(running);
      rows.delete(cell.id);
      if (running.stopping || exit.needsPerson === true) return;
      const servedMs = deps.clock.monotonic() - running.bornMs;
      if (exit.ordinary === true && servedMs >= limits.cellHealthyMs) return;
      const deaths = slot.deaths.add(running.bornMs, exit.reason);
      const { slug } = slot.key;
      deps.log.warn('cell.died', { server: slug, cell: cell.id, reason: exit.reason, deaths });
    });
    return running;
  }

  async function stop(running: Running, reason: string, how: Ending): Promise<void> {
    const { cell } = running;
    running.stopping = true;
    // Whoever calls the server meanwhile gets a new cell.
    for (const slot of slots.values()) {
      if (slot.running !== running) continue;
      slot.running = null;
      ending.add(running);
    }
    await cell.stop(reason, how);
    await cell.transport.exited;
  }

  /** Without waiting for its end: a server that takes its time must not keep what else has to be done. */
  function dismiss(running: Running, reason: string, how: Ending): void {
    stop(running, reason, how).catch((error: unknown) =>
      deps.log.error('cell.stop_failed', { cell: running.cell.id, error: String(error) }),
    );
  }

  /**
   * Brings a cell up to date with the store, or ends it where that takes a new one.
   * A cell that cannot be compared is ended too.
   * @returns whether it goes on
   */
  async function settle(running: Running): Promise<boolean> {
    const { cell } = running;
    try {
      if (!isSame(cell.server, await deps.servers.find(deps.workspace, cell.server.slug))) {
        dismiss(running, 'server changed', 'cut');
        return false;
      }
      if (!(await deps.offers(cell.key.profile, cell.server.slug))) {
        dismiss(running, 'taken out of its profile', 'cut');
        return false;
      }
      const infos = await credentialInfos(deps, cell.server);
      const held = heldBy(cell.key.owner, infos);
      const serves = stillServes(cell.key, manifestOf(cell.server), infos);
      if (serves && sameHeld(held, running.held)) return true;
      const gained = [...held].some(([name, { owner }]) => cell.credentials.get(name)?.owner !== owner);
      if (!serves || gained || cell.entrusted) {
        dismiss(running, 'credentials changed', 'cut');
        return false;
      }
      await cell.egress.refresh();
      running.held = held;
      return true;
    } catch (error) {
      deps.log.error('cell.settle_failed', { cell: cell.id, error: String(error) });
      dismiss(running, 'its state could not be compared with the store', 'kill');
      return false;
    }
  }

  async function stopWhere(
    which: (cell: RunningCell) => boolean,
    reason: string,
    how: Ending,
  ): Promise<void> {
    const starting = [...opening].map((cell) => cell.catch(() => null));
    const present = [...allRunning(), ...ending].filter(({ cell }) => which(cell));
    const stopped = present.map((running) => stop(running, reason, how));
    // A cell that was being started when the order came is ended as soon as it is there.
    const late = new Set(await Promise.all(starting));
    const arrived = [
      ...allRunning().filter(({ cell }) => late.has(cell)),
      ...[...ending].filter((running) => !present.includes(running)),
    ].filter(({ cell }) => which(cell));
    await Promise.all([...stopped, ...arrived.map((running) => stop(running, reason, how))]);
  }

  return {
    open(slug, profile, user) {
      const caller = { profile, user };
      const running = closed ? null : runningFor(slug, caller);
      return running === null ? openNew(slug, caller) : running.transport;
    },
    async look(slug, use) {
      if (closed) throw stopping();
      const starting = startToLook(slug);
      const opened = starting.then(({ cell }) => cell);
      // Who waits for it is told below.
      opened.catch(() => undefined);
      opening.add(opened);
      const running = await starting.finally(() => opening.delete(opened));
      try {
        return await use(running.cell.transport);
      } finally {
        // Nobody has asked it to do anything. What runs elsewhere is told all the same that its session is over.
        await stop(running, 'looked at', running.cell.transport.kind === 'lines' ? 'kill' : 'ask');
      }
    },
    serverOf: (cell) => rows.get(cell) ?? null,
    list: () =>
      allRunning().map(({ cell }) => ({
        id: cell.id,
        server: cell.server.slug,
        profile: cell.key.profile,
        owner: cell.key.owner,
        startedAt: cell.startedAt,
      })),
    trouble: (slug) =>
      [...slots.values()]
        .filter(({ key, running }) => key.slug === slug && running === null)
        .map(({ deaths }) => deaths.trouble)
        .filter((trouble) => trouble !== null)
        .reduce<Trouble | null>(
          (worst, one) => (worst !== null && worst.deaths >= one.deaths ? worst : one),
          null,
        ),
    kill: (which, reason) => stopWhere(which, reason, 'kill'),
    async restart(slug, reason) {
      await stopWhere((cell) => cell.server.slug === slug, reason, 'cut');
      forgive(slug);
      // The log of a server that is there no more would be another's, under the same name.
      if ((await deps.servers.find(deps.workspace, slug)) === null) deps.logs.remove(slug);
    },
    async credentialsChanged(slug) {
      const concerned = allRunning().filter(({ cell }) => cell.server.slug === slug);
      forgive(slug);
      await Promise.all(concerned.map(settle));
    },
    async storeChanged() {
      await Promise.all(allRunning().map(settle));
    },
    async close() {
      closed = true;
      clearInterval(reaper);
      await stopWhere(() => true, 'gateway stopped', 'ask');
      deps.logs.flush();
    },
  };
}

const stopping = (): AppError =>
  new AppError('gateway_stopping', 'The gateway is stopping.', { kind: 'unavailable' });

const changing = (slug: string): AppError =>
  new AppError('server_changing', `\`${slug}\` is being changed while it starts.`, {
    kind: 'unavailable',
    hint: 'Try again.',
  });

const sharedOwned = (slug: string, user: string): AppError =>
  new AppError(
    'server_shared_owned',
    `\`${slug}\` has one cell for everybody, but the user ${user} has a value of their own for it.`,
    {
      kind: 'failed',
      hint: 'Delete values of single users, or take `shared: true` out of its manifest: then each user has a cell.',
    },
  );

/** Whether a cell of the one may go on as a cell of the other. */
function isSame(started: ServerRow, stored: ServerRow | null): boolean {
  return (
    stored !== null &&
    stored.enabled &&
    stored.id === started.id &&
    stored.updatedAt === started.updatedAt &&
    stored.manifestHash === started.manifestHash &&
    packageOf(stored)?.integrity === packageOf(started)?.integrity
  );
}
