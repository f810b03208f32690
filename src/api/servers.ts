/**
 * Adding, changing and removing servers: the use cases behind the routes.
 * A server's manifest is parsed again at every read, so that a row that was tampered with cannot widen what a cell may do.
 */
import { AppError, newId, type Json } from '../kernel/index.ts';
import {
  checked,
  type EgressRule,
  type Manifest,
  type ManifestError,
  manifestHash,
  parseManifest,
  renderFinding,
  withInject,
} from '../manifest/index.ts';
import { parseAuthority } from '../wire/index.ts';
import type { ApiDeps } from './deps.ts';
import type { PackageRecord, ServerRow } from './ports.ts';
import type { AddServer, InjectBody, SecretView, ServerView } from './schemas.ts';

const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** @throws AppError `server_unknown` with the names that exist */
export async function findServer(deps: ApiDeps, slug: string): Promise<ServerRow> {
  const row = await deps.servers.find(deps.workspace, slug);
  if (row !== null) return row;
  const all = await deps.servers.list(deps.workspace);
  throw new AppError('server_unknown', `There is no server \`${slug}\`.`, {
    kind: 'not_found',
    hint:
      all.length === 0
        ? 'Add one: `sallyport server add github`. `sallyport catalog search` lists what is ready to use.'
        : `Servers here: ${all.map((server) => server.slug).join(', ')}.`,
  });
}

/** @throws AppError `server_manifest_invalid` when the stored manifest no longer parses */
export function manifestOf(row: ServerRow): Manifest {
  const parsed = parseManifest(JSON.stringify(row.manifest), { file: `${row.slug}.json` });
  if (parsed.manifest === undefined || parsed.errors.length > 0) {
    throw new AppError('server_manifest_invalid', `The stored manifest of \`${row.slug}\` is not valid.`, {
      kind: 'failed',
      hint: `Remove the server and add it again: \`sallyport server remove ${row.slug}\`.`,
      detail: { problems: parsed.errors.map(renderFinding) },
    });
  }
  return parsed.manifest;
}

export const packageOf = (row: ServerRow): PackageRecord | null =>
  row.package as unknown as PackageRecord | null;

/** Installs what the source names and keeps the server. Adds it to the profile `default`. */
export async function addServer(
  deps: ApiDeps,
  input: AddServer,
  tell: (message: string) => void,
): Promise<ServerView> {
  const { manifest, pinned } = await resolveSource(deps, input, tell);
  const slug = input.name ?? manifest.name;
  if ((await deps.servers.find(deps.workspace, slug)) !== null) {
    throw new AppError('server_exists', `There is already a server \`${slug}\`.`, {
      kind: 'conflict',
      hint: `Give this one another name: \`sallyport server add ${input.source} --name ${slug}-2\`, or remove that one first.`,
    });
  }
  const now = deps.clock.now();
  const row: ServerRow = {
    id: newId<'server'>('srv', deps.random),
    slug,
    manifest: manifest as unknown as Json,
    manifestHash: manifestHash(manifest),
    source: input.source,
    package: pinned as unknown as Json,
    enabled: true,
    createdAt: now,
    updatedAt: now,
  };
  await deps.audit.append({
    workspace: deps.workspace,
    type: 'server.added',
    actor: deps.caller.actor,
    server: slug,
    data: {
      source: input.source,
      manifest: row.manifestHash,
      package: pinned?.spec ?? null,
      integrity: pinned?.integrity ?? null,
    },
  });
  await deps.servers.insert(deps.workspace, row);
  const profile = (await deps.profiles.find(deps.workspace, 'default')) ?? { name: 'default', entries: [] };
  await deps.profiles.save(deps.workspace, {
    ...profile,
    entries: [...profile.entries, { server: slug, tools: null }],
  });
  return viewServer(deps, row);
}

