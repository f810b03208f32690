/**
 * Installs packages from PyPI by running pip in an install cell. Only wheels are taken, which are unpacked and nothing
 * else, unless the operator allows that sources are built; then that is done in the cell, which holds nothing and reaches
 * only the index. What pip leaves is read and checked, never believed.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../kernel/index.ts';
import type { InstallCell, InstallEnd, InstallNetwork } from './install-cell.ts';
import type { Installer, Wanted } from './installer.ts';
import { pypiFacts } from './pypi-facts.ts';
import { missingPart, pypiFailure } from './pypi-failure.ts';
import { INSTALL_SCRIPT, installScriptArguments, OWN_LINE, PIP_SCRIPT, workFiles } from './pypi-script.ts';
import type { PypiSettings } from './pypi-settings.ts';
import {
  assertInterpreter,
  findInterpreter,
  findPip,
  type Interpreter,
  interpreterLinks,
  pinnedPip,
} from './python-tools.ts';
import { removeTree } from './removal.ts';
import { below, entriesOf } from './walk.ts';
import { openWheels } from './wheel-index.ts';

export interface PypiInstallerDependencies {
  readonly settings: () => PypiSettings;
  /** Where wheels of pip are looked for; tests name another. */
  readonly system?: string;
}

/** `--isolated` keeps pip from variables and settings; the rest keeps it from asking, caching and looking for itself. */
const FLAGS = '--isolated --disable-pip-version-check --no-input --no-cache-dir --no-color'.split(' ');

export function createPypiInstaller({ settings, system }: PypiInstallerDependencies): Installer {
  return {
    kind: 'pypi',
    linkTargets: interpreterLinks,
    check({ python }) {
      assertInterpreter(python);
    },
    async install(want, into, cell, tell, signal) {
      const source = await sourceOf(want, settings());
      const interpreter = findInterpreter(source.python);
      const run: Run = {
        want,
        into,
        cell,
        tell,
        signal,
        source,
        interpreter,
        pip: findPip(interpreter, system),
      };
      if (want.lockfile !== undefined) await writeFile(join(into, workFiles.requirements), want.lockfile);
      await install(run);
      tell(`checking ${nameOf(want)}`);
      const finished = await pypiFacts(into, want, interpreter);
      await keepOnly(into, 'venv');
      return finished;
    },
  };
}

interface Source {
  readonly index: string;
  readonly network: InstallNetwork;
  /** Who asks the index; empty where it does not want to know. */
  readonly user: string;
  readonly python?: string;
}

interface Run {
  readonly want: Wanted;
  readonly into: string;
  readonly cell: InstallCell;
  readonly tell: (message: string) => void;
  readonly signal: AbortSignal;
  readonly source: Source;
  readonly interpreter: Interpreter;
  /** Null: the script fetches it. */
  readonly pip: string | null;
}

const nameOf = ({ name, version }: Wanted): string => (version === undefined ? name : `${name}==${version}`);

async function sourceOf(want: Wanted, { index, hosts, login, python }: PypiSettings): Promise<Source> {
  const chosen = python === undefined ? {} : { python };
  if (want.from.length === 0) {
    const logins = login === undefined ? [] : [login];
    return { index, network: { kind: 'registry', hosts, logins }, user: login?.user ?? '', ...chosen };
  }
  const wheels = await openWheels(want.from);
  return {
    index: wheels.url,
    network: { kind: 'answers', answer: (path) => wheels.answer(path) },
    user: '',
    ...chosen,
  };
}

/** @throws AppError when pip does not come to a good end */
async function install(run: Run): Promise<void> {
  const { want, tell, source, interpreter, pip } = run;
  const wanted = nameOf(want);
  tell(`fetching ${wanted}`);
  let fetched = 0;
  const what =
    want.lockfile === undefined
      ? [wanted]
      : ['--no-deps', '--require-hashes', '-r', `/package/${workFiles.requirements}`];
  const { lines, end } = await runScript(
    run,
    INSTALL_SCRIPT,
    [
      ...installScriptArguments(interpreter, pip, source.index, source.user),
      'install',
      ...FLAGS,
      ...from(source),
      ...(want.allowScripts ? [] : ['--only-binary=:all:']),
      '--no-compile',
      '--progress-bar=off',
      '--retries=3',
      '--no-warn-script-location',
      `--report=/package/${workFiles.report}`,
      ...what,
    ],
    (line) => {
      if (/^ *Downloading /.test(line)) tell(`fetching ${wanted}: ${++fetched} done`);
      if (line.startsWith('Installing collected packages')) tell(`unpacking ${wanted}`);
      if (line === `${OWN_LINE}compiling`) tell(`compiling ${wanted}`);
    },
  );
  if (end.code === 0) return;
  const missing = missingPart(lines);
  // pip says the same of what is not there, what it could not ask for, and what is there in another form only.
  const asked = missing === null || end.stopped !== null ? null : await ask(run, missing);
  throw pypiFailure({ spec: `pypi:${wanted}`, interpreter, lines, end, asked });
}

/** Asks the index about one package, in words of pip's. */
async function ask(run: Run, name: string): Promise<readonly string[]> {
  const { interpreter, source } = run;
  const pip = run.pip ?? `/package/${workFiles.folder}/${pinnedPip.file}`;
  const command = ['index', 'versions', ...FLAGS, '--retries=0', '-vv', ...from(source), name];
  const { lines } = await runScript(
    run,
    PIP_SCRIPT,
    [interpreter.path, pip, source.index, source.user, ...command],
    () => undefined,
  );
  return lines;
}

const from = ({ index }: Source): readonly string[] => {
  const { protocol, host } = new URL(index);
  return [
    `--index-url=${index}`,
    ...(protocol === 'http:' ? [`--trusted-host=${host}`] : ['--cert=/etc/ssl/certs/ca-certificates.crt']),
  ];
};

async function runScript(
  { want, into, cell, signal, source }: Run,
  script: string,
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<{ readonly lines: readonly string[]; readonly end: InstallEnd }> {
  const lines: string[] = [];
  const end = await cell.run({
    label: `pypi:${nameOf(want)}`,
    command: ['/bin/sh', '-c', script, 'sh', ...args],
    env: {},
    staging: into,
    tools: [],
    network: source.network,
    bytesMax: limits.packageInstallBytesMax,
    memoryMiB: limits.packageInstallMemoryMiB,
    onLine(line) {
      lines.push(line);
      if (lines.length > limits.packageInstallLinesMax) lines.shift();
      onLine(line);
    },
    signal,
  });
  return { lines, end };
}

/** Removes everything at the top of a folder but one entry. */
async function keepOnly(folder: string, kept: string): Promise<void> {
  const top = Buffer.from(folder);
  const stays = below(top, kept);
  for await (const entries of entriesOf(top))
    for (const { path } of entries) if (!path.equals(stays)) await removeTree(path);
}
