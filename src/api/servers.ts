/** Adding, changing and removing servers: the use cases behind the routes. */
import { AppError, isAppError, newId, type Json } from '../kernel/index.ts';
import { type Manifest, manifestHash, withInject } from '../manifest/index.ts';
import { complete, invalid } from './checked-manifest.ts';
import { adopt, lookAt } from './definitions.ts';
import type { ApiDeps } from './deps.ts';
import { assertOrdinary, differsFrom, diffParts } from './package-changes.ts';
import { manifestVersion, packageOptions } from './package-source.ts';
import { type Follower, installPackage, recordPackage } from './packages.ts';
import type { PackageRecord, ServerRow } from './ports.ts';
import type {
  AddedView,
  AddServer,
  InjectBody,
  ReinstallBody,
  ServerView,
  UpgradeBody,
  UpgradedView,
} from './server-schemas.ts';
import { assertFree, resolveSource } from './server-sources.ts';
import { manifestOf, packageOf, viewServer } from './server-views.ts';

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

/** Installs what the source names, keeps the server, and agrees to what it offers. Adds it to the profile `default`. */
export async function addServer(deps: ApiDeps, input: AddServer, follower: Follower): Promise<AddedView> {
  const { manifest, pinned, document, notes = [] } = await resolveSource(deps, input, follower);
  const slug = input.name ?? manifest.name;
  // Again: another may have taken the name meanwhile.
  await assertFree(deps, slug, input.source);
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
      ...(document === null ? {} : { document: document.hash }),
    },
  });
  await deps.servers.insert(deps.workspace, row, document);
  await deps.profiles.edit(deps.workspace, 'default', (entries) => [
    ...entries.filter((entry) => entry.server !== slug),
    { server: slug, tools: null },
  ]);
  const definitions = await adopt(deps, row, follower.tell);
  return { ...(await viewServer(deps, row)), notes: [...notes], definitions };
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

/** The package of a server that has one. @throws AppError `server_without_package` */
function pinnedPackage(row: ServerRow): { pinned: PackageRecord; manifest: Manifest } {
  const manifest = manifestOf(row);
  const pinned = packageOf(row);
  if (pinned !== null && manifest.server.kind === 'sandboxed') return { pinned, manifest };
  throw new AppError(
    'server_without_package',
    `\`${row.slug}\` does not come from a package, so there is nothing to install.`,
    { kind: 'invalid' },
  );
}

/**
 * Installs another version of the server's package. The manifest's other lines stay as they are.
 *
 * @throws AppError `package_changes_need_consent` when it brings what a new version usually does not
 */
export async function upgradeServer(
  deps: ApiDeps,
  slug: string,
  { to, accept = false, ...choices }: UpgradeBody,
  follower: Follower,
): Promise<UpgradedView> {
  const row = await findServer(deps, slug);
  const { pinned, manifest } = pinnedPackage(row);
  const { kind, name } = pinned;
  const version = to === undefined ? '' : `${kind === 'npm' ? '@' : '=='}${to}`;
  const spec = `${kind}:${name}${version}`;
  const fresh = await installPackage(
    deps,
    { spec, server: slug, options: packageOptions(choices) },
    follower,
  );
  const { added, removed, altered, newScripts } = diffParts(pinned.parts, fresh.parts);
  const changes = {
    added: [...added],
    removed: [...removed],
    altered: [...altered],
    newScripts: [...newScripts],
  };
  if (fresh.integrity === pinned.integrity) {
    return { ...(await viewServer(deps, row)), changes, definitions: null };
  }
  if (!accept) {
    try {
      assertOrdinary(slug, pinned, fresh);
    } catch (held) {
      const reason = isAppError(held) ? held.code : 'internal_error';
      await recordPackage(deps, 'package.refused', slug, { spec: fresh.spec, reason, ...changes });
      throw held;
    }
  }
  const server = { ...manifest.server, package: fresh.spec };
  const view = await changeServer(
    deps,
    row,
    { manifest: complete({ ...manifest, version: manifestVersion(fresh), server }), package: fresh },
    { from: pinned.spec, to: fresh.spec, integrity: fresh.integrity, accepted: accept, ...changes },
  );
  const definitions = await lookAt(deps, await findServer(deps, slug), follower.tell);
  return { ...view, pinned: await deps.definitions.count(row), changes, definitions };
}

/**
 * Installs the very package again that the server is pinned to, from its lockfile: after its files were lost or changed.
 *
 * @throws AppError `package_lock_missing`, `package_differs` when the registry no longer has the same
 */
export async function reinstallServer(
  deps: ApiDeps,
  slug: string,
  { from }: ReinstallBody,
  follower: Follower,
): Promise<ServerView> {
  const row = await findServer(deps, slug);
  const { pinned } = pinnedPackage(row);
  if (pinned.lockfile === '') {
    throw new AppError(
      'package_lock_missing',
      `What \`${slug}\` is made of was not written down at its time.`,
      {
        kind: 'failed',
        hint: `Take the version anew, after a look at it: \`sallyport server upgrade ${slug} --to ${pinned.version}\`.`,
      },
    );
  }
  const allowScripts = pinned.scriptsRun.length > 0;
  const options = { ...packageOptions({ allowScripts, from }), lockfile: pinned.lockfile };
  const fresh = await installPackage(deps, { spec: pinned.spec, server: slug, options }, follower);
  if (fresh.integrity !== pinned.integrity) {
    const differs = differsFrom(slug, pinned, fresh);
    await recordPackage(deps, 'package.refused', slug, {
      spec: fresh.spec,
      reason: differs.code,
      expected: pinned.integrity,
      found: fresh.integrity,
    });
    throw differs;
  }
  // Cells of before may have what was changed.
  await deps.runtime.restart(slug, 'package installed again');
  return viewServer(deps, row);
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
  // A call may have started it anew in the meantime; from here on none can.
  await deps.runtime.restart(slug, 'removed');
  for (const profile of await deps.profiles.list(deps.workspace)) {
    if (profile.entries.some((entry) => entry.server === slug))
      await deps.profiles.edit(deps.workspace, profile.name, (entries) =>
        entries.filter((entry) => entry.server !== slug),
      );
  }
}
