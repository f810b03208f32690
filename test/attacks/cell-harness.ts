/**
 * Runs programs in real cells, as root and as an unprivileged user, and the same programs outside for the control. Each
 * attack is a program under `probes/` that prints what it achieved as JSON.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CellExit, CellSpec } from '../../src/sandbox/index.ts';
import { ownProgram } from '../own-process.ts';

/** Which user the gateway is. Its cells must hold either way. */
export type Mode = 'root' | 'user';

const isRoot = process.getuid?.() === 0;

/** An unprivileged runner can only be itself. */
export const modes: readonly Mode[] = isRoot ? ['root', 'user'] : ['user'];

/** How a cell comes about, and under whom. It must hold either way. */
export interface Way {
  readonly way: string;
  readonly mode: Mode;
  /** How many cells wait before it is started: it becomes one of them. */
  readonly prepared: number;
}
export const ways: readonly Way[] = modes.flatMap((mode) => [
  { way: mode, mode, prepared: 0 },
  { way: `${mode}, in a cell that was prepared ahead`, mode, prepared: 1 },
]);

/** User of the gateway in mode `user`, when the tests run as root. Any id that owns nothing. */
const USER = 54_321;

export interface DriverInput {
  /** Started one after the other, each once the one before printed READY. When the last ends, the others are killed. */
  readonly cells: readonly (Pick<CellSpec, 'command'> & Partial<CellSpec>)[];
  readonly hold?: boolean;
  /** When the last prints HELD, each of the others is sent a line and its answer awaited; then the last is sent one. */
  readonly held?: boolean;
  /** Command that is run to its end while each cell is built: its grants were checked, and are not mounted yet. */
  readonly meanwhile?: readonly string[];
  /** That many prepared cells are waiting before the first is started. */
  readonly prepared?: number;
}

export interface CellReport {
  readonly exit: CellExit;
  readonly stdout: string;
  readonly stderr: string;
  /** What reached the gateway's listeners, e.g. `tcp 443 ::ffff:192.0.2.1`. */
  readonly arrived: readonly string[];
  /** Whether it was prepared before anybody knew what it would be. */
  readonly wasPrepared: boolean;
}

export interface DriverReport {
  readonly cells: readonly CellReport[];
}

/** A place of the tests' own, readable by every user, with the probes in it. */
export interface Stage {
  readonly folder: string;
  readonly probes: string;
  /** Grants the probes to a cell, at `/probes`. */
  readonly grant: CellSpec['files'];
  home(mode: Mode): string;
  remove(): void;
}

const here = import.meta.dirname;
const repository = join(here, '../..');

