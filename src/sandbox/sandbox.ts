/** The sandbox as the rest of the gateway sees it. */
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  AppError,
  type CellId,
  type Clock,
  isAppError,
  limits,
  type Log,
  newId,
  type Random,
} from '../kernel/index.ts';
import type { AppliedLimits } from './cell-limits.ts';
import { giveWay } from './cell-priority.ts';
import { openCellRecords } from './cell-records.ts';
import type { Cell, CellListeners, CellSpec } from './cell-spec.ts';
import { openCellUsers } from './cell-users.ts';
import { type CellWatch, createCellWatch } from './cell-watch.ts';
import { checkGroups } from './cgroup/check.ts';
import type { CellGroup, CellGroups, CellGroupsSource } from './cgroup/ports.ts';
import { checkGrants } from './file-grants.ts';
import { checkHost, type HostReport } from './host-check.ts';
import { checkSystem, type HostSystem } from './host-system.ts';
import { type HostFacts, readHostFacts } from './host.ts';
import { enterCell } from './launch.ts';
import { type LauncherHelper, openLauncherHelper } from './launcher-helper.ts';
import { type StartLauncher, startLauncher } from './launcher.ts';
import { memoriesAhead, planCell, type PlanInput } from './plan.ts';
import { type PlanView, viewPlan } from './plan-view.ts';
import { launchFailed } from './launch-errors.ts';
import { openProc } from './process-table.ts';
import { createPreparedPool, type PreparedPool } from './prepared-pool.ts';
import { runningCell } from './running-cell.ts';
import {
  type Shell,
  type ShellBuilder,
  shellBuilder,
  type ShellBuilderDependencies,
  type ShellWish,
} from './shell-builder.ts';
import { openPipeStock, type PipeStock } from './stdio-pipes.ts';
import { completeTools, findTools } from './tools.ts';

export interface SandboxDependencies {
  /** Folder for records of running cells; its parent, the gateway's home, is never shown to a cell. Absolute. */
  readonly stateDir: string;
  /** Folder that the packages of all servers are in. Absent: there is none. */
  readonly packagesDir?: string | null;
  /** How many prepared cells are kept at most, once `keepReady` was called. Absent: none. */
  readonly preparedMax?: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** What kind of machine this is; this process's own where absent. */
  readonly system?: HostSystem;
  /** What is known of this machine, given what was found. Absent: just that. */
  readonly host?: (found: HostFacts) => HostFacts;
  /** How long the steps of a start may take. */
  readonly setupTimeoutMs?: number;
  /** Holds the limits of a cell as a whole; one that looks once a second where absent. */
  readonly watch?: CellWatch;
  /** Control groups for cells, asked for at the first launch; absent: cells have none. */
  readonly groups?: CellGroupsSource;
}

export interface Sandbox {
  /**
   * Starts a cell. Resolves when its listeners are handed over and its program is being executed; whether that
   * succeeds is told by `exited`.
   *
   * @throws AppError `sandbox_unavailable`, `sandbox_spec_invalid`, `sandbox_launch_failed`,
   *   `sandbox_launch_timeout`, `sandbox_file_*`
   */
  launch(spec: CellSpec, listeners: CellListeners): Promise<Cell>;
  /** What `launch` would do with the same spec. Nothing is started. @throws AppError as `launch` does before it starts anything */
  plan(spec: CellSpec): Promise<PlanView>;
  /** Removes what gateways that are gone left behind. @returns number of cells found */
  sweep(): Promise<number>;
  /**
   * From now on cells are prepared ahead: one for each of these lists of ports, and more by demand. May be called again. Cells
   * are launched without this too, only not as fast.
   */
  keepReady(ports: readonly (readonly number[])[]): void;
  /** What this machine has of what a cell needs. */
  check(): Promise<HostReport>;
  /** Ends what was prepared and never used. Running cells go on. */
  close(): Promise<void>;
}

