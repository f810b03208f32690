/**
 * Manifests: what a server may do, read from hostile text, checked, hashed and written back. Trusts no byte of
 * a file; opens no socket and starts no process.
 */
export { type Catalog, type CatalogEntry, loadCatalog } from './catalog.ts';
export { documentHash, manifestHash } from './content-hash.ts';
export { checked, withInject } from './edit-manifest.ts';
export { companionOf, type LintResult, lintFiles, type ReadBytes } from './lint.ts';
export {
  type Cursor,
  type Fields,
  nearest,
  readChoice,
  readEach,
  readEntries,
  readFields,
  readFlag,
  readInteger,
  readList,
  readText,
  refuse,
} from './fields.ts';
export { formatPackageSpec, type PackageSpec, parsePackageSpec } from './package-spec.ts';
export {
  looksLikeToolSpec,
  type ParsedManifest,
  type ParsedToolSpec,
  parseManifest,
  parseToolSpec,
  toManifest,
} from './parse-manifest.ts';
export { defaultPlaceholder, makePlaceholder, placeholderEntropyBits } from './placeholder.ts';
export { renderFinding } from './render-findings.ts';
export { type Complaint, type ManifestError, type Position, Report } from './report.ts';
export { type Node, parseTree } from './tree.ts';
export type * from './types.ts';
export type { Companion } from './v1/convert.ts';
export type { ManifestV1, SpecParam, SpecTool, ToolSpec } from './v1/types.ts';
export { writeManifest } from './write-manifest.ts';
