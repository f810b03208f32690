/** `server` of kind `sandboxed`: the program in a cell, what it is given, and what it may see of the machine. */
import type { CellLimits, FileGrant, SandboxedServerSpec } from './types.ts';
import { envNameFault, soundsSecret } from './env-name.ts';
import {
  type Cursor,
  type Fields,
  readChoice,
  readEach,
  readEntries,
  readFields,
  readFlag,
  readInteger,
  readList,
  readTenths,
  readText,
  refuse,
} from './fields.ts';
import { parsePackageSpec } from './package-spec.ts';
import type { Report } from './report.ts';

const COMMAND_EXPECTED = 'a list that begins with the program, e.g. [mcp-server-github]';

export function readSandboxed(fields: Fields, report: Report): SandboxedServerSpec | undefined {
  const packageAt = fields.get('package');
  const packageText = readPackage(packageAt, report);
  const command = readCommand(fields.need('command', COMMAND_EXPECTED), report);
  const args = readArguments(fields.get('args'), report);
  const env = readEnv(fields.get('env'), report);
  const files = readFiles(fields.get('files'), report);
  const limits = readLimits(fields.get('limits'), report);
  const idleAt = fields.get('idleSeconds');
  const idleSeconds = readInteger(idleAt, { min: 1, max: 86_400 }, report);
  const sharedAt = fields.get('shared');
  const shared = readFlag(sharedAt, report);
  const addressesAt = fields.get('addresses');
  const addresses =
    addressesAt === undefined ? 'synthetic' : readChoice(addressesAt, ['synthetic', 'real'], report);
  const incomplete =
    (packageAt !== undefined && packageText === undefined) ||
    (idleAt !== undefined && idleSeconds === undefined) ||
    (sharedAt !== undefined && shared === undefined);
  if (incomplete || command === undefined || args === undefined || env === undefined) return undefined;
  if (files === undefined || limits === undefined || addresses === undefined) return undefined;
  return {
    kind: 'sandboxed',
    ...(packageText === undefined ? {} : { package: packageText }),
    command,
    args,
    env,
    files,
    limits,
    ...(idleSeconds === undefined ? {} : { idleSeconds }),
    ...(shared === true ? { shared } : {}),
    addresses,
  };
}

function readPackage(cursor: Cursor | undefined, report: Report): string | undefined {
  const text = readText(cursor, 'npm:NAME@X.Y.Z or pypi:NAME==X.Y.Z', report);
  if (cursor === undefined || text === undefined) return undefined;
  const parsed = parsePackageSpec(text);
  if (!parsed.ok) refuse(cursor, parsed.error, report);
  else if (parsed.value.version === undefined) {
    const pinned = parsed.value.registry === 'npm' ? `${text}@X.Y.Z` : `${text}==X.Y.Z`;
    refuse(
      cursor,
      {
        code: 'manifest_package_unpinned',
        message: 'the package has no version, so it could change unseen',
        expected: pinned,
      },
      report,
    );
  }
  return text;
}

function readCommand(cursor: Cursor | undefined, report: Report): readonly string[] | undefined {
  const words = readList(cursor, COMMAND_EXPECTED, report);
  if (cursor === undefined || words === undefined) return undefined;
  const [program] = words;
  if (program === undefined) {
    refuse(
      cursor,
      { code: 'manifest_command_empty', message: 'the list is empty', expected: COMMAND_EXPECTED },
      report,
    );
  }
  const command = readEach(words, (word) => readArgument(word, report));
  const name = command?.[0];
  if (
    program !== undefined &&
    name !== undefined &&
    !/^(?:\/(?!\/)[^\s]+|[A-Za-z0-9_][A-Za-z0-9_.+-]*)$/.test(name)
  ) {
    refuse(
      program,
      {
        code: 'manifest_command_program',
        message: `${JSON.stringify(name)} is not a program`,
        expected: 'the name of a bin of the package, or an absolute path in the cell',
      },
      report,
    );
  }
  return command;
}

function readArguments(cursor: Cursor | undefined, report: Report): readonly string[] | undefined {
  if (cursor === undefined) return [];
  return readEach(readList(cursor, 'a list of texts', report), (item) => readArgument(item, report));
}

const readArgument = (cursor: Cursor, report: Report): string | undefined => readText(cursor, 'text', report);

function readEnv(cursor: Cursor | undefined, report: Report): Readonly<Record<string, string>> | undefined {
  if (cursor === undefined) return {};
  const entries = readEntries(cursor, 'a map of variable names to texts', report);
  const pairs = entries?.map(({ key, keyAt, value }): [string, string] | undefined => {
    const text = readArgument(value, report);
    const fault = envNameFault(key);
    if (fault !== undefined) report.error(keyAt, value.path, fault);
    if (soundsSecret(key) && text !== undefined && text !== '') {
      report.warn(keyAt, value.path, {
        code: 'manifest_env_sounds_secret',
        message: `${key} sounds like a key, and a manifest is no place for one`,
        expected: 'an entry under credentials',
      });
    }
    return text === undefined ? undefined : [key, text];
  });
  const complete = pairs?.filter((pair) => pair !== undefined);
  return complete === undefined || complete.length !== pairs?.length
    ? undefined
    : Object.fromEntries(complete);
}

