/** A server by the name of a package: it is installed, and a manifest made for it. */
import { AppError } from '../kernel/index.ts';
import type { EgressRule, Manifest } from '../manifest/index.ts';
import { parseAuthority } from '../wire/index.ts';
import { complete } from './checked-manifest.ts';
import type { ApiDeps } from './deps.ts';
import { type Follower, installPackage } from './packages.ts';
import type { PackageOptions, PackageRecord } from './ports.ts';
import type { AddServer } from './server-schemas.ts';

const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** @throws AppError `server_name_needed`, `server_command_needed`, `server_host_malformed`, `manifest_invalid`, `package_*` */
export async function fromPackage(
  deps: ApiDeps,
  input: AddServer,
  follower: Follower,
): Promise<{ manifest: Manifest; pinned: PackageRecord }> {
  const pinned = await installPackage(deps, { spec: input.source, options: packageOptions(input) }, follower);
  return { manifest: manifestForPackage(pinned, input), pinned };
}

/** Only what was asked for: absent and `false`, or empty, are the same. */
export const packageOptions = ({
  allowScripts = false,
  from = [],
}: Pick<AddServer, 'allowScripts' | 'from'>): PackageOptions => ({
  ...(allowScripts ? { allowScripts } : {}),
  ...(from.length > 0 ? { from } : {}),
});

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
