/** The rules of a version 1 manifest. The registry's facts, with a place and a correction for each. */
import { covers, hostPatternFault, isInternalName } from '../host-pattern.ts';
import type { Places, Steps } from './places.ts';
import type { CredentialV1, ManifestV1 } from './types.ts';

/** Lower-case letters, digits and inner hyphens: names, vendors and labels. Without a limit on length, unlike version 2. */
const SLUG = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const VERSION = /^(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const PACKAGE = /^[A-Za-z0-9._/-]+$/;
const BUILDERS = ['', 'go-static', 'node', 'python', 'toolpack'];
const CATEGORIES = [
  'ai',
  'analytics',
  'comms',
  'CRM',
  'data',
  'design',
  'dev-tools',
  'documents',
  'e-commerce',
  'finance',
  'HR/ATS',
  'marketing',
  'productivity',
  'search',
  'social',
  'storage',
  'support',
];

const SLUG_EXPECTED = 'lower-case letters, digits and inner hyphens';
const quoted = (value: string): string => JSON.stringify(value);

/** Name and version: the same in manifests and toolspecs. */
export function checkIdentity(
  document: { schemaVersion: number; name: string; version: string },
  places: Places,
): void {
  const { schemaVersion, name, version } = document;
  if (schemaVersion !== 1)
    places.error(['schemaVersion'], 'manifest_schema_version', `this is version ${schemaVersion}`, '1');
  if (!SLUG.test(name))
    places.error(
      ['name'],
      'manifest_name_invalid',
      `the name ${quoted(name)} is not possible`,
      SLUG_EXPECTED,
    );
  if (!VERSION.test(version)) {
    const expected = 'three numbers without leading zeros, e.g. 1.4.0';
    places.error(
      ['version'],
      'manifest_version_invalid',
      `the version ${quoted(version)} is not possible`,
      expected,
    );
  }
}

export function checkManifestV1(manifest: ManifestV1, places: Places): void {
  checkIdentity(manifest, places);
  checkOrigin(manifest, places);
  if (manifest.tier !== 'sealed' && manifest.tier !== 'entrusted') {
    places.error(
      ['tier'],
      'manifest_unknown_choice',
      `the tier ${quoted(manifest.tier)} is unknown`,
      'sealed or entrusted',
    );
  }
  for (const [index, entry] of manifest.entitlements.egress.entries()) {
    checkEgressEntry(entry, ['entitlements', 'egress', index], places);
  }
  const ids = new Set<string>();
  for (const [index, credential] of manifest.credentials.entries()) {
    const steps: Steps = ['credentials', index];
    checkUnique(credential.id, ids, [...steps, 'id'], places);
    checkCredential(credential, manifest.tier, steps, places);
  }
  if (manifest.category !== '' && !CATEGORIES.includes(manifest.category)) {
    const expected = `one of ${CATEGORIES.join(', ')}`;
    places.error(
      ['category'],
      'manifest_unknown_choice',
      `the category ${quoted(manifest.category)} is unknown`,
      expected,
    );
  }
  const tools = new Set<string>();
  for (const [index, tool] of manifest.tools.entries())
    checkUnique(tool.name, tools, ['tools', index, 'name'], places);
}

export function checkUnique(name: string, seen: Set<string>, steps: Steps, places: Places): void {
  if (name === '') places.error(steps, 'manifest_missing_key', 'it is missing or empty', 'a name');
  else if (seen.has(name))
    places.error(steps, 'manifest_repeated', `${quoted(name)} is in the list twice`, 'each once');
  seen.add(name);
}

function checkOrigin({ source, image }: ManifestV1, places: Places): void {
  if (source.repo === '')
    places.error(
      ['source', 'repo'],
      'manifest_missing_key',
      'it is missing or empty',
      'the source repository',
    );
  if (source.tag === '')
    places.error(
      ['source', 'tag'],
      'manifest_missing_key',
      'it is missing or empty',
      'the tag to build from',
    );
  const { package: folder } = source;
  if (folder !== '' && (!PACKAGE.test(folder) || folder.includes('..') || folder.startsWith('/'))) {
    const expected = 'a relative folder of letters, digits, dots, hyphens and slashes, without ..';
    places.error(
      ['source', 'package'],
      'manifest_path_invalid',
      `the folder ${quoted(folder)} is not possible`,
      expected,
    );
  }
  if (image.ref === '')
    places.error(['image', 'ref'], 'manifest_missing_key', 'it is missing or empty', 'the name of the image');
  if (!DIGEST.test(image.digest)) {
    places.error(
      ['image', 'digest'],
      'manifest_digest_invalid',
      `${quoted(image.digest)} is not a digest`,
      'sha256: and 64 lower-case hex digits',
    );
  }
  if (!image.entrypoint.startsWith('/')) {
    places.error(
      ['image', 'entrypoint'],
      'manifest_path_invalid',
      `${quoted(image.entrypoint)} is not an absolute path`,
      'e.g. /app/server',
    );
  }
  if (!BUILDERS.includes(image.builder)) {
    places.error(
      ['image', 'builder'],
      'manifest_unknown_choice',
      `the builder ${quoted(image.builder)} is unknown`,
      'one of go-static, node, python, toolpack, or none',
    );
  }
}

/** A lower-case name, or one leading `*.` over at least two labels that no public suffix owns. */
export function checkEgressEntry(entry: string, steps: Steps, places: Places): void {
  const fault = hostPatternFault(entry);
  if (fault !== undefined) places.error(steps, fault.code, fault.message, fault.expected);
  else if (isInternalName(entry)) {
    places.warn(
      steps,
      'manifest_host_internal',
      `${quoted(entry)} is a name of the local network`,
      'a name on the internet',
    );
  }
}

/** Whether egress allows a host: itself, or a wildcard above it. */
export const egressAllows = (egress: readonly string[], host: string): boolean =>
  egress.some((entry) => covers(entry, host));

function checkCredential(credential: CredentialV1, tier: string, steps: Steps, places: Places): void {
  const { inject, vendor, type } = credential;
  if (tier === 'sealed') {
    const expected = 'inject with header and format, and no env';
    if (inject.header === '')
      places.error(
        [...steps, 'inject', 'header'],
        'manifest_sealed_without_inject',
        'a sealed credential names no header',
        expected,
      );
    if (!inject.format.includes('{token}'))
      places.error(
        [...steps, 'inject', 'format'],
        'manifest_format_token',
        'the format has no {token}',
        'e.g. "Bearer {token}"',
      );
    if (inject.env !== '')
      places.error(
        [...steps, 'inject', 'env'],
        'manifest_sealed_with_env',
        'a sealed credential goes into no variable',
        expected,
      );
  }
  if (tier === 'entrusted') {
    const expected = 'inject with env alone';
    if (inject.env === '')
      places.error(
        [...steps, 'inject', 'env'],
        'manifest_entrusted_without_env',
        'an entrusted credential names no variable',
        expected,
      );
    if (inject.header !== '' || inject.format !== '')
      places.error(
        [...steps, 'inject'],
        'manifest_entrusted_with_inject',
        'an entrusted credential goes into no header',
        expected,
      );
  }
  if (type === 'oauth2' && vendor === '') {
    places.error(
      [...steps, 'vendor'],
      'manifest_missing_key',
      'an oauth2 credential has no vendor',
      'the vendor whose app it belongs to, e.g. google',
    );
  }
  if (vendor !== '' && !SLUG.test(vendor)) {
    places.error(
      [...steps, 'vendor'],
      'manifest_name_invalid',
      `the vendor ${quoted(vendor)} is not possible`,
      SLUG_EXPECTED,
    );
  }
}
