/** Text of either version to a manifest. The one door: nothing else of the project reads manifests. */
import type { Manifest } from './types.ts';
import { manifestHash } from './content-hash.ts';
import { decodeManifest } from './decode-manifest.ts';
import { type Cursor, refuse } from './fields.ts';
import { type ManifestError, Report } from './report.ts';
import { parseTree } from './tree.ts';

export interface ParsedManifest {
  readonly version: 1 | 2;
  /** Present only without errors. */
  readonly manifest?: Manifest;
  readonly errors: readonly ManifestError[];
  readonly warnings: readonly ManifestError[];
  /** Hash of the content; present whenever all of it could be read, even if a rule is broken. */
  readonly hash?: string;
}

/**
 * Reads a manifest.
 *
 * @param text YAML 1.2 or JSON
 * @param options.file name to show in findings
 */
export function parseManifest(text: string, options: { readonly file: string }): ParsedManifest {
  const report = new Report(options.file);
  const root = parseTree(text, report);
  if (root === undefined) return { version: 2, errors: report.errors, warnings: report.warnings };
  return parseVersion2({ node: root, path: '' }, report);
}

function parseVersion2(root: Cursor, report: Report): ParsedManifest {
  checkVersion(root, report);
  const manifest = decodeManifest(root, report);
  const findings = { version: 2, errors: report.errors, warnings: report.warnings } as const;
  if (manifest === undefined) return findings;
  return { ...findings, hash: manifestHash(manifest), ...(report.failed ? {} : { manifest }) };
}

function checkVersion(root: Cursor, report: Report): void {
  if (root.node.kind !== 'map') return;
  const entry = root.node.entries.get('schemaVersion');
  if (entry?.value.kind === 'scalar' && entry.value.value === 2) return;
  const at: Cursor = { node: entry?.value ?? root.node, path: 'schemaVersion' };
  const message =
    entry === undefined ? 'the key "schemaVersion" is missing' : 'this version of the format is unknown';
  refuse(
    at,
    { code: 'manifest_schema_version', message, expected: '2, or 1 for a manifest of the registry' },
    report,
  );
}
