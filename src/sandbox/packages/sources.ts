/**
 * Where the parts of an installed tree came from: the registry, and nowhere else. A package may ask for others by git, by
 * address or by path; npm would then run git as the part itself configures it, fetch whatever the gateway can reach, or copy
 * what lies on this machine. Pure.
 */
import { AppError, type JsonObject, limits } from '../../kernel/index.ts';

export type Fields = Readonly<Record<string, unknown>>;

const REFUSED = 'package_source_refused';
const HINT =
  'Sallyport installs from the package registry only: choose another package or version, or install the program on this machine and give its command.';

/** @param detail npm's own words, where there are some */
export const foreignSource = (why: string, detail: JsonObject = {}): AppError =>
  new AppError(REFUSED, `The package cannot be installed: ${why}.`, { kind: 'denied', hint: HINT, detail });

/** What a package says, as an error may repeat it: the beginning, with every control character to be seen. */
export const quoted = (value: unknown): string =>
  typeof value === 'string'
    ? JSON.stringify(value.slice(0, limits.packageQuotedCharsMax))
    : 'something that is no text';

/** The same of a name, which needs no quotes as a rule. */
const named = (name: string): string => (/^[!-~]{1,214}$/.test(name) ? name : quoted(name));

/** Lists of an entry that npm follows for a package that is not the root. */
const lists = ['dependencies', 'optionalDependencies', 'peerDependencies'] as const;

/**
 * @param packages the entries of npm's lockfile (version 3), by path; the root's is ours
 * @throws AppError `package_source_refused`
 */
export function checkSources(packages: Fields): void {
  for (const [path, value] of Object.entries(packages)) {
    if (path === '') continue;
    const entry = fieldsOf(value);
    const name = path.split('node_modules/').at(-1) ?? path;
    const resolved = entry['resolved'];
    // Absent: npm may be told to leave the registry's addresses out.
    if (entry['link'] === true || (typeof resolved === 'string' && !/^https?:\/\//.test(resolved))) {
      throw foreignSource(`${named(name)} came from ${quoted(resolved ?? 'a folder')}`);
    }
    for (const [wanted, spec] of lists.flatMap((list) => Object.entries(fieldsOf(entry[list])))) {
      if (typeof spec === 'string' && isRegistrySpec(spec)) continue;
      throw foreignSource(`${named(name)} wants ${named(wanted)} from ${quoted(spec)}`);
    }
  }
}

/** A version, a range or a tag, also of another name (`npm:NAME@RANGE`); never a path, an address or an archive. */
export function isRegistrySpec(spec: string): boolean {
  const range = spec.trim().replace(/^npm:(?:@[^@/:]+\/)?[^@/:]+/, '');
  return !/[/:\\]|^[.~]{1,2}$|\.(?:tgz|tar|tar\.gz)$/i.test(range);
}

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}; // any object has string keys
