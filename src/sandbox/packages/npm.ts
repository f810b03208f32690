/**
 * Installs npm packages by running npm in an install cell. Scripts of the package and its parts are not run, and npm itself
 * cannot start a program, unless the operator allows it; then they run in that cell, which holds nothing and reaches only
 * the registry. What npm leaves is read and checked, never believed.
 */
import { existsSync, realpathSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { AppError, limits } from '../../kernel/index.ts';
import { npmPackageFacts } from './facts.ts';
import { npmFailure, PROGRAM_REFUSED } from './failure.ts';
import type { InstallCell, InstallNetwork } from './install-cell.ts';
import type { Installer, Wanted } from './installer.ts';
import type { NpmSettings } from './npm-settings.ts';
import { openArchives } from './offline-registry.ts';
import { removeTree } from './removal.ts';
import { writeWithin } from './staging.ts';

export interface NpmInstallerDependencies {
  /** The gateway's Node: npm is looked for beside it first. */
  readonly node: string;
  /** `PATH` of the gateway. */
  readonly path: string;
  readonly settings: () => NpmSettings;
}

/** The last four are known to npm 11 and later, which then refuse before fetching; `checkSources` refuses for the others. */
const FLAGS = (
  '--omit=dev --no-audit --no-fund --save-exact --no-update-notifier ' +
  '--no-progress --loglevel=http --color=false --location=project --no-global --package-lock ' +
  '--omit-lockfile-registry-resolved ' +
  '--allow-git=none --allow-remote=none --allow-file=none --allow-directory=none'
).split(' ');

/** npm's own cache and settings, in the folder that it fills: removed before anybody looks at it. */
const OWN_FILES = ['.sallyport-cache', '.npmrc', '.sallyport-npmrc'];

const NPM_ROOT = { name: 'sallyport-package', version: '0.0.0', private: true };
const npmRoot = (dependencies: Readonly<Record<string, string>>): string =>
  `${JSON.stringify({ ...NPM_ROOT, dependencies }, null, 2)}\n`;

/** Where npm lies in the cell, if it is not in a folder that every cell sees. */
const TOOL = '/sallyport/tools/npm';

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

export function createNpmInstaller({ node, path, settings }: NpmInstallerDependencies): Installer {
  return {
    kind: 'npm',
    async install(want, into, cell, tell, signal) {
      const npm = findNpm(node, path);
      if (npm === null) {
        throw new AppError('package_npm_missing', 'npm was not found on this machine.', {
          kind: 'failed',
          hint: 'Install npm, or put the folder that has it on PATH.',
        });
      }
      const source = await sourceOf(want, settings);
      await prepare(want, into, source.npmrc);
      await run({ npm, want, into, cell, network: source.network, handedOn: source.handedOn, tell, signal });
      await Promise.all(OWN_FILES.map((name) => removeTree(join(into, name))));
      tell(`checking ${nameOf(want)}`);
      const finished = await npmPackageFacts(into, want);
      // npm's note of what it did last: the tree is the same whichever way it was made. That its folder is one, and no link
      // that leads elsewhere, was just checked.
      await removeTree(join(into, 'node_modules/.package-lock.json'));
      await writeWithin(into, 'package.json', npmRoot({ [want.name]: finished.facts.version }));
      return finished;
    },
  };
}

const nameOf = ({ name, version }: Wanted): string => (version === undefined ? name : `${name}@${version}`);

interface Source {
  readonly npmrc: string;
  readonly network: InstallNetwork;
  readonly handedOn: Readonly<Record<string, string>>;
}

async function sourceOf(want: Wanted, settings: () => NpmSettings): Promise<Source> {
  if (want.from.length > 0) {
    const archives = await openArchives(want.from);
    return {
      npmrc: `registry=${archives.url}\n`,
      network: { kind: 'answers', answer: (path) => archives.answer(path) },
      handedOn: { 'fetch-retries': '0' },
    };
  }
  const { registry, scopes, logins, handedOn, hosts } = settings();
  const lines = [
    `registry=${registry.url}`,
    ...Object.entries(scopes).map(([scope, { url }]) => `${scope}:registry=${url}`),
    ...logins.map(
      ({ place, scheme, variable }) =>
        `${place}:${scheme === 'Bearer' ? '_authToken' : '_auth'}=\${${variable}}`,
    ),
    // The archives' addresses are then of the registry's choosing, and the name that stands for an address is ours.
    ...(registry.host.dial === undefined ? [] : ['replace-registry-host=always']),
  ];
  const known = [registry, ...Object.values(scopes)].map(({ host }) => host);
  const all = new Map([...known, ...hosts].map((host) => [`${host.host}:${host.port}`, host]));
  return {
    npmrc: `${lines.join('\n')}\n`,
    network: { kind: 'registry', hosts: [...all.values()], logins },
    handedOn,
  };
}

async function prepare(want: Wanted, into: string, npmrc: string): Promise<void> {
  await writeFile(join(into, '.npmrc'), npmrc);
  if (want.lockfile === undefined) return writeFile(join(into, 'package.json'), npmRoot({}));
  await writeFile(join(into, 'package.json'), npmRoot({ [want.name]: want.version ?? '' }));
  await writeFile(join(into, 'package-lock.json'), want.lockfile);
}

/** How npm says that it runs a script. A script can write such a line too, so it says no more than a name can. */
const SCRIPT_LINE = /^> ([\w@/.+-]{1,214}) (preinstall|install|postinstall)$/;

interface Run {
  readonly npm: Npm;
  readonly want: Wanted;
  readonly into: string;
  readonly cell: InstallCell;
  readonly network: InstallNetwork;
  readonly handedOn: Readonly<Record<string, string>>;
  readonly tell: (message: string) => void;
  readonly signal: AbortSignal;
}

async function run({ npm, want, into, cell, network, handedOn, tell, signal }: Run): Promise<void> {
  const wanted = nameOf(want);
  tell(`fetching ${wanted}`);
  let answers = 0;
  const lines: string[] = [];
  const action =
    // With a tag, npm resolves it once and saves the exact version it found.
    want.lockfile === undefined
      ? ['install', want.version === undefined ? `${want.name}@latest` : wanted]
      : ['ci'];
  const guarded = want.allowScripts
    ? { before: [], after: ['--foreground-scripts'] }
    : { before: [`--import=${WITHOUT_PROGRAMS}`], after: ['--ignore-scripts'] };
  const settings = Object.entries(handedOn).map(([name, value]) => `--${name}=${value}`);
  const end = await cell.run({
    label: `npm:${wanted}`,
    command: [npm.node, ...guarded.before, npm.cli, ...action, ...guarded.after, ...FLAGS, ...settings],
    env: {
      npm_config_cache: '/package/.sallyport-cache',
      npm_config_userconfig: '/package/.sallyport-npmrc',
    },
    staging: into,
    tools: npm.tools,
    network,
    bytesMax: limits.packageInstallBytesMax,
    memoryMiB: limits.packageInstallMemoryMiB,
    onLine(line) {
      lines.push(line);
      if (lines.length > limits.packageInstallLinesMax) lines.shift();
      if (line.startsWith('npm http fetch GET 200 ')) tell(`fetching ${wanted}: ${++answers} done`);
      const [, part, script] = SCRIPT_LINE.exec(line) ?? [];
      if (want.allowScripts && part !== undefined) tell(`running ${script} of ${part}`);
    },
    signal,
  });
  if (end.code !== 0) throw npmFailure({ spec: `npm:${wanted}`, lines, end });
}

interface Npm {
  /** npm's program and the Node that runs it, as the cell sees them. */
  readonly cli: string;
  readonly node: string;
  readonly tools: readonly { readonly host: string; readonly cell: string }[];
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
  const found = [beside, ...onPath, ...usual].find(
    (candidate) => candidate !== null && existsSync(candidate),
  );
  if (found === undefined || found === null) return null;
  const cli = realpathSync(found);
  // Every cell has these.
  if (cli.startsWith('/usr/')) {
    const debian = cli.startsWith('/usr/share/nodejs/') && existsSync('/usr/bin/node');
    return { cli, node: debian ? '/usr/bin/node' : 'node', tools: [] };
  }
  return {
    cli: `${TOOL}/bin/npm-cli.js`,
    node: 'node',
    tools: [{ host: dirname(dirname(cli)), cell: TOOL }],
  };
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
