/** What differs between two installations of a package, part by part, and whether somebody has to agree to it. Pure. */
import { AppError } from '../kernel/index.ts';
import type { PackagePart, PackageRecord } from './ports.ts';

export interface PartChanges {
  /** `NAME@VERSION`, sorted, each. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** The same version with other bytes: what is published never changes, so somebody changed it. */
  readonly altered: readonly string[];
  /** Want to run programs when they are installed, where no version of them did before. */
  readonly newScripts: readonly string[];
}

const idOf = ({ name, version }: PackagePart): string => `${name}@${version}`;

export function diffParts(before: readonly PackagePart[], after: readonly PackagePart[]): PartChanges {
  const integrities = (parts: readonly PackagePart[]): ReadonlyMap<string, ReadonlySet<string>> => {
    const found = new Map<string, Set<string>>();
    for (const part of parts) found.set(idOf(part), (found.get(idOf(part)) ?? new Set()).add(part.integrity));
    return found;
  };
  const [old, fresh] = [integrities(before), integrities(after)];
  const scripted = new Set(before.filter(({ scripts }) => scripts).map(({ name }) => name));
  const only = (one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): readonly string[] =>
    [...one.keys()].filter((id) => !other.has(id)).sort();
  return {
    added: only(fresh, old),
    removed: only(old, fresh),
    altered: [...fresh]
      .filter(([id, found]) => [...found].some((integrity) => old.get(id)?.has(integrity) === false))
      .map(([id]) => id)
      .sort(),
    newScripts: [
      ...new Set(after.filter(({ name, scripts }) => scripts && !scripted.has(name)).map(idOf)),
    ].sort(),
  };
}

/** At most so many names in one line. */
const NAMED_MAX = 20;

/** One line for each kind of change that there is. */
function changeLines(changes: PartChanges): readonly string[] {
  const line = (what: string, names: readonly string[]): readonly string[] => {
    if (names.length === 0) return [];
    const more = names.length > NAMED_MAX ? `, and ${names.length - NAMED_MAX} more` : '';
    return [`${what}: ${names.slice(0, NAMED_MAX).join(', ')}${more}`];
  };
  return [
    ...line('same version, other bytes', changes.altered),
    ...line('new install scripts', changes.newScripts),
    ...line('added', changes.added),
    ...line('removed', changes.removed),
  ];
}

/**
 * Holds back what an ordinary new version does not bring along.
 *
 * @throws AppError `package_changes_need_consent`
 */
export function assertOrdinary(slug: string, before: PackageRecord, after: PackageRecord): void {
  const changes = diffParts(before.parts, after.parts);
  // A row of an earlier version does not say what was there before: everything would be new.
  const newScripts = before.parts.length === 0 ? [] : changes.newScripts;
  const sameVersion = before.version === after.version && before.integrity !== after.integrity;
  if (changes.altered.length === 0 && newScripts.length === 0 && !sameVersion) return;
  const lines = changeLines(changes);
  throw new AppError(
    'package_changes_need_consent',
    [
      sameVersion
        ? `${after.spec} is not the same as when it was installed; \`${slug}\` stays as it was:`
        : `${after.spec} brings what a new version usually does not; \`${slug}\` stays at ${before.version}:`,
      ...(lines.length === 0
        ? ['  its parts are the same, but files in them differ']
        : lines.map((line) => `  ${line}`)),
    ].join('\n'),
    {
      kind: 'denied',
      hint: 'Find out why. If it is as it should be, run the same command with --accept.',
      detail: {
        altered: [...changes.altered],
        newScripts: [...newScripts],
        added: [...changes.added],
        removed: [...changes.removed],
      },
    },
  );
}

/** What is installed again and is not the same. */
export function differsFrom(slug: string, before: PackageRecord, after: PackageRecord): AppError {
  const lines = changeLines(diffParts(before.parts, after.parts));
  const scripts = before.scriptsRun.length > 0;
  return new AppError(
    'package_differs',
    [
      `${after.spec} cannot be had as it was when it was installed; \`${slug}\` is not changed:`,
      ...(lines.length === 0
        ? ['  its parts are the same, but files in them differ']
        : lines.map((line) => `  ${line}`)),
    ].join('\n'),
    {
      kind: 'denied',
      hint: scripts
        ? `Its install scripts were allowed, and need not leave the same twice. Take what there is now with \`sallyport server upgrade ${slug} --to ${before.version} --allow-scripts --accept\`.`
        : `Find out why. If it is as it should be, take what there is now: \`sallyport server upgrade ${slug} --to ${before.version} --accept\`.`,
      detail: { expected: before.integrity, found: after.integrity },
    },
  );
}
