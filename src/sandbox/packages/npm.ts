/**
 * Runs npm, outside of any cell, to fetch a package and what it depends on. Nothing of the package is executed: install
 * scripts are off, and npm itself cannot start a program. npm gets none of Sallyport's secrets; it does get the user's own npm settings, so that a company's
 * registry, proxy and certificate authority work as they do on the command line.
 */
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { delimiter, dirname, join } from 'node:path';
import { AppError, limits } from '../../kernel/index.ts';
import { npmFailure, PROGRAM_REFUSED } from './failure.ts';
import { findTools } from '../tools.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface NpmRun {
  /** Folder with the `package.json` to install into. */
  readonly folder: string;
  readonly args: readonly string[];
  /** What is being installed, for messages. */
  readonly spec: string;
  readonly node: string;
  /** The gateway's; only what npm needs is passed on. */
  readonly environment: Environment;
  readonly onLine: (line: string) => void;
}

/** Variables besides `npm_config_*` that say how this machine reaches the network and where the user's files are. */
const passedOn = new Set(
  `HOME USER LOGNAME PATH TMPDIR LANG XDG_CONFIG_HOME XDG_CACHE_HOME HTTP_PROXY HTTPS_PROXY NO_PROXY
   NODE_EXTRA_CA_CERTS SSL_CERT_FILE SSL_CERT_DIR`.split(/\s+/),
);

export function npmEnvironment(environment: Environment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && (passedOn.has(name.toUpperCase()) || /^npm_config_/i.test(name)))
      kept[name] = value;
  }
  return kept;
}

/** The last four are known to npm 11 and later, which then refuse before fetching; `checkSources` refuses for the others. */
const FLAGS = (
  '--ignore-scripts --omit=dev --no-audit --no-fund --save-exact --no-update-notifier ' +
  '--no-progress --loglevel=http --color=false --location=project --no-global --package-lock ' +
  '--allow-git=none --allow-remote=none --allow-file=none --allow-directory=none'
).split(' ');

/**
 * Loaded before npm: takes away the means to start a program. With scripts off npm needs none for packages of the registry,
 * but for a part that comes by git it runs git, as a file in that very part tells it to, and npm again inside of it.
 * Understood by Node 18.18 and later, of which the gateway's own is one.
 */
export const WITHOUT_PROGRAMS = `data:text/javascript,${encodeURIComponent(`
  import programs from 'node:child_process';
  import { syncBuiltinESMExports } from 'node:module';
  for (const name of ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync'])
    programs[name] = () => {
      throw Object.assign(new Error('a part of the package wants a program to be started'), { code: '${PROGRAM_REFUSED}' });
    };
  syncBuiltinESMExports();`)}`;

/** @throws AppError `package_npm_missing`, `package_not_found`, `package_registry_unreachable`, `package_source_refused`, `package_install_failed`, … */
export async function runNpm({ folder, args, spec, node, environment, onLine }: NpmRun): Promise<void> {
  const npm = findNpm(node, environment['PATH']);
  if (npm === null) {
    throw new AppError('package_npm_missing', 'npm was not found on this machine.', {
      kind: 'failed',
      hint: 'Install npm, or put the folder that has it on PATH.',
    });
  }
  // npm must not go on when the gateway is killed.
  const setpriv = findTools().found.setpriv;
  const bound = setpriv === undefined ? [] : [setpriv, '--pdeathsig=KILL', '--'];
  const [program = npm.node, ...rest] = [
    ...bound,
    npm.node,
    `--import=${WITHOUT_PROGRAMS}`,
    npm.cli,
    ...args,
    ...FLAGS,
  ];
  const child = spawn(program, rest, {
    cwd: folder,
    env: npmEnvironment(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const lines: string[] = [];
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on('line', (line) => {
      lines.push(line);
      if (lines.length > limits.packageInstallLinesMax) lines.shift();
      onLine(line);
    });
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, limits.packageInstallTimeoutMs);
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (exitCode) => resolve(exitCode));
  });
  clearTimeout(timer);
  if (code !== 0) throw npmFailure({ spec, lines, timedOut });
}

interface Npm {
  readonly cli: string;
  readonly node: string;
}

/**
 * npm's own program: beside the gateway's Node, or where PATH leads. Run by the gateway's Node, except for the one that
 * Debian packages, whose parts only Debian's Node finds.
 */
export function findNpm(node: string, path = ''): Npm | null {
  const beside = join(dirname(dirname(node)), 'lib/node_modules/npm/bin/npm-cli.js');
  const onPath = path
    .split(delimiter)
    .filter((folder) => folder.startsWith('/'))
    .flatMap((folder) => [
      cliOf(join(folder, 'npm')),
      join(dirname(folder), 'lib/node_modules/npm/bin/npm-cli.js'),
    ]);
  const usual = ['/usr/lib/node_modules/npm/bin/npm-cli.js', '/usr/share/nodejs/npm/bin/npm-cli.js'];
  const cli = [beside, ...onPath, ...usual].find((candidate) => candidate !== null && existsSync(candidate));
  if (cli === undefined || cli === null) return null;
  const debian = cli.startsWith('/usr/share/nodejs/') && existsSync('/usr/bin/node');
  return { cli, node: debian ? '/usr/bin/node' : node };
}

/** Where a link named `npm` leads, if that is npm's program and not a wrapper of another tool. */
function cliOf(link: string): string | null {
  try {
    const real = realpathSync(link);
    return real.endsWith('/npm-cli.js') ? real : null;
  } catch {
    return null;
  }
}
