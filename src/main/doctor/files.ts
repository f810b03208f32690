/** Whether what lies in the home is its owner's alone. */
import type { Check } from '../../cli/index.ts';
import { homeFiles } from '../config.ts';
import type { Machine } from './machine.ts';

/** Bits that nobody else may have. */
const PRIVATE = 0o077;
/** For what others may read but not change. */
const UNCHANGED = 0o022;

export function checkHome(home: string, machine: Machine): Check {
  return checkPrivate('home', home, machine);
}

export function checkMasterKey(home: string, machine: Machine): Check {
  return checkPrivate('master key', homeFiles(home).masterKey, machine);
}

function checkPrivate(name: string, path: string, machine: Machine): Check {
  const entry = machine.entry(path);
  if (entry === null) return { name, ok: false, found: `${path} is not there`, fix: 'sallyport init' };
  const found = `${path}, mode ${entry.mode.toString(8)}`;
  const fix = fixOf(path, entry, PRIVATE, machine);
  return { name, ok: fix === null, found, ...(fix === null ? {} : { fix }) };
}

/** Everything else in the home, as far as it is there. */
export function checkFiles(home: string, machine: Machine): Check {
  const files = homeFiles(home);
  const wanted: (readonly [string, number])[] = [
    ...[files.config, files.socket, files.gatewayLock, files.auditJournal, files.run, files.logs].map(
      (path) => [path, PRIVATE] as const,
    ),
    ...['', '-wal', '-shm'].map((suffix) => [`${files.database}${suffix}`, PRIVATE] as const),
    ...[files.packages, files.proxy].map((path) => [path, UNCHANGED] as const),
  ];
  const there = wanted.flatMap(([path, closed]) => {
    const entry = machine.entry(path);
    return entry === null ? [] : [{ path, closed, entry }];
  });
  const wrong = there.flatMap(({ path, closed, entry }) => {
    const fix = fixOf(path, entry, closed, machine);
    return fix === null ? [] : [{ path, mode: entry.mode.toString(8), fix }];
  });
  if (wrong.length === 0)
    return { name: 'files', ok: true, found: `${there.length} of the home, open to nobody else` };
  return {
    name: 'files',
    ok: false,
    found: wrong.map(({ path, mode }) => `${path} has mode ${mode}`).join(', '),
    fix: [...new Set(wrong.map(({ fix }) => fix))].join(' && '),
  };
}

/** @returns what to do; null when nothing is */
function fixOf(
  path: string,
  { mode, uid }: { readonly mode: number; readonly uid: number },
  closed: number,
  machine: Machine,
): string | null {
  // Root may read what belongs to others, but what it makes there they cannot use any more.
  if (uid !== machine.uid) return `sudo chown -R ${machine.uid} ${path}`;
  return (mode & closed) === 0 ? null : `chmod ${(mode & ~closed).toString(8)} ${path}`;
}