async function resolveSource(
  deps: ApiDeps,
  input: AddServer,
  tell: (message: string) => void,
): Promise<{ manifest: Manifest; pinned: PackageRecord | null }> {
  if (input.manifest === undefined && input.source.startsWith('npm:')) {
    const pinned = await deps.packages.install(input.source, tell);
    return { manifest: manifestForPackage(pinned, input), pinned };
  }
  if (input.source.startsWith('pypi:') || input.source.startsWith('https://')) {
    throw new AppError(
      'server_source_unsupported',
      `Sources of the form \`${input.source.split(':')[0]}:\` cannot be added yet.`,
      {
        kind: 'invalid',
        hint: 'Use a catalog name, a manifest file, or npm:PACKAGE.',
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
  const withEnv: Manifest =
    input.env === undefined
      ? manifest
      : complete({
          ...manifest,
          server: { ...manifest.server, env: { ...manifest.server.env, ...input.env } },
        });
  if (manifest.server.package === undefined) return { manifest: withEnv, pinned: null };
  return { manifest: withEnv, pinned: await deps.packages.install(manifest.server.package, tell) };
}

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

const invalid = (findings: readonly ManifestError[], hint: string): AppError =>
  new AppError('manifest_invalid', `The manifest is not valid:\n${findings.map(renderFinding).join('\n')}`, {
    kind: 'invalid',
    hint,
  });

/** A manifest that was put together here, with every rule applied to it that applies to a file. */
function complete(manifest: Manifest): Manifest {
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
    version: pinned.version,
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

/** Declares where a credential goes, for a server whose manifest does not say. */
export async function injectSecret(
  deps: ApiDeps,
  slug: string,
  name: string,
  body: InjectBody,
): Promise<ServerView> {
  const row = await findServer(deps, slug);
  const before = manifestOf(row);
  const changed = withInject(before, name, body.rule);
  if (!changed.ok)
    throw invalid(changed.error, `\`sallyport server show ${slug}\` shows where the server may connect.`);
  const credentials = changed.value.credentials.map((slot) =>
    slot.name !== name
      ? slot
      : {
          ...slot,
          ...(body.hosts === undefined ? {} : { hosts: body.hosts }),
          ...(body.env === undefined ? {} : { env: body.env }),
        },
  );
  return changeServer(
    deps,
    row,
    { manifest: complete({ ...changed.value, credentials }) },
    { injected: name },
  );
}

/** Installs another version of the server's package. The manifest's other lines stay as they are. */
export async function upgradeServer(
  deps: ApiDeps,
  slug: string,
  to: string | undefined,
  tell: (message: string) => void,
): Promise<ServerView> {
  const row = await findServer(deps, slug);
  const manifest = manifestOf(row);
  const pinned = packageOf(row);
  if (pinned === null || manifest.server.kind !== 'sandboxed') {
    throw new AppError(
      'server_without_package',
      `\`${slug}\` does not come from a package, so there is nothing to upgrade.`,
      { kind: 'invalid' },
    );
  }
  const fresh = await deps.packages.install(`npm:${pinned.name}${to === undefined ? '' : `@${to}`}`, tell);
  if (fresh.integrity === pinned.integrity) return viewServer(deps, row);
  const server = { ...manifest.server, package: fresh.spec };
  return changeServer(
    deps,
    row,
    { manifest: { ...manifest, version: fresh.version, server }, package: fresh },
    { from: pinned.spec, to: fresh.spec, integrity: fresh.integrity },
  );
}

export async function setEnabled(deps: ApiDeps, slug: string, enabled: boolean): Promise<ServerView> {
  const row = await findServer(deps, slug);
  return row.enabled === enabled ? viewServer(deps, row) : changeServer(deps, row, { enabled }, { enabled });
}

async function changeServer(
  deps: ApiDeps,
  row: ServerRow,
  change: { manifest?: Manifest; package?: PackageRecord; enabled?: boolean },
  facts: Record<string, Json>,
): Promise<ServerView> {
  const next: ServerRow = {
    ...row,
    ...(change.manifest === undefined
      ? {}
      : { manifest: change.manifest as unknown as Json, manifestHash: manifestHash(change.manifest) }),
    ...(change.package === undefined ? {} : { package: change.package as unknown as Json }),
    ...(change.enabled === undefined ? {} : { enabled: change.enabled }),
    updatedAt: deps.clock.now(),
  };
  await deps.audit.append({
    workspace: deps.workspace,
    type: 'server.changed',
    actor: deps.caller.actor,
    server: row.slug,
    data: { ...facts, manifest: next.manifestHash },
  });
  await deps.servers.update(deps.workspace, next);
  await deps.runtime.restart(row.slug, 'changed');
  return viewServer(deps, next);
}

export async function removeServer(deps: ApiDeps, slug: string): Promise<void> {
  const row = await findServer(deps, slug);
  await deps.audit.append({
    workspace: deps.workspace,
    type: 'server.removed',
    actor: deps.caller.actor,
    server: slug,
    data: {},
  });
  await deps.runtime.restart(slug, 'removed');
  for (const info of await deps.vault.list(deps.caller, { id: row.id, slug })) {
    await deps.vault.remove(deps.caller, {
      server: row.id,
      serverSlug: slug,
      name: info.name,
      owner: info.owner,
    });
  }
  await deps.servers.remove(deps.workspace, row.id);
  for (const profile of await deps.profiles.list(deps.workspace)) {
    const entries = profile.entries.filter((entry) => entry.server !== slug);
    if (entries.length !== profile.entries.length)
      await deps.profiles.save(deps.workspace, { ...profile, entries });
  }
}

/** The slots of a server with what is known of their values; never a value. */
export async function viewSecrets(deps: ApiDeps, row: ServerRow): Promise<SecretView[]> {
  const known = await deps.vault.list(deps.caller, { id: row.id, slug: row.slug });
  return manifestOf(row).credentials.map((slot) => {
    const info = known.find((candidate) => candidate.name === slot.name && candidate.owner === null);
    return {
      name: slot.name,
      ...(slot.title === undefined ? {} : { title: slot.title }),
      tier: slot.tier,
      required: slot.required,
      hosts: [...slot.hosts],
      inject: [...slot.inject],
      version: info?.version ?? null,
      updatedAt: info?.updatedAt ?? null,
      updatedBy: info?.updatedBy ?? null,
    };
  });
}

export async function viewServer(deps: ApiDeps, row: ServerRow): Promise<ServerView> {
  const manifest = manifestOf(row);
  const pinned = packageOf(row);
  return {
    slug: row.slug,
    title: manifest.title ?? manifest.name,
    kind: manifest.server.kind,
    version: manifest.version,
    source: row.source,
    enabled: row.enabled,
    command:
      manifest.server.kind === 'sandboxed' ? [...manifest.server.command, ...manifest.server.args] : [],
    package:
      pinned === null
        ? null
        : { spec: pinned.spec, integrity: pinned.integrity, scriptsSkipped: [...pinned.scriptsSkipped] },
    egress: manifest.egress.map(({ methods, paths, ...rule }) => ({
      ...rule,
      ...(methods === undefined ? {} : { methods: [...methods] }),
      ...(paths === undefined ? {} : { paths: [...paths] }),
    })),
    secrets: await viewSecrets(deps, row),
    defaultTools: manifest.tools?.default === undefined ? null : [...manifest.tools.default],
    manifestHash: row.manifestHash,
    cells: deps.runtime.cells().filter((cell) => cell.server === row.slug).length,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}
