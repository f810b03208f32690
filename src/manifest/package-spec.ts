/** Package references: `npm:NAME@X.Y.Z` and `pypi:NAME==X.Y.Z`, with the version left out only where one is to be found. */
import { err, ok, type Result } from '../kernel/index.ts';
import type { Complaint } from './report.ts';

export interface PackageSpec {
  readonly registry: 'npm' | 'pypi';
  /** As the registry spells it: `@scope/name` for npm. */
  readonly name: string;
  /** The one version; undefined when the reference leaves it open. */
  readonly version?: string;
}

/** npm's own rule for new packages: URL-safe, lower case, no leading dot or underscore, at most 214 characters. */
const NPM_NAME = /^(?=.{1,214}$)(?:@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*$/;
/** PEP 508. */
const PYPI_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;
/** semver.org section 2, with pre-release and build parts. */
const SEMVER =
  /^(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;
/** PEP 440, normalised form of an exact version. */
const PEP440 = /^(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?(?:\.dev[0-9]+)?$/;

const SYNTAX = 'npm:NAME@X.Y.Z or pypi:NAME==X.Y.Z';

/** Reads a reference. Codes: `manifest_package_invalid`, `manifest_package_version`. */
export function parsePackageSpec(text: string): Result<PackageSpec, Complaint> {
  if (text.startsWith('npm:')) return parseNpm(text.slice('npm:'.length), text);
  if (text.startsWith('pypi:')) return parsePypi(text.slice('pypi:'.length), text);
  return invalid(`${JSON.stringify(text)} does not begin with npm: or pypi:`);
}

function parseNpm(reference: string, text: string): Result<PackageSpec, Complaint> {
  const at = reference.indexOf('@', 1);
  const name = at === -1 ? reference : reference.slice(0, at);
  if (!NPM_NAME.test(name)) return invalid(`${JSON.stringify(name)} is not the name of an npm package`);
  if (at === -1) return ok({ registry: 'npm', name });
  const version = reference.slice(at + 1);
  return SEMVER.test(version) ? ok({ registry: 'npm', name, version }) : notExact(version, text);
}

function parsePypi(reference: string, text: string): Result<PackageSpec, Complaint> {
  const [name = '', version, more] = reference.split('==');
  if (!PYPI_NAME.test(name)) return invalid(`${JSON.stringify(name)} is not the name of a PyPI package`);
  if (version === undefined) return ok({ registry: 'pypi', name });
  return more === undefined && PEP440.test(version)
    ? ok({ registry: 'pypi', name, version })
    : notExact(version, text);
}

const invalid = (message: string): Result<PackageSpec, Complaint> =>
  err({ code: 'manifest_package_invalid', message, expected: SYNTAX });

const notExact = (version: string, text: string): Result<PackageSpec, Complaint> =>
  err({
    code: 'manifest_package_version',
    message: `${JSON.stringify(version)} in ${JSON.stringify(text)} is not one exact version`,
    expected: SYNTAX,
  });

/** The reference as text again. */
export function formatPackageSpec({ registry, name, version }: PackageSpec): string {
  const separator = registry === 'npm' ? '@' : '==';
  return `${registry}:${name}${version === undefined ? '' : `${separator}${version}`}`;
}