export async function createSandbox({
  stateDir,
  packagesDir = null,
  preparedMax = 0,
  log,
  clock,
  random,
  system = process,
  host = (found) => found,
  setupTimeoutMs = limits.cellSetupTimeoutMs,
  watch = createCellWatch({ proc: openProc, clock }),
  groups: groupsSource,
}: SandboxDependencies): Promise<Sandbox> {
  const records = openCellRecords(join(stateDir, 'cells'), log);
  const aheadRecords = openCellRecords(join(stateDir, 'prepared'), log);
  // No records: a sweep removes what is in there as it does what is of a record that was not finished.
  const unopenedPipes = openCellRecords(join(stateDir, 'pipes'), log);
  const closed = [realpathSync(dirname(stateDir))];
  let ready: Ready | null = null;
  let opened: Promise<CellGroups | null> | null = null;
  const openGroups = (): Promise<CellGroups | null> =>
    (opened ??= groupsSource?.open() ?? Promise.resolve(null));
  let pool: PreparedPool<Shell> | null = null;
  let helper: LauncherHelper | null = null;
  let closing = false;

  /** What every launch shares, found at the first. @throws AppError `sandbox_unavailable` */
  function getReady(): Ready {
    const found = readMachine(random, system);
    const machine = { ...found, facts: host(found.facts) };
    const timeoutMs = setupTimeoutMs;
    const newPaths = () => {
      const key = newId<'cell'>('cell', random);
      return (name: string): string => unopenedPipes.momentary(key, name);
    };
    const pipes = openPipeStock({ mkfifo: machine.facts.tools.mkfifo, newPaths, timeoutMs });
    const start: StartLauncher = (...launch) => (helper?.start ?? startLauncher)(...launch);
    const deps = { ...machine, records, aheadRecords, pipes, start, packagesDir, timeoutMs, log };
    return { ...machine, pipes, shells: shellBuilder(deps) };
  }

  /** One that waits to be told what it is, where there is one that fits. */
  function takeReady({ shape, uid, sources, memories }: ShellWish): Shell | null {
    if (pool === null || shape.terminal || uid !== null || memories.length > 0) return null;
    return pool.take(shape, (shell) => shell.reaches(sources));
  }

  function keepReady(ports: readonly (readonly number[])[]): void {
    if (closing) return;
    try {
      ready ??= getReady();
    } catch (error) {
      // Whoever starts a server is told.
      log.debug('cell.not_prepared', { error: String(error) });
      return;
    }
    const { shells, facts } = ready;
    // Otherwise what is made ahead of bubblewrap depends on the server.
    if (preparedMax === 0 || !facts.bubblewrap.sizes) return;
    pool ??= createPreparedPool({
      max: preparedMax,
      async prepare(shape) {
        // Whatever is started before is in another group than this process then, and may not be moved to one of its own.
        await openGroups();
        const { node, tools } = facts;
        if (!closing) helper ??= openLauncherHelper({ node, setpriv: tools.setpriv, log });
        const wish = { shape, uid: null, sources: [], memories: [] };
        return shells.buildAhead(newId<'cell'>('cell', random), wish);
      },
      clock,
      log,
    });
    pool.expect(ports.map((tcpPorts) => ({ tcpPorts, terminal: false })));
  }

  async function launchCell(spec: CellSpec, listeners: CellListeners): Promise<Cell> {
    ready ??= getReady();
    const { facts, users, shells } = ready;
    checkSpec(spec, facts);
    const startedMs = clock.monotonic();
    const packageDir = spec.packageDir === undefined ? null : resolveFolder(spec.packageDir);
    const { files, pins, unsearched, release } = await checkGrants(spec.files, {
      closed,
      foreignUser: users !== null,
      user: spec.uid,
      pins: spec.pins,
    });
    for (const folder of unsearched) {
      log.warn('cell.grant_unsearched', { cell: spec.id, folder });
      listeners.onUnsearched?.(folder);
    }
    let shell: Shell | null = null;
    let group: CellGroup | null = null;
    let cell: Cell | null = null;
    try {
      const groups = await openGroups();
      const planned = {
        spec,
        facts,
        packageDir,
        files,
        pins,
        ...(groups === null ? {} : { groups: groups.controllers }),
      };
      const wish = wishOf(planned);
      shell = takeReady(wish);
      const isPrepared = shell !== null;
      shell ??= await shells.build(spec.id, wish);
      const taken = shell;
      const plan = planCell({ ...planned, staged: taken.staged });
      const own = groups === null ? null : makeGroup(groups, spec.id, plan.limits);
      group = own;
      // A person waits for what is at their terminal.
      const givesWay = spec.terminal !== true;
      const launched = await enterCell(taken.prepared, plan, listeners, (first) => {
        taken.record(spec.id);
        if (givesWay) giveWay(first.pid);
        own?.admit(first.pid);
      });
      cell = runningCell({
        id: spec.id,
        program: spec.command[0] ?? '',
        launched,
        applied: plan.limits,
        givesWay,
        writesToHost: files.some(({ write }) => write),
        watch,
        group,
        log,
        forget: () => {
          release();
          taken.forget();
        },
      });
      const readyMs = Math.round(clock.monotonic() - startedMs);
      const { dualStack } = launched;
      log.info('cell.ready', { cell: spec.id, server: spec.label, readyMs, dualStack, prepared: isPrepared });
      if (!launched.dualStack) log.warn('cell.ipv4_only', { cell: spec.id, why: 'this kernel has no IPv6' });
      return cell;
    } catch (error) {
      // A cell that runs is forgotten when it is gone.
      if (cell !== null) await cell.kill();
      else {
        release();
        await shell?.discard();
        group?.kill();
        await group?.remove();
      }
      const facts = isAppError(error) ? { code: error.code, ...error.detail } : { error: String(error) };
      log.error('cell.failed', { cell: spec.id, server: spec.label, ...facts });
      throw error;
    }
  }

  /** A cell without a way out that ends at once. */
  async function trial(): Promise<number> {
    const startedMs = clock.monotonic();
    const spec = {
      label: 'doctor',
      command: ['node', '--version'],
      args: [],
      env: {},
      tcpPorts: [443],
      caPem: '',
    };
    const close = (listener: { close(): unknown }): void => void listener.close();
    const cell = await launchCell(
      { ...spec, id: newId<'cell'>('cell', random), files: [], limits: {} },
      { onTcp: (_port, server) => close(server), onDnsUdp: close, onDnsTcp: close },
    );
    cell.stdout.resume();
    cell.stderr.resume();
    const { code, reason } = await cell.exited;
    if (code !== 0)
      throw new AppError('sandbox_trial_failed', `The trial cell did not work: ${reason}.`, {
        kind: 'failed',
      });
    return clock.monotonic() - startedMs;
  }

  async function viewLaunch(spec: CellSpec): Promise<PlanView> {
    ready ??= getReady();
    const { facts, users, shells } = ready;
    checkSpec(spec, facts);
    const found = groupsSource?.facts();
    const packageDir = spec.packageDir === undefined ? null : resolveFolder(spec.packageDir);
    const { files, pins, release } = await checkGrants(spec.files, {
      closed,
      foreignUser: users !== null,
      user: spec.uid,
      pins: spec.pins,
    });
    try {
      const held = found?.kind === 'delegated' ? { groups: found.controllers } : {};
      const planned = { spec, facts, packageDir, files, pins, ...held };
      const { shell, staged } = shells.plan(wishOf(planned));
      return viewPlan({
        plan: { ...planCell({ ...planned, staged }), launcher: shell.launcher },
        architecture: facts.architecture,
        ports: spec.tcpPorts,
        ownUser: users !== null,
      });
    } finally {
      release();
    }
  }

  return {
    launch: launchCell,
    plan: viewLaunch,
    async sweep() {
      await Promise.all([aheadRecords.sweep(), unopenedPipes.sweep()]);
      return records.sweep();
    },
    keepReady,
    async check() {
      const checks = await checkHost(trial, system);
      return groupsSource === undefined ? checks : [...checks, checkGroups(groupsSource.facts())];
    },
    async close() {
      closing = true;
      await pool?.close();
      await helper?.close();
      ready?.pipes.close();
    },
  };
}