const FILE_KEYS = ['host', 'cell', 'write'] as const;

/** What the cell itself mounts, and what of the host would be a way out of the cell. */
const CELL_OWNED =
  /^\/(?:$|(?:proc|sys|dev|usr|bin|sbin|lib|lib32|lib64|libx32|etc|run|var\/run|package|sallyport)(?:\/|$))/;
const HOST_OWNED = /^\/(?:$|(?:proc|sys|dev|run|boot|var\/run)(?:\/|$))/;

function readFiles(cursor: Cursor | undefined, report: Report): readonly FileGrant[] | undefined {
  if (cursor === undefined) return [];
  const places: string[] = [];
  return readEach(readList(cursor, 'a list of { host: /PATH, cell: /PATH }', report), (item) => {
    const fields = readFields(item, FILE_KEYS, report);
    if (fields === undefined) return undefined;
    const host = readAbsolutePath(
      fields.need('host', 'an absolute path on this machine'),
      HOST_OWNED,
      report,
    );
    const cellAt = fields.need('cell', 'an absolute path in the cell');
    const cell = readAbsolutePath(cellAt, CELL_OWNED, report);
    if (cellAt !== undefined && cell !== undefined) checkApart(cellAt, cell, places, report);
    const writeAt = fields.get('write');
    const write = writeAt === undefined ? false : readFlag(writeAt, report);
    return host === undefined || cell === undefined || write === undefined
      ? undefined
      : { host, cell, write };
  });
}

/** @param places where earlier grants are shown; gets this one's */
function checkApart(cursor: Cursor, cell: string, places: string[], report: Report): void {
  const folder = cell.endsWith('/') ? cell : `${cell}/`;
  const other = places.find((place) => place.startsWith(folder) || folder.startsWith(place));
  if (other !== undefined) {
    refuse(
      cursor,
      {
        code: 'manifest_file_nested',
        message: `${JSON.stringify(cell)} and the earlier ${JSON.stringify(other)} lie in each other`,
        expected: 'a folder of its own in the cell for each',
      },
      report,
    );
  }
  places.push(folder);
}

function readAbsolutePath(cursor: Cursor | undefined, owned: RegExp, report: Report): string | undefined {
  const path = readText(cursor, 'an absolute path', report);
  if (cursor === undefined || path === undefined) return undefined;
  if (
    !path.startsWith('/') ||
    /\/(?:\.{0,2})(?:\/|$)/.test(path.length > 1 ? path.replace(/\/$/, '') : '/x')
  ) {
    return refuse(
      cursor,
      {
        code: 'manifest_file_path',
        message: `${JSON.stringify(path)} is not an absolute path in its normal form`,
        expected: 'e.g. /home/me/notes, without . or .. or //',
      },
      report,
    );
  }
  if (owned.test(path)) {
    refuse(
      cursor,
      {
        code: 'manifest_file_reserved',
        message: `${JSON.stringify(path)} belongs to the machine or to the cell itself`,
        expected: 'a folder of its own, e.g. /data',
      },
      report,
    );
  }
  return path;
}

/** Below these nothing starts; above them a typing error is likelier. */
const LIMIT_BOUNDS = {
  memoryMiB: { min: 16, max: 1_048_576 },
  processes: { min: 1, max: 65_536 },
  cpus: { min: 0.1, max: 256 },
  openFiles: { min: 16, max: 1_048_576 },
  diskMiB: { min: 1, max: 1_048_576 },
  callSeconds: { min: 1, max: 86_400 },
} as const;

function readLimits(cursor: Cursor | undefined, report: Report): CellLimits | undefined {
  if (cursor === undefined) return {};
  const fields = readFields(cursor, Object.keys(LIMIT_BOUNDS), report);
  if (fields === undefined) return undefined;
  const memoryMiB = readInteger(fields.get('memoryMiB'), LIMIT_BOUNDS.memoryMiB, report);
  const processes = readInteger(fields.get('processes'), LIMIT_BOUNDS.processes, report);
  const cpus = readTenths(fields.get('cpus'), LIMIT_BOUNDS.cpus, report);
  const openFiles = readInteger(fields.get('openFiles'), LIMIT_BOUNDS.openFiles, report);
  const diskMiB = readInteger(fields.get('diskMiB'), LIMIT_BOUNDS.diskMiB, report);
  const callSeconds = readInteger(fields.get('callSeconds'), LIMIT_BOUNDS.callSeconds, report);
  return {
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    ...(processes === undefined ? {} : { processes }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(openFiles === undefined ? {} : { openFiles }),
    ...(diskMiB === undefined ? {} : { diskMiB }),
    ...(callSeconds === undefined ? {} : { callSeconds }),
  };
}