export function makeStage(): Stage {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-attack-'));
  chmodSync(folder, 0o755);
  const probes = join(folder, 'probes');
  mkdirSync(probes, { mode: 0o755 });
  for (const name of readdirSync(join(here, 'probes'))) {
    copyFileSync(join(here, 'probes', name), join(probes, name));
    chmodSync(join(probes, name), 0o644);
  }
  return {
    folder,
    probes,
    grant: [{ host: probes, cell: '/probes', write: false }],
    home(mode) {
      const home = join(folder, `home-${mode}`);
      if (!existsSync(home)) {
        mkdirSync(home, { mode: 0o700 });
        if (mode === 'user' && isRoot) execFileSync('/usr/bin/chown', [`${USER}:${USER}`, home]);
      }
      return home;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * As a user who may not be able to reach this checkout, the driver gets it through a mount of its own.
 * Arguments: mount, stage folder, repository, node, user id, the driver's arguments.
 */
const asUser = `set -eu
stage=$1 repository=$2 node=$3 user=$4
shift 4
mkdir -p "$stage/repository"
: >>"$stage/node"
mount --bind "$repository" "$stage/repository"
mount --bind "$node" "$stage/node"
exec setpriv --reuid="$user" --regid="$user" --clear-groups "$stage/node" \\
  --import "$stage/repository/test/take-built.mjs" "$stage/repository/test/attacks/cell-driver.ts" "$@"
`;

export interface DriverOptions {
  /** Shell text that root runs first, in a mount namespace that only the gateway and its cells share. */
  readonly prepare?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Descriptors that the gateway is given from outside, from number 3 on. */
  readonly extra?: readonly number[];
}

/** Starts the driver without waiting for it. */
export function spawnDriver(
  stage: Stage,
  mode: Mode,
  input: DriverInput,
  options: DriverOptions = {},
): ChildProcess {
  const rest = [stage.home(mode), JSON.stringify(input)];
  const [program, args]: [string, readonly string[]] =
    isRoot && mode === 'user'
      ? [
          '/usr/bin/unshare',
          [
            '--mount',
            '/bin/sh',
            '-c',
            asUser,
            'sh',
            stage.folder,
            repository,
            process.execPath,
            `${USER}`,
            ...rest,
          ],
        ]
      : [process.execPath, [...ownProgram(join(here, 'cell-driver.ts')), ...rest]];
  const command = [...prepared(options.prepare), program, ...args];
  return spawn(command[0] ?? '', command.slice(1), {
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', NODE_NO_WARNINGS: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.extra ?? [])],
  });
}

const prepared = (text: string | undefined): readonly string[] =>
  text === undefined
    ? []
    : ['/usr/bin/unshare', '--mount', '--propagation=private', '/bin/sh', '-c', `${text}\nexec "$@"`, 'sh'];

/** Runs cells to their end. */
export async function runCells(
  stage: Stage,
  mode: Mode,
  input: DriverInput,
  options?: DriverOptions,
): Promise<readonly CellReport[]> {
  const { stdout, stderr } = await output(spawnDriver(stage, mode, input, options));
  const line = stdout.split('\n').find((found) => found.startsWith('{'));
  if (line === undefined) throw new Error(`the driver failed: ${stderr}`);
  return (JSON.parse(line) as DriverReport).cells;
}

/** Runs one cell to its end. */
export async function runCell(
  stage: Stage,
  mode: Mode,
  cell: DriverInput['cells'][number],
  options?: DriverOptions & Pick<DriverInput, 'meanwhile' | 'prepared'>,
): Promise<CellReport> {
  const { meanwhile = [], prepared = 0, ...driver } = options ?? {};
  const input = { cells: [{ files: stage.grant, ...cell }], meanwhile, prepared };
  const [report] = await runCells(stage, mode, input, driver);
  if (report === undefined) throw new Error('no report');
  if (report.wasPrepared !== prepared > 0) throw new Error('the cell did not come about as it was to');
  return report;
}

/** Runs a command outside of any cell: the control. */
export async function runOutside(command: readonly string[], options: DriverOptions = {}): Promise<string> {
  const [program = '', ...args] = [...prepared(options.prepare), ...command];
  const { stdout } = await output(
    spawn(program, args, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', ...(options.extra ?? [])],
    }),
  );
  return stdout;
}

export async function output(
  child: ChildProcess,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await new Promise((resolve) => child.once('close', resolve));
  return { stdout, stderr };
}

/** Python of the system: the way to raw system calls without a compiler. Visible in cells, as part of `/usr`. */
export const python = '/usr/bin/python3';
export const hasPython = existsSync(python);
export const needsPython = hasPython ? '' : ' (waits for /usr/bin/python3)';

/** For the native part of a package, compiled as its install script would. */
const compiler = '/usr/bin/gcc';
export const hasCompiler = existsSync(compiler);
export const needsCompiler = hasCompiler ? '' : ' (waits for /usr/bin/gcc)';

/** Compiles `probes/syscall-addon.c` for Node, to where `stage.grant` shows it as `/probes/syscall.node`. */
export function compileAddon(stage: Stage): void {
  const [from, to] = [join(stage.probes, 'syscall-addon.c'), join(stage.probes, 'syscall.node')];
  execFileSync(compiler, ['-shared', '-fPIC', '-O1', '-o', to, from]);
}

/** What a probe achieved, by the name of the attempt: `ok`, or the error's name. */
export type Outcomes = Readonly<Record<string, string>>;

/** The last line of a probe's output. */
export function outcomes(stdout: string): Outcomes {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  return JSON.parse(line) as Outcomes;
}