/** @throws AppError `sandbox_launch_failed`: a cell whose limits nothing would hold is not started */
function makeGroup(groups: CellGroups, id: CellId, applied: AppliedLimits): CellGroup {
  try {
    return groups.open(id, applied);
  } catch (error) {
    throw launchFailed(`its control group could not be made: ${String(error)}`);
  }
}

/** What cells need of this machine. */
type Machine = Pick<ShellBuilderDependencies, 'facts' | 'users'>;

interface Ready extends Machine {
  readonly pipes: PipeStock;
  readonly shells: ShellBuilder;
}

function readMachine(random: Random, system: HostSystem): Machine {
  const checked = checkSystem(system);
  if (!checked.ok) {
    throw unavailable(
      `Cells need Linux on x86-64 or arm64; this is ${checked.found}.`,
      `${checked.alternatives} docs/cells.md says how, and what the last resort is.`,
    );
  }
  const { architecture } = checked;
  const search = findTools();
  const tools = completeTools(search);
  if (tools === null)
    throw unavailable(`Cells need ${search.missing.join(', ')}, which this machine does not have.`);
  const facts = readHostFacts(architecture, tools, realpathSync(process.execPath));
  const users = facts.root ? openCellUsers(random) : null;
  if (facts.root && users === null) throw unavailable('This container has no user ids to spare for cells.');
  return { facts, users };
}

