/** Text to manifest or toolspec. The one door: nothing else of the project reads these files. */
import { manifestHash } from './content-hash.ts';
import { err, ok, type Result } from '../kernel/index.ts';
import { decodeManifest } from './decode-manifest.ts';
import { type Complaint, type ManifestError, Report } from './report.ts';
import { type Node, parseTree } from './tree.ts';
import type { Manifest } from './types.ts';
import { type Companion, convertV1 } from './v1/convert.ts';
import { decodeManifestV1, decodeToolSpec } from './v1/parse.ts';
import { type Places, placesIn } from './v1/places.ts';
import { checkPair } from './v1/toolspec-rules.ts';
import type { ManifestV1, ToolSpec } from './v1/types.ts';
import { writeManifest } from './write-manifest.ts';

interface Findings {
  readonly errors: readonly ManifestError[];
  readonly warnings: readonly ManifestError[];
  /** Hash of the content; present whenever all of it could be read, even if a rule is broken. */
  readonly hash?: string;
}

export interface ParsedManifest extends Findings {
  readonly version: 1 | 2;
  /** What the server may do. Absent with errors, and for a version 1 manifest that cannot run here. */
  readonly manifest?: Manifest;
  /** A version 1 document as it was written; present whenever all of it could be read. */
  readonly original?: ManifestV1;
  /** Why a version 1 manifest without errors has no `manifest`. */
  readonly obstacle?: Complaint;
}

export interface ParsedToolSpec extends Findings {
  /** Absent with errors. */
  readonly toolspec?: ToolSpec;
  /** Findings that need the manifest as well; they stand in the toolspec. */
  pair(manifest: ManifestV1): readonly ManifestError[];
}

export interface ParseOptions {
  /** Name to show in findings. */
  readonly file: string;
  /** The toolspec beside a version 1 manifest: without it such a manifest cannot become one that runs. */
  readonly companion?: Companion;
}

/**
 * Reads a manifest of either version.
 *
 * @param text YAML 1.2 or JSON
 */
export function parseManifest(text: string, options: ParseOptions): ParsedManifest {
  const report = new Report(options.file);
  const root = parseTree(text, report);
  if (root === undefined) return { version: 2, ...findingsOf(report) };
  return versionOf(root) === 1 ? parseVersion1(root, options, report) : parseVersion2(root, report);
}

/** Reads the toolspec companion of a version 1 manifest. */
export function parseToolSpec(text: string, options: { readonly file: string }): ParsedToolSpec {
  const report = new Report(options.file);
  const root = parseTree(text, report);
  const decoded = root === undefined ? undefined : decodeToolSpec(root, report);
  if (root === undefined || decoded === undefined) return { ...findingsOf(report), pair: () => [] };
  const pair = (manifest: ManifestV1): readonly ManifestError[] => {
    const together = new Report(options.file);
    const places: Places = placesIn(root, together);
    checkPair(decoded.value, manifest, places);
    return together.errors;
  };
  return {
    ...findingsOf(report),
    hash: decoded.hash,
    pair,
    ...(report.failed ? {} : { toolspec: decoded.value }),
  };
}

/** Whether a document is meant as a toolspec, by its keys: for files whose name does not say it. */
export function looksLikeToolSpec(text: string): boolean {
  const root = parseTree(text, new Report(''));
  if (root?.kind !== 'map') return false;
  return root.entries.has('baseUrl') && !['server', 'image', 'tier'].some((key) => root.entries.has(key));
}

/** What the document says; where it says nothing usable, what its keys say. */
function versionOf(root: Node): 1 | 2 {
  if (root.kind !== 'map') return 2;
  const said = root.entries.get('schemaVersion')?.value;
  if (said?.kind === 'scalar' && (said.value === 1 || said.value === 2)) return said.value;
  return !root.entries.has('server') && ['image', 'tier', 'entitlements'].some((key) => root.entries.has(key))
    ? 1
    : 2;
}

function parseVersion2(root: Node, report: Report): ParsedManifest {
  checkVersion2(root, report);
  const manifest = decodeManifest({ node: root, path: '' }, report);
  const findings = findingsOf(report);
  if (manifest === undefined) return { version: 2, ...findings };
  return { version: 2, ...findings, hash: manifestHash(manifest), ...(report.failed ? {} : { manifest }) };
}

function checkVersion2(root: Node, report: Report): void {
  if (root.kind !== 'map') return;
  const said = root.entries.get('schemaVersion')?.value;
  if (said?.kind === 'scalar' && said.value === 2) return;
  report.error((said ?? root).at, 'schemaVersion', {
    code: 'manifest_schema_version',
    message:
      said === undefined ? 'the key "schemaVersion" is missing' : 'this version of the format is unknown',
    expected: '2, or 1 for a manifest of the registry',
  });
}

function parseVersion1(root: Node, { companion }: ParseOptions, report: Report): ParsedManifest {
  const decoded = decodeManifestV1(root, report);
  const findings = findingsOf(report);
  if (decoded === undefined) return { version: 1, ...findings };
  const { value: original, hash } = decoded;
  if (report.failed) return { version: 1, ...findings, hash, original };
  const converted = toManifest(original, companion);
  const usable = converted.ok ? { manifest: converted.value } : { obstacle: converted.error };
  return { version: 1, ...findings, hash, original, ...usable };
}

/**
 * A version 1 manifest as one that runs here. The result has passed every rule of version 2.
 *
 * Codes: `manifest_v1_image`, `manifest_v1_toolspec_missing`, `manifest_v1_credentials`, `manifest_v1_stricter`.
 */
export function toManifest(
  original: ManifestV1,
  companion: Companion | undefined,
): Result<Manifest, Complaint> {
  const converted = convertV1(original, companion);
  if (!converted.ok) return converted;
  const { manifest, errors } = parseManifest(writeManifest(converted.value), { file: original.name });
  if (manifest !== undefined) return ok(manifest);
  const [first] = errors;
  return err({
    code: 'manifest_v1_stricter',
    message: `version 2 refuses what version 1 allowed: ${first?.field ?? ''}: ${first?.message ?? ''}`,
    expected: first?.expected ?? '',
  });
}

const findingsOf = (report: Report): Findings => ({ errors: report.errors, warnings: report.warnings });
