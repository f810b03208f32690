/** From what a user names (a catalog entry, a manifest's text, a package) to a manifest and an installed package. */
import { AppError } from '../kernel/index.ts';
import {
  checked,
  type EgressRule,
  type Manifest,
  type ManifestError,
  parseManifest,
  renderFinding,
} from '../manifest/index.ts';
import { parseAuthority } from '../wire/index.ts';
import type { ApiDeps } from './deps.ts';
import { type Follower, installPackage } from './packages.ts';
import type { PackageOptions, PackageRecord } from './ports.ts';
import type { AddServer } from './schemas.ts';

const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** @throws AppError `server_exists` */
export async function assertFree(
  deps: Pick<ApiDeps, 'servers' | 'workspace'>,
  slug: string,
  source: string,
): Promise<void> {
  if ((await deps.servers.find(deps.workspace, slug)) === null) return;
  throw new AppError('server_exists', `There is already a server \`${slug}\`.`, {
    kind: 'conflict',
    hint: `Give this one another name: \`sallyport server add ${source} --name ${slug}-2\`, or remove that one first.`,
  });
}

/** Finds or makes the manifest that a source stands for, and installs its package. @throws AppError */
export async function resolveSource(
  deps: ApiDeps,
  input: AddServer,
  follower: Follower,
): Promise<{ manifest: Manifest; pinned: PackageRecord | null }> {
  if (input.name !== undefined) await assertFree(deps, input.name, input.source);
  const options = packageOptions(input);
  if (input.manifest === undefined && PACKAGE_SOURCE.test(input.source)) {
    const pinned = await installPackage(deps, { spec: input.source, options }, follower);
    return { manifest: manifestForPackage(pinned, input), pinned };
  }
  if (input.source.startsWith('https://')) {
    throw new AppError(
      'server_source_unsupported',
      `Sources of the form \`${input.source.split(':')[0]}:\` cannot be added yet.`,
      {
        kind: 'invalid',
        hint: 'Use a catalog name, a manifest file, npm:PACKAGE or pypi:PACKAGE.',
      },
    );
  }
  const manifest =
    input.manifest === undefined ? fromCatalog(deps, input.source) : fromText(input.manifest, input.source);
  if (manifest.server.kind !== 'sandboxed') {
    throw new AppError(
      'server_kind_unsupported',
      `Servers of kind \`${manifest.server.kind}\` cannot run yet.`,
      {
        kind: 'invalid',
        hint: 'Only `kind: sandboxed` can be added in this version.',
      },
    );
  }
  // Before the package is fetched, which takes a while.
  if (input.name === undefined) await assertFree(deps, manifest.name, input.source);
  const withEnv: Manifest =
    input.env === undefined
      ? manifest
      : complete({
          ...manifest,
          server: { ...manifest.server, env: { ...manifest.server.env, ...input.env } },
        });
  const spec = manifest.server.package;
  if (spec === undefined) {
    if (Object.keys(options).length === 0) return { manifest: withEnv, pinned: null };
    throw new AppError('server_without_package', `\`${manifest.name}\` does not come from a package.`, {
      kind: 'invalid',
      hint: 'Leave out --allow-scripts and --from: there is nothing to install.',
    });
  }
  return { manifest: withEnv, pinned: await installPackage(deps, { spec, options }, follower) };
}

const PACKAGE_SOURCE = /^(?:npm|pypi):/;

/** Only what was asked for: absent and `false`, or empty, are the same. */
export const packageOptions = ({
  allowScripts = false,
  from = [],
}: Pick<AddServer, 'allowScripts' | 'from'>): PackageOptions => ({
  ...(allowScripts ? { allowScripts } : {}),
  ...(from.length > 0 ? { from } : {}),
});