function unavailable(
  message: string,
  hint = 'Run "sallyport doctor": it says what is missing and how to get it.',
): AppError {
  return new AppError('sandbox_unavailable', message, { kind: 'failed', hint });
}

function resolveFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    const hint = 'Install the server again with "sallyport server upgrade".';
    throw new AppError('sandbox_package_missing', "The server's package is not installed.", {
      kind: 'failed',
      hint,
      cause,
    });
  }
}

/** What has to be there before a cell can be told what it is. */
function wishOf(planned: Omit<PlanInput, 'staged'>): ShellWish {
  const { spec, packageDir, files } = planned;
  const shown = [...(spec.binds ?? []), ...files].map(({ host }) => host);
  return {
    shape: { tcpPorts: spec.tcpPorts, terminal: spec.terminal === true },
    uid: spec.uid ?? null,
    sources: packageDir === null ? shown : [packageDir, ...shown],
    memories: memoriesAhead({ ...planned, staged: [] }),
  };
}

/** @throws AppError `sandbox_spec_invalid` for what could not be passed on faithfully, `sandbox_terminal_unavailable` */
function checkSpec({ command, args, env, tcpPorts, terminal, uid }: CellSpec, facts: HostFacts): void {
  const invalid = (message: string): AppError =>
    new AppError('sandbox_spec_invalid', message, { kind: 'invalid' });
  if (command[0] === undefined || command[0] === '') throw invalid('A server needs a command.');
  if ([...command, ...args, ...Object.values(env)].some((text) => text.includes('\0'))) {
    throw invalid('A command, argument or variable holds a NUL character.');
  }
  const badName = Object.keys(env).find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (badName !== undefined) throw invalid(`"${badName}" cannot be the name of an environment variable.`);
  const badPort = tcpPorts.find(
    (port) => !Number.isInteger(port) || port < 1 || port > 65_535 || port === 53,
  );
  if (badPort !== undefined) throw invalid(`A cell cannot have a listener for port ${badPort}.`);
  if (new Set(tcpPorts).size !== tcpPorts.length || tcpPorts.length > limits.cellTcpPortsMax) {
    throw invalid(`A cell can have at most ${limits.cellTcpPortsMax} ports, each once.`);
  }
  if (uid !== undefined && (!facts.root || !Number.isSafeInteger(uid) || uid < 1)) {
    throw invalid("A cell's user can be chosen only where Sallyport is root, and cannot be root.");
  }
  if (terminal === true && facts.tools.script === undefined) {
    throw new AppError(
      'sandbox_terminal_unavailable',
      'A cell at a terminal needs the program "script", which this machine does not have.',
      {
        kind: 'failed',
        hint: 'Install it (Debian: bsdutils; Fedora: util-linux-script), or run without a terminal.',
      },
    );
  }
}
