/**
 * Version 1 to what Sallyport runs. A server that is a toolspec becomes an HTTP API as tools; one that is a
 * container image cannot run here, because an image brings no package that a cell could start.
 */
import { err, ok, type Result } from '../../kernel/index.ts';
import { defaultPlaceholder } from '../placeholder.ts';
import type { Complaint } from '../report.ts';
import type { CredentialSpec, InjectRule, Manifest } from '../types.ts';
import type { CredentialV1, ManifestV1, ToolSpec } from './types.ts';

export interface Companion {
  readonly spec: ToolSpec;
  /** File name of the toolspec, without folders. */
  readonly file: string;
}

/**
 * The version 2 form of a version 1 manifest without errors. What only describes how the image was built or
 * how an OAuth app is grouped (source, image, category, icon, provider, scopes, vendor) has no place in it.
 *
 * Codes: `manifest_v1_image`, `manifest_v1_toolspec_missing`, `manifest_v1_credentials`.
 */
export function convertV1(
  manifest: ManifestV1,
  companion: Companion | undefined,
): Result<Manifest, Complaint> {
  if (manifest.image.builder !== 'toolpack') {
    return err({
      code: 'manifest_v1_image',
      message: `${manifest.name} runs from the container image ${manifest.image.ref}, which a cell cannot start`,
      expected: 'a server from a package (npm: or pypi:), or one with a toolspec',
    });
  }
  if (companion === undefined) {
    return err({
      code: 'manifest_v1_toolspec_missing',
      message: 'the tools of this server are in a toolspec, and there is none beside the manifest',
      expected: 'the toolspec under the same name, ending with .toolspec.yaml',
    });
  }
  const { spec, file } = companion;
  if (spec.auth !== null && manifest.credentials.length > 1) {
    return err({
      code: 'manifest_v1_credentials',
      message: `the toolspec has one place for ${manifest.credentials.length} credentials`,
      expected: 'one credential',
    });
  }
  return ok({
    schemaVersion: 2,
    name: manifest.name,
    version: manifest.version,
    ...(manifest.displayName === '' ? {} : { title: manifest.displayName }),
    ...(manifest.description === '' ? {} : { description: manifest.description }),
    server: { kind: 'api', baseUrl: spec.baseUrl, toolspec: file },
    egress: manifest.entitlements.egress.map((host) => ({ host, port: 443, protocol: 'https' })),
    credentials: manifest.credentials.map((credential) => convertCredential(credential, manifest, spec)),
    tools: { default: manifest.tools.filter((tool) => tool.default).map((tool) => tool.name) },
  });
}

/**
 * The gateway itself makes an API's requests, so no value has to enter a cell: entrusted ones become sealed.
 * Version 1 lets every allowed host have the value; that is what its author declared.
 */
function convertCredential(credential: CredentialV1, manifest: ManifestV1, spec: ToolSpec): CredentialSpec {
  const { header, format } = spec.auth ?? credential.inject;
  const inject: InjectRule = { header, format };
  return {
    name: credentialName(credential),
    tier: 'sealed',
    required: true,
    placeholder: defaultPlaceholder,
    hosts: manifest.entitlements.egress,
    inject: [inject],
  };
}

/** `airtable_token` becomes `AIRTABLE_TOKEN`; the variable of an entrusted one is its name already. */
function credentialName({ id, inject }: CredentialV1): string {
  const name = (inject.env === '' ? id : inject.env).toUpperCase().replace(/[^A-Z0-9]+/g, '_');
  return /^[A-Z]/.test(name) ? name : `KEY_${name.replace(/^_+/, '')}`;
}
