/** The parts that egress rules and credentials share: hosts, ports, methods and paths. */
import { limits } from '../kernel/index.ts';
import { normalizeTarget } from '../wire/index.ts';
import type { HttpMethod } from './types.ts';
import { type Cursor, readChoice, readEach, readInteger, readList, readText, refuse } from './fields.ts';
import { hostPatternFault } from './host-pattern.ts';
import type { Complaint, Report } from './report.ts';

export const httpMethods: readonly HttpMethod[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
];

/** 53 belongs to the cell's resolver. */
const RESOLVER_PORT = 53;

export function readHost(cursor: Cursor | undefined, report: Report): string | undefined {
  const host = readText(cursor, 'a host name such as api.example.com', report);
  if (cursor === undefined || host === undefined) return undefined;
  const fault = hostPatternFault(host);
  if (fault !== undefined) refuse(cursor, fault, report);
  return host;
}

export function readPort(cursor: Cursor | undefined, report: Report): number | undefined {
  const port = readInteger(cursor, { min: 1, max: 65_535 }, report);
  if (cursor !== undefined && port === RESOLVER_PORT) {
    refuse(
      cursor,
      { code: 'manifest_port_reserved', message: "port 53 is the cell's resolver", expected: 'another port' },
      report,
    );
  }
  return port;
}

export function readMethods(cursor: Cursor | undefined, report: Report): readonly HttpMethod[] | undefined {
  return readDistinct(cursor, `a list of methods: ${httpMethods.join(', ')}`, report, (item) =>
    readChoice(item, httpMethods, report),
  );
}

export function readPaths(cursor: Cursor | undefined, report: Report): readonly string[] | undefined {
  return readDistinct(cursor, 'a list of path prefixes such as /v1', report, (item) => {
    const path = readText(item, 'a path prefix such as /v1', report);
    const fault = path === undefined ? undefined : pathFault(path);
    if (fault !== undefined) refuse(item, fault, report);
    return path;
  });
}

/** A list without repetitions and with at least one item: an empty one would not say whether all or none is meant. */
export function readDistinct<T extends string | number>(
  cursor: Cursor | undefined,
  expected: string,
  report: Report,
  read: (item: Cursor) => T | undefined,
): readonly T[] | undefined {
  const items = readList(cursor, expected, report);
  if (cursor === undefined || items === undefined) return undefined;
  if (items.length === 0) {
    refuse(
      cursor,
      {
        code: 'manifest_list_empty',
        message: 'the list is empty',
        expected: `${expected}; or leave the key out`,
      },
      report,
    );
  }
  const seen = new Set<T>();
  return readEach(items, (item) => {
    const value = read(item);
    if (value !== undefined && seen.has(value)) {
      refuse(
        item,
        {
          code: 'manifest_repeated',
          message: `${JSON.stringify(value)} is in the list twice`,
          expected: 'each once',
        },
        report,
      );
    }
    if (value !== undefined) seen.add(value);
    return value;
  });
}

/** A prefix is compared with normalised request paths, so it must be normalised itself. */
function pathFault(path: string): Complaint | undefined {
  const complain = (message: string, expected: string): Complaint => ({
    code: 'manifest_path_invalid',
    message: `${JSON.stringify(path)} ${message}`,
    expected,
  });
  if (!path.startsWith('/')) return complain('does not begin with a slash', JSON.stringify(`/${path}`));
  if (path.length > limits.manifestPathCharsMax)
    return complain('is too long', `at most ${limits.manifestPathCharsMax} characters`);
  if (path.includes('*')) return complain('has a wildcard', 'a prefix; everything below it is included');
  if (/[?#]/.test(path)) return complain('has a query or a fragment', 'the path alone');
  const target = normalizeTarget(path);
  if (!target.ok)
    return complain(`is refused in requests (${target.error})`, 'a path that a request may have');
  return target.value.path === path
    ? undefined
    : complain('is not normalised', JSON.stringify(target.value.path));
}
