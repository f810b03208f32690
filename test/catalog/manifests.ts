/** The manifests of the table's servers, read from the repository. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Manifest, parseManifest, type SandboxedServerSpec } from '../../src/manifest/index.ts';
import type { CatalogServer } from './catalog-server.ts';

const REPOSITORY = new URL('../../', import.meta.url);

/** Absolute path of the manifest of a row. */
export function manifestPath(server: CatalogServer): string {
  return fileURLToPath(new URL(server.manifest ?? `catalog/${server.name}.yaml`, REPOSITORY));
}

/** @throws Error when it does not parse, or is not for a sandboxed server */
export function manifestOf(server: CatalogServer): Manifest & { readonly server: SandboxedServerSpec } {
  const file = manifestPath(server);
  const { manifest, errors } = parseManifest(readFileSync(file, 'utf8'), { file });
  if (manifest === undefined) throw new Error(`${file}: ${JSON.stringify(errors)}`);
  const { server: spec } = manifest;
  if (spec.kind !== 'sandboxed') throw new Error(`${file}: not sandboxed`);
  return { ...manifest, server: spec };
}
