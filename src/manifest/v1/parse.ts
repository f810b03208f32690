/** Trees of version 1 documents to their structures, their findings and their hash. */
import type { Report } from '../report.ts';
import type { Node } from '../tree.ts';
import { placesIn } from './places.ts';
import { checkManifestV1 } from './rules.ts';
import { manifestV1, manifestV1Hash, toolSpec, toolSpecHash } from './shapes.ts';
import { checkToolSpec } from './toolspec-rules.ts';
import type { ManifestV1, ToolSpec } from './types.ts';

export interface Decoded<T> {
  readonly value: T;
  readonly hash: string;
}

/** Undefined when the structure could not be read at all; broken rules are in the report only. */
export function decodeManifestV1(root: Node, report: Report): Decoded<ManifestV1> | undefined {
  const value = manifestV1.read({ node: root, path: '' }, report);
  if (value === undefined) return undefined;
  checkManifestV1(value, placesIn(root, report));
  return { value, hash: manifestV1Hash(value) };
}

export function decodeToolSpec(root: Node, report: Report): Decoded<ToolSpec> | undefined {
  const value = toolSpec.read({ node: root, path: '' }, report);
  if (value === undefined) return undefined;
  checkToolSpec(value, placesIn(root, report));
  return { value, hash: toolSpecHash(value) };
}
