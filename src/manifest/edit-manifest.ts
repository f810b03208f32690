/** Changes to a manifest that commands make. Each result has passed every rule that a file passes. */
import { err, ok, type Result } from '../kernel/index.ts';
import { injectPlace } from './inject-rule.ts';
import { parseManifest } from './parse-manifest.ts';
import { defaultPlaceholder } from './placeholder.ts';
import type { ManifestError } from './report.ts';
import type { CredentialSpec, InjectRule, Manifest } from './types.ts';
import { writeManifest } from './write-manifest.ts';

/**
 * The manifest with one more place for a credential; a rule for the same place is replaced. A credential that
 * the manifest does not know is added: sealed, for every host that egress allows, and for a server in a cell
 * with a variable of its own name.
 *
 * @param name of the credential, e.g. `GITHUB_TOKEN`
 */
export function withInject(
  manifest: Manifest,
  name: string,
  rule: InjectRule,
): Result<Manifest, readonly ManifestError[]> {
  const known = manifest.credentials.find((credential) => credential.name === name);
  const edited = addRule(known ?? newCredential(manifest, name), rule);
  const credentials =
    known === undefined
      ? [...manifest.credentials, edited]
      : manifest.credentials.map((credential) => (credential === known ? edited : credential));
  return checked({ ...manifest, credentials });
}

function newCredential({ server, egress }: Manifest, name: string): CredentialSpec {
  return {
    name,
    tier: 'sealed',
    required: true,
    ...(server.kind === 'sandboxed' ? { env: name } : {}),
    placeholder: defaultPlaceholder,
    hosts: [...new Set(egress.map((place) => place.host))],
    inject: [],
  };
}

function addRule(credential: CredentialSpec, rule: InjectRule): CredentialSpec {
  const others = credential.inject.filter((other) => injectPlace(other) !== injectPlace(rule));
  return { ...credential, inject: [...others, rule] };
}

/** A manifest that was put together in memory, with every rule applied to it. Findings stand in its written form. */
export function checked(manifest: Manifest): Result<Manifest, readonly ManifestError[]> {
  const parsed = parseManifest(writeManifest(manifest), { file: manifest.name });
  return parsed.manifest === undefined ? err(parsed.errors) : ok(parsed.manifest);
}
