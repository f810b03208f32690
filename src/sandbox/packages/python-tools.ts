/**
 * What an installation from PyPI is done with: an interpreter that every cell sees, and pip as a wheel, which runs as it
 * is. Where the machine has no wheel of pip, one is fetched from the index, and used only if it is the one named here.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../kernel/index.ts';

export interface Interpreter {
  /** Absolute; the same in every cell. */
  readonly path: string;
  /** `3.11` */
  readonly version: string;
}

/** Where interpreters lie that every cell sees. What else is in these folders is no interpreter of one version. */
const INTERPRETER = /^\/usr\/(?:local\/)?bin\/python(3\.\d{1,2})$/;

/** Links from a tree of Python's to its interpreter; the only ones that lead out of it. */
export const interpreterLinks: RegExp = INTERPRETER;

/** The one that `python3` leads to. */
const usual = ['/usr/local/bin/python3', '/usr/bin/python3'];

/**
 * @param configured the operator's choice, as `packages.python` names it
 * @throws AppError `package_python_missing`, `package_python_unusable`
 */
export function findInterpreter(configured?: string): Interpreter {
  const given = configured ?? usual.find((path) => existsSync(path));
  if (given === undefined || !existsSync(given)) {
    throw new AppError(
      'package_python_missing',
      given === undefined
        ? 'Python was not found on this machine.'
        : `The setting \`packages.python\` names ${given}, which is not there.`,
      {
        kind: 'failed',
        hint: "Install Python 3 with the system's package manager: cells see /usr/bin and /usr/local/bin.",
      },
    );
  }
  const path = realpathSync(given);
  const version = INTERPRETER.exec(path)?.[1];
  if (version !== undefined) return { path, version };
  throw new AppError('package_python_unusable', `${given} is ${path}, which no cell can run.`, {
    kind: 'failed',
    hint: 'Set `packages.python` to /usr/bin/python3.N or /usr/local/bin/python3.N.',
  });
}

/** @param version the one that a tree was made for, `3.N` @throws AppError `package_python_missing` */
export function assertInterpreter(version: string | undefined): void {
  const folders = ['/usr/local/bin', '/usr/bin'];
  if (version === undefined || folders.some((folder) => existsSync(join(folder, `python${version}`)))) return;
  throw new AppError(
    'package_python_missing',
    `The package was installed for Python ${version}, which this machine does not have any more.`,
    { kind: 'failed', hint: 'Install that Python, or the package again with "sallyport server upgrade".' },
  );
}

/** The wheel that is fetched where the machine has none, by its name and its SHA-256. Runs on Python 3.9 and later. */
export const pinnedPip = {
  file: 'pip-25.3-py3-none-any.whl',
  sha256: '9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd',
} as const;

/** Older ones cannot report what they installed. */
const OLDEST_PIP = [22, 2] as const;

/** A wheel of pip in a folder that every cell sees, the newest; null where there is none. */
export function findPip({ version }: Interpreter, root = '/usr'): string | null {
  const folders = [
    'share/python-wheels',
    `lib/python${version}/ensurepip/_bundled`,
    `lib64/python${version}/ensurepip/_bundled`,
    `local/lib/python${version}/ensurepip/_bundled`,
  ];
  const found = folders
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).flatMap((name) => wheelOfPip(folder, name)))
    .sort((one, other) => other.order - one.order);
  return found[0]?.path ?? null;
}

function wheelOfPip(folder: string, name: string): readonly { path: string; order: number }[] {
  const [, major, minor] = /^pip-(\d{1,3})\.(\d{1,3})[.\d]*-py3-none-any\.whl$/.exec(name) ?? [];
  if (major === undefined || minor === undefined) return [];
  const order = Number(major) * 1_000 + Number(minor);
  return order < OLDEST_PIP[0] * 1_000 + OLDEST_PIP[1] ? [] : [{ path: join(folder, name), order }];
}
