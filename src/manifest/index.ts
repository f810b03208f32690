/**
 * Manifests: what a server may do, read from hostile text, checked, hashed and written back.
 * Imports nothing that acts; it opens no socket and starts no process.
 */
export { manifestHash } from './content-hash.ts';
export { formatPackageSpec, type PackageSpec, parsePackageSpec } from './package-spec.ts';
export { type ParsedManifest, parseManifest } from './parse-manifest.ts';
export { makePlaceholder, placeholderEntropyBits } from './placeholder.ts';
export type { ManifestError } from './report.ts';
export type * from './types.ts';
