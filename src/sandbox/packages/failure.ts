/** What npm's complaints mean for the user. Pure. */
import { AppError, limits } from '../../kernel/index.ts';
import { foreignSource } from './sources.ts';

/** Code of the error that npm meets when it wants to start a program. */
export const PROGRAM_REFUSED = 'ESALLYPORTPROGRAM';

export interface NpmFailure {
  /** What was being installed, `npm:NAME@VERSION`. */
  readonly spec: string;
  /** npm's output, oldest line first. */
  readonly lines: readonly string[];
  readonly timedOut: boolean;
}

/** Codes by which npm says that it could not talk to the registry. */
const unreachable = new Set(
  `ENOTFOUND EAI_AGAIN ECONNREFUSED ECONNRESET ETIMEDOUT ENETUNREACH EHOSTUNREACH ESOCKETTIMEDOUT
   ERR_SOCKET_TIMEOUT FETCH_ERROR EPROTO EPIPE E502 E503 E504 CERT_HAS_EXPIRED SELF_SIGNED_CERT_IN_CHAIN
   DEPTH_ZERO_SELF_SIGNED_CERT UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY`.split(
    /\s+/,
  ),
);

export function npmFailure({ spec, lines, timedOut }: NpmFailure): AppError {
  const code = lines
    .map((line) => /^npm (?:error|ERR!) code (\S+)/.exec(line)?.[1])
    .find((found) => found !== undefined);
  const tail = complaints(lines);
  const detail = { npm: code ?? null, lines: tail };
  if (timedOut) {
    return new AppError('package_install_timeout', `Installing ${spec} took too long.`, {
      kind: 'unavailable',
      hint: 'Try again; if it stays so, try "npm install" by hand to see where it hangs.',
      detail,
    });
  }
  if (code === 'E404') {
    return new AppError('package_not_found', `The registry has no package ${spec}.`, {
      kind: 'not_found',
      hint: 'Check the spelling; for a private package, check that npm is logged in.',
      detail,
    });
  }
  if (code === 'ETARGET') {
    return new AppError('package_version_not_found', `The registry has the package, but not ${spec}.`, {
      kind: 'not_found',
      hint: 'Choose another version, or leave it out to get the latest.',
      detail,
    });
  }
  if (code !== undefined && unreachable.has(code)) {
    return new AppError(
      'package_registry_unreachable',
      `The package registry could not be reached (${code}).`,
      {
        kind: 'unavailable',
        hint: 'Check the network, and the registry, proxy and certificate settings of npm.',
        detail,
      },
    );
  }
  if (code === PROGRAM_REFUSED || code?.startsWith('EALLOW') === true) {
    return foreignSource(`a part of ${spec} does not come from the registry`, detail);
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AppError('package_store_full', `There is no room on the disk to install ${spec}.`, {
      kind: 'failed',
      hint: 'Make room where SALLYPORT_HOME lies, and try again.',
      detail,
    });
  }
  return new AppError('package_install_failed', [`npm could not install ${spec}:`, ...tail].join('\n'), {
    kind: 'failed',
    detail,
  });
}

/** npm's own explanation, without its prefix and without the pointers to log files. */
function complaints(lines: readonly string[]): string[] {
  return lines
    .flatMap((line) => /^npm (?:error|ERR!) ?(.*)$/.exec(line)?.[1] ?? [])
    .filter((line) => line !== '' && !line.startsWith('A complete log of this run'))
    .slice(-limits.packageInstallTailLines);
}
