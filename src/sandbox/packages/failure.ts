/** What npm's complaints mean for the user. Pure. */
import { AppError, type JsonObject, limits } from '../../kernel/index.ts';
import type { InstallEnd } from './install-cell.ts';
import { foreignSource } from './sources.ts';

/** Code of the error that npm meets when it wants to start a program. */
export const PROGRAM_REFUSED = 'ESALLYPORTPROGRAM';

export interface NpmFailure {
  /** What was being installed, `npm:NAME@VERSION`. */
  readonly spec: string;
  /** npm's output, oldest line first. */
  readonly lines: readonly string[];
  readonly end: Omit<InstallEnd, 'code'>;
}

/** Codes by which npm says that it could not talk to the registry. */
const unreachable = new Set(
  `ENOTFOUND EAI_AGAIN ECONNREFUSED ECONNRESET ETIMEDOUT ENETUNREACH EHOSTUNREACH ESOCKETTIMEDOUT
   ERR_SOCKET_TIMEOUT FETCH_ERROR EPROTO EPIPE E502 E503 E504 CERT_HAS_EXPIRED SELF_SIGNED_CERT_IN_CHAIN
   DEPTH_ZERO_SELF_SIGNED_CERT UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY`.split(
    /\s+/,
  ),
);

export function npmFailure({ spec, lines, end }: NpmFailure): AppError {
  // The last one: npm says it when all scripts have ended, which can say such a thing too.
  const code = lines
    .map((line) => /^npm (?:error|ERR!) code (\S{1,40})/.exec(line)?.[1])
    .findLast((found) => found !== undefined);
  const tail = complaints(lines);
  const detail = { npm: code ?? null, lines: tail };
  const ended = stoppedFailure(spec, end, detail);
  if (ended !== null) return ended;
  if (code === 'E404') {
    // A part may be what is missing.
    const [missing = spec] = lines.flatMap(
      (line) => /'([^']{1,255})' (?:is not in|could not be)/.exec(line)?.[1] ?? [],
    );
    const wanted = missing === spec.replace('npm:', '') ? spec : missing;
    return new AppError('package_not_found', `The registry has no package ${wanted}.`, {
      kind: 'not_found',
      hint: 'Check the spelling; for a private package, check that npm is logged in; with --from, add its archive.',
      detail,
    });
  }
  if (code === 'E401' || (code === 'E403' && end.unreached.length === 0) || code === 'ENEEDAUTH') {
    return new AppError(
      'package_login_refused',
      `The registry does not give ${spec} to whoever asks here (${code}).`,
      {
        kind: 'denied',
        hint: 'Log in as the user that runs Sallyport: `npm login` writes what is needed to ~/.npmrc.',
        detail,
      },
    );
  }
  if (code === 'ETARGET') {
    return new AppError('package_version_not_found', `The registry has the package, but not ${spec}.`, {
      kind: 'not_found',
      hint: 'Choose another version, or leave it out to get the latest.',
      detail,
    });
  }
  const elsewhere = unreachedFailure(spec, end, detail);
  if (elsewhere !== null) return elsewhere;
  if (code !== undefined && unreachable.has(code)) return registryUnreachable(code, detail);
  if (code === PROGRAM_REFUSED || code?.startsWith('EALLOW') === true) {
    return foreignSource(`a part of ${spec} does not come from the registry`, detail);
  }
  if (code === 'EINTEGRITY') {
    return notAsPinned(`What the registry sent of ${spec}`, detail);
  }
  // A full disk may keep npm from saying so properly.
  if (lines.some((line) => /\b(?:ENOSPC|EDQUOT)\b/.test(line))) {
    return noRoom(`There is no room on the disk to install ${spec}.`, detail);
  }
  const said = tail.length > 0 ? tail : [end.reason];
  return new AppError('package_install_failed', [`npm could not install ${spec}:`, ...said].join('\n'), {
    kind: 'failed',
    detail,
  });
}

/** A host that was in the way of the installation; null where none was. */
export function unreachedFailure(
  spec: string,
  { unreached }: Pick<InstallEnd, 'unreached'>,
  detail: JsonObject = {},
): AppError | null {
  const last = unreached.at(-1);
  if (last === undefined) return null;
  if (last.why !== 'denied') return registryUnreachable(`${last.host}: ${last.why}`, detail);
  const hosts = [...new Set(unreached.filter(({ why }) => why === 'denied').map(({ host }) => host))];
  return new AppError(
    'package_host_denied',
    `Installing ${spec} needs ${hosts.join(', ')}, which is not the package registry.`,
    {
      kind: 'denied',
      hint: 'If your registry keeps archives there, name the host in sallyport.yaml: packages.hosts. Otherwise do not install this.',
      detail,
    },
  );
}

const registryUnreachable = (why: string, detail: JsonObject): AppError =>
  new AppError('package_registry_unreachable', `The package registry could not be reached (${why}).`, {
    kind: 'unavailable',
    hint: 'Check the network, and where packages come from: packages.npmRegistry in sallyport.yaml, or the registry, proxy and cafile settings of npm.',
    detail,
  });

/** An installation that did not come to its end; null when it did. */
export function stoppedFailure(
  spec: string,
  { stopped }: Pick<InstallEnd, 'stopped'>,
  detail: JsonObject = {},
): AppError | null {
  if (stopped === null) return null;
  if (stopped === 'cancelled')
    return new AppError('cancelled', 'Cancelled; nothing was changed.', { kind: 'failed' });
  if (stopped === 'timeout') {
    return new AppError('package_install_timeout', `Installing ${spec} took too long.`, {
      kind: 'unavailable',
      hint: 'Try again; if it stays so, see whether the registry answers.',
      detail,
    });
  }
  if (stopped === 'disk-full') {
    return noRoom(`Installing ${spec} was stopped: the disk was nearly full.`, detail);
  }
  const written = `${limits.packageInstallBytesMax / limits.MIB} MiB, more than ${limits.packageEntriesMax} files, or longer paths than packages have`;
  return new AppError('package_too_large', `Installing ${spec} was stopped: it wrote more than ${written}.`, {
    kind: 'denied',
    hint: 'No server needs that much. Look at what it fetches before you try again.',
    detail,
  });
}

/** @param detail the installer's own words: they say which part it is */
export const notAsPinned = (
  what: string,
  detail: { readonly lines: readonly string[] } & JsonObject,
): AppError =>
  new AppError('package_differs', [`${what} is not what was pinned:`, ...detail.lines].join('\n'), {
    kind: 'denied',
    hint: 'Somebody changed a published package, or what lies between. Do not install it before you know who.',
    detail,
  });

export const noRoom = (message: string, detail: JsonObject): AppError =>
  new AppError('package_store_full', message, {
    kind: 'failed',
    hint: 'Make room where SALLYPORT_HOME lies, and try again.',
    detail,
  });

/** npm's own explanation, without its prefix and without the pointers to log files. */
function complaints(lines: readonly string[]): string[] {
  const said = lines
    .flatMap((line) => /^npm (?:error|ERR!) ?(.*)$/.exec(line)?.[1] ?? [])
    .filter((line) => line !== '' && !line.startsWith('A complete log of this run'));
  return tailOf(said);
}

/** The end of what an installer said, as much as an error may quote of it. */
export const tailOf = (lines: readonly string[]): string[] =>
  lines.slice(-limits.packageInstallTailLines).map((line) => line.slice(0, limits.packageQuotedCharsMax));