function fromCatalog(deps: ApiDeps, name: string): Manifest {
  const entry = deps.catalog.show(name);
  if (entry !== undefined) return entry.manifest;
  const near = deps.catalog.search([name]).slice(0, 5);
  throw new AppError('catalog_unknown', `The catalog has no server \`${name}\`.`, {
    kind: 'not_found',
    hint:
      near.length > 0
        ? `Did you mean ${near.map((found) => found.manifest.name).join(', ')}?`
        : '`sallyport catalog search` lists all; any package works too: `sallyport server add npm:PACKAGE`.',
  });
}

function fromText(text: string, file: string): Manifest {
  const parsed = parseManifest(text, { file });
  if (parsed.errors.length > 0)
    throw invalid(parsed.errors, `Check it with \`sallyport manifest lint ${file}\`.`);
  if (parsed.manifest !== undefined) return parsed.manifest;
  throw new AppError(
    'manifest_not_runnable',
    parsed.obstacle?.message ?? 'This manifest names nothing that can run here.',
    {
      kind: 'invalid',
      hint: 'Write one of schema version 2 that names a package or a command.',
    },
  );
}

export const invalid = (findings: readonly ManifestError[], hint: string): AppError =>
  new AppError('manifest_invalid', `The manifest is not valid:\n${findings.map(renderFinding).join('\n')}`, {
    kind: 'invalid',
    hint,
  });

/** A manifest that was put together here, with every rule applied to it that applies to a file. */
export function complete(manifest: Manifest): Manifest {
  const result = checked(manifest);
  if (result.ok) return result.value;
  throw invalid(result.error, 'Correct the options, or write a manifest file.');
}

/** A package without a manifest may reach only the hosts that were named, and gets no credential until one is declared. */
function manifestForPackage(pinned: PackageRecord, input: AddServer): Manifest {
  const base = pinned.name.split('/').at(-1) ?? pinned.name;
  const slug =
    input.name ??
    base
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 63);
  if (!SLUG.test(slug)) {
    throw new AppError('server_name_needed', `No server name can be made from \`${pinned.name}\`.`, {
      kind: 'invalid',
      hint: 'Give one with --name.',
    });
  }
  const bins = Object.keys(pinned.bins);
  const program = bins.length === 1 ? bins[0] : bins.find((bin) => bin === base);
  const command = input.command ?? (program === undefined ? undefined : [program]);
  if (command === undefined) {
    throw new AppError(
      'server_command_needed',
      `\`${pinned.name}\` has ${bins.length === 0 ? 'no program' : `several programs: ${bins.join(', ')}`}.`,
      {
        kind: 'invalid',
        hint: 'Say which one starts the server: --command PROGRAM.',
      },
    );
  }
  return complete({
    schemaVersion: 2,
    name: slug,
    version: manifestVersion(pinned),
    title: pinned.name,
    server: {
      kind: 'sandboxed',
      package: pinned.spec,
      command,
      args: [],
      env: input.env ?? {},
      files: [],
      limits: {},
      addresses: 'synthetic',
    },
    egress: (input.hosts ?? []).map(egressRule),
    credentials: [],
  });
}

/**
 * A manifest's version is three numbers; what a package's has beyond them stays in the package's. Packages of Python's may
 * have fewer, where what is missing is zero (PEP 440).
 */
export function manifestVersion({ version }: Pick<PackageRecord, 'version'>): string {
  const numbers = /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){0,2}(?![\d!])/.exec(version)?.[0].split('.') ?? [];
  return [...numbers, '0', '0', '0'].slice(0, 3).join('.');
}

/** @param text `HOST` or `HOST:PORT`; the rules of manifests decide whether the name will do */
function egressRule(text: string): EgressRule {
  const wildcard = text.startsWith('*.');
  const parsed = parseAuthority(wildcard ? text.slice(2) : text, 443);
  if (!parsed.ok)
    throw new AppError('server_host_malformed', `\`${text}\` is not a host.`, {
      kind: 'invalid',
      hint: 'Write api.example.com or api.example.com:8443.',
    });
  return { host: `${wildcard ? '*.' : ''}${parsed.value.host}`, port: parsed.value.port, protocol: 'https' };
}
