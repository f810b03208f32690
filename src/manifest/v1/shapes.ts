/** The structures of version 1, field by field in the order of the reference tool: the order is part of the hash. */
import { createHash } from 'node:crypto';
import { always, flag, integer, list, nullable, struct, text, unlessEmpty } from './codec.ts';
import type {
  CredentialV1,
  ImageV1,
  InjectV1,
  ManifestV1,
  SourceV1,
  SpecParam,
  SpecTool,
  ToolSpec,
  ToolV1,
} from './types.ts';

const source = struct<SourceV1>({ repo: always(text), tag: always(text), package: unlessEmpty(text) });

const image = struct<ImageV1>({
  ref: always(text),
  digest: always(text),
  entrypoint: always(text),
  builder: unlessEmpty(text),
});

const inject = struct<InjectV1>({
  header: unlessEmpty(text),
  format: unlessEmpty(text),
  env: unlessEmpty(text),
});

const credential = struct<CredentialV1>({
  id: always(text),
  type: always(text),
  provider: always(text),
  scopes: unlessEmpty(list(text)),
  inject: always(inject),
  vendor: unlessEmpty(text),
});

export const manifestV1 = struct<ManifestV1>({
  schemaVersion: always(integer),
  name: always(text),
  version: always(text),
  source: always(source),
  image: always(image),
  tier: always(text),
  entitlements: always(struct<ManifestV1['entitlements']>({ egress: unlessEmpty(list(text)) })),
  credentials: unlessEmpty(list(credential)),
  tools: unlessEmpty(list(struct<ToolV1>({ name: always(text), default: always(flag) }))),
  displayName: unlessEmpty(text),
  description: unlessEmpty(text),
  category: unlessEmpty(text),
  icon: unlessEmpty(text),
});

const param = struct<SpecParam>({
  name: always(text),
  in: always(text),
  type: always(text),
  required: unlessEmpty(flag),
  description: unlessEmpty(text),
});

const specTool = struct<SpecTool>({
  name: always(text),
  description: always(text),
  method: always(text),
  path: always(text),
  baseUrl: unlessEmpty(text),
  encoding: unlessEmpty(text),
  params: unlessEmpty(list(param)),
});

export const toolSpec = struct<ToolSpec>({
  schemaVersion: always(integer),
  name: always(text),
  version: always(text),
  baseUrl: always(text),
  auth: unlessEmpty(
    nullable(struct<NonNullable<ToolSpec['auth']>>({ header: always(text), format: always(text) })),
  ),
  tools: always(list(specTool)),
});

const sha256 = (json: string): string => createHash('sha256').update(json, 'utf8').digest('hex');

/** Lower-case hex SHA-256 over the structure's JSON: what the registry calls a manifest's hash. */
export const manifestV1Hash = (manifest: ManifestV1): string => sha256(manifestV1.json(manifest));

/** The same over a toolspec. */
export const toolSpecHash = (spec: ToolSpec): string => sha256(toolSpec.json(spec));
