/** What pip's complaints mean for the user. Pure. */
import { AppError, limits } from '../../kernel/index.ts';
import { noRoom, notAsPinned, stoppedFailure, tailOf, unreachedFailure } from './failure.ts';
import type { InstallEnd } from './install-cell.ts';
import { NO_PIP, OWN_LINE } from './pypi-script.ts';
import type { Interpreter } from './python-tools.ts';

export interface PypiFailure {
  /** What was being installed, `pypi:NAME==VERSION`. */
  readonly spec: string;
  readonly interpreter: Interpreter;
  /** pip's output, oldest line first. */
  readonly lines: readonly string[];
  readonly end: Pick<InstallEnd, 'code' | 'stopped' | 'reason' | 'unreached'>;
  /** What the index then said of the part that pip did not find; null when it was not asked. */
  readonly asked: readonly string[] | null;
}

const find = (lines: readonly string[], pattern: RegExp): RegExpExecArray | null =>
  lines.map((line) => pattern.exec(line)).find((match) => match !== null) ?? null;

/** The requirement that pip found nothing for, `NAME` or `NAME==VERSION`; null when that is not what it complains of. */
function missing(lines: readonly string[]): string | null {
  return find(lines, /^ERROR: No matching distribution found for ([A-Za-z0-9][^\s(]{0,255})/)?.[1] ?? null;
}

/** The name of the package that pip found nothing for. */
export const missingPart = (lines: readonly string[]): string | null =>
  /^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(missing(lines) ?? '')?.[0] ?? null;

/** Bounded where it may begin and how far it goes: a line that says this a thousand times would be searched as often. */
const UNREACHABLE =
  /^.{0,99}?Could not fetch URL .{0,2000}?(?:: 5\d\d |: 403 |connection error|SSL|confirming the ssl)|Max retries exceeded|after connection broken by/i;

export function pypiFailure({ spec, interpreter, lines, end, asked }: PypiFailure): AppError {
  const tail = complaints(lines);
  const detail = { lines: tail };
  const ended = stoppedFailure(spec, end, detail);
  if (ended !== null) return ended;
  const elsewhere = unreachedFailure(spec, end, detail);
  if (elsewhere !== null) return elsewhere;
  if (end.code === NO_PIP) {
    const why = tail.at(-1)?.slice(OWN_LINE.length) ?? end.reason;
    return new AppError('package_pip_missing', `This machine has no pip for cells, and ${why}.`, {
      kind: 'failed',
      hint: `Install pip's wheel with the system's package manager (Debian, Ubuntu: python3-pip-whl), or see that the index can be reached.`,
      detail,
    });
  }
  if (find([...lines, ...(asked ?? [])], /\b401 (?:Error|Client Error)|Credentials not correct/) !== null) {
    return new AppError('package_login_refused', `The index does not give ${spec} to whoever asks here.`, {
      kind: 'denied',
      hint: 'Put the login into PIP_INDEX_URL, https://USER:PASSWORD@HOST/simple/, in the environment of the gateway.',
      detail,
    });
  }
  const wanted = missing(lines);
  if (wanted !== null) return notFound({ spec, interpreter, lines, asked: asked ?? [] }, wanted, detail);
  const unsuitable = find(lines, /^ERROR: (Package .* requires a different Python: .*)$/)?.[1];
  if (unsuitable !== undefined) return forAnotherPython(spec, interpreter, unsuitable, detail);
  if (find(lines, UNREACHABLE) !== null) return unreachable(detail);
  if (find(lines, /DO NOT MATCH THE HASHES/) !== null) {
    return notAsPinned(`What the index sent of ${spec}`, detail);
  }
  if (find(lines, /\[Errno (?:28|122)\]/) !== null) {
    return noRoom(`There is no room on the disk to install ${spec}.`, detail);
  }
  const said = tail.length > 0 ? tail : [end.reason];
  return new AppError('package_install_failed', [`pip could not install ${spec}:`, ...said].join('\n'), {
    kind: 'failed',
    detail,
  });
}

interface NotFound {
  readonly spec: string;
  readonly interpreter: Interpreter;
  readonly lines: readonly string[];
  readonly asked: readonly string[];
}

function notFound(
  { spec, interpreter, lines, asked }: NotFound,
  wanted: string,
  detail: { readonly lines: string[] },
): AppError {
  const other = find(
    lines,
    /^ERROR: Ignored the following versions that require a different python version: (.*)$/i,
  )?.[1];
  const known = (find(asked, /^Available versions: (.*)$/)?.[1] ?? '')
    .split(', ')
    .filter((one) => one !== '');
  const exact = /==([^,;\s]+)$/.exec(wanted)?.[1];
  if (
    other !== undefined &&
    (exact === undefined || other.split('; ').some((one) => one.startsWith(`${exact} `)))
  ) {
    return forAnotherPython(wanted, interpreter, other, detail);
  }
  if (known.length > 0 && (exact === undefined || known.includes(exact))) {
    return new AppError(
      'package_wheel_missing',
      `The index has ${wanted} as sources only, or not for Python ${interpreter.version} on this machine.`,
      {
        kind: 'failed',
        hint: 'Choose another version; or let its sources be built, which runs programs of the package in the install cell: --allow-scripts.',
        detail,
      },
    );
  }
  if (known.length > 0) {
    return new AppError(
      'package_version_not_found',
      `The index has the package, but not ${wanted} (for ${spec}).`,
      {
        kind: 'not_found',
        hint: 'Choose another version, or leave it out to get the latest.',
        detail,
      },
    );
  }
  if (find([...lines, ...asked], UNREACHABLE) !== null) return unreachable(detail);
  return new AppError('package_not_found', `The index has no package ${wanted} (for ${spec}).`, {
    kind: 'not_found',
    hint: 'Check the spelling; a private package needs the setting packages.pypiIndex.',
    detail,
  });
}

const forAnotherPython = (
  wanted: string,
  { version }: Interpreter,
  why: string,
  detail: { readonly lines: string[] },
): AppError =>
  new AppError(
    'package_python_unsuitable',
    `${wanted} is not for Python ${version}: ${why.slice(0, limits.packageQuotedCharsMax)}`,
    {
      kind: 'failed',
      hint: 'Install a Python that it is for, and name it in the setting packages.python; or choose another version.',
      detail,
    },
  );

const unreachable = (detail: { readonly lines: string[] }): AppError =>
  new AppError('package_registry_unreachable', 'The package index could not be reached.', {
    kind: 'unavailable',
    hint: 'Check the network, and the settings packages.pypiIndex and egress.',
    detail,
  });

/** pip's own explanation. */
function complaints(lines: readonly string[]): string[] {
  const said = lines.filter((line) => line.startsWith('ERROR: ') || line.startsWith(OWN_LINE));
  return tailOf(said.length > 0 ? said : lines);
}
