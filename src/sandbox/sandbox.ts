/** The sandbox as the rest of the gateway sees it. */
import { readFileSync, realpathSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError, type Clock, isAppError, limits, type Log, newId, type Random } from '../kernel/index.ts';
import { openCellRecords } from './cell-records.ts';
import type { Cell, CellListeners, CellSpec } from './cell-spec.ts';
import { type CellUsers, openCellUsers } from './cell-users.ts';
import { checkGrants } from './file-grants.ts';
import { checkHost, type HostReport } from './host-check.ts';
import { checkSystem, type HostSystem } from './host-system.ts';
import { type HostFacts, readHostFacts } from './host.ts';
import { launch } from './launch.ts';
import { planCell } from './plan.ts';
import { type PlanView, viewPlan } from './plan-view.ts';
import { reachableByAnyone } from './reach.ts';
import { runningCell } from './running-cell.ts';
import { makeStdioPipes } from './stdio-pipes.ts';
import { completeTools, findTools } from './tools.ts';

export interface SandboxDependencies {
  /** Folder for records of running cells; its parent, the gateway's home, is never shown to a cell. Absolute. */
  readonly stateDir: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** What kind of machine this is; this process's own where absent. */
  readonly system?: HostSystem;
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
  /** What this machine has of what a cell needs. */
  check(): Promise<HostReport>;
}

export async function createSandbox({
  stateDir,
  log,
  clock,
  random,
  system = process,
}: SandboxDependencies): Promise<Sandbox> {
  const records = openCellRecords(join(stateDir, 'cells'), log);
  const closed = [realpathSync(dirname(stateDir))];
  let prepared: Prepared | null = null;

  async function launchCell(spec: CellSpec, listeners: CellListeners): Promise<Cell> {
    prepared ??= prepare(random, system);
    const { facts, users, setup } = prepared;
    checkSpec(spec);
    const startedMs = clock.monotonic();
    const packageDir = spec.packageDir === undefined ? null : resolveFolder(spec.packageDir);
    const { files, unsearched, release } = await checkGrants(spec.files, {
      closed,
      foreignUser: users !== null,
    });
    for (const folder of unsearched) log.warn('cell.grant_unsearched', { cell: spec.id, folder });
    let uid: number | null = null;
    let cell: Cell | null = null;
    const forget = (): void => {
      release();
      records.remove(spec.id);
      if (uid !== null) users?.release(uid);
    };
    try {
      uid = users?.take() ?? null;
      const sources = [
        facts.node,
        ...(packageDir === null ? [] : [packageDir]),
        ...files.map(({ host }) => host),
      ];
      const unreachable =
        uid === null ? [] : [...new Set(sources)].filter((path) => !reachableByAnyone(path));
      const plan = planCell({ spec, facts, uid, setup, packageDir, files, unreachable });
      const stdio = await makeStdioPipes(facts.tools.mkfifo, (name) => records.momentary(spec.id, name));
      const launched = await launch(plan, stdio, listeners, (pid) => records.put(spec.id, pid, null));
      cell = runningCell({ id: spec.id, program: spec.command[0] ?? '', launched, log, forget });
      records.put(spec.id, launched.pid, launched.first);
      const readyMs = Math.round(clock.monotonic() - startedMs);
      log.info('cell.ready', { cell: spec.id, server: spec.label, readyMs, dualStack: launched.dualStack });
      if (!launched.dualStack) log.warn('cell.ipv4_only', { cell: spec.id, why: 'this kernel has no IPv6' });
      return cell;
    } catch (error) {
      // A cell that runs is forgotten when it is gone.
      if (cell === null) forget();
      else await cell.kill();
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
    prepared ??= prepare(random, system);
    const { facts, users, setup } = prepared;
    checkSpec(spec);
    const packageDir = spec.packageDir === undefined ? null : resolveFolder(spec.packageDir);
    const { files, release } = await checkGrants(spec.files, { closed, foreignUser: users !== null });
    const uid = users?.take() ?? null;
    try {
      const sources = [
        facts.node,
        ...(packageDir === null ? [] : [packageDir]),
        ...files.map(({ host }) => host),
      ];
      const unreachable =
        uid === null ? [] : [...new Set(sources)].filter((path) => !reachableByAnyone(path));
      return viewPlan({
        plan: planCell({ spec, facts, uid, setup, packageDir, files, unreachable }),
        architecture: facts.architecture,
        ports: spec.tcpPorts,
        ownUser: uid !== null,
      });
    } finally {
      release();
      if (uid !== null) users?.release(uid);
    }
  }

  return {
    launch: launchCell,
    plan: viewLaunch,
    sweep: () => records.sweep(),
    check: () => checkHost(trial, system),
  };
}

/** What every launch of this gateway shares. */
interface Prepared {
  readonly facts: HostFacts;
  /** Null when cells run as the gateway's own user. */
  readonly users: CellUsers | null;
  readonly setup: string;
}

function prepare(random: Random, system: HostSystem): Prepared {
  const checked = checkSystem(system);
  if (!checked.ok) {
    throw unavailable(
      `Cells need Linux on x86-64 or arm64; this is ${checked.found}.`,
      `${checked.alternatives} docs/cells.md says how.`,
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
  return { facts, users, setup: readSetup() };
}

/** The set-up program's text, as JavaScript. */
function readSetup(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const text = readFileSync(
    fileURLToPath(new URL(isSource ? './setup.ts' : './setup.js', import.meta.url)),
    'utf8',
  );
  return isSource ? stripTypeScriptTypes(text) : text;
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

/** @throws AppError `sandbox_spec_invalid` for what could not be passed on faithfully */
function checkSpec({ command, args, env, tcpPorts }: CellSpec): void {
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
}
