/**
 * What starting a stored server would do. Nothing is started, no credential is opened, and no start is recorded: where a
 * credential's placeholder or value would stand, its name does.
 */
import { type LaunchPlan, manifestOf, packageOf, type ServerRow } from '../../api/index.ts';
import { listenedPorts } from '../../egress/index.ts';
import { AppError, newId, type Random } from '../../kernel/index.ts';
import type { CredentialSpec } from '../../manifest/index.ts';
import type { PackageStore, Sandbox } from '../../sandbox/index.ts';
import { serverSpec } from './server-spec.ts';
import { type CredentialVersions, credentialVersions } from './credentials.ts';
import type { StartDeps } from './start.ts';

export interface PlanDeps extends Pick<StartDeps, 'vault' | 'workspace'> {
  readonly packages: Pick<PackageStore, 'open'>;
  readonly sandbox: Pick<Sandbox, 'plan'>;
  readonly random: Random;
}

/** @throws AppError `server_kind_unsupported`, `package_*`, `sandbox_*`: what a launch would fail with, too */
export async function planServer(deps: PlanDeps, row: ServerRow): Promise<LaunchPlan> {
  const manifest = manifestOf(row);
  if (manifest.server.kind !== 'sandboxed') {
    throw new AppError(
      'server_kind_unsupported',
      `A server of kind \`${manifest.server.kind}\` has no cell.`,
      {
        kind: 'failed',
      },
    );
  }
  const set = await credentialVersions(deps, row);
  const pinned = packageOf(row);
  const installed = pinned === null ? null : await deps.packages.open(pinned);
  const cell = await deps.sandbox.plan(
    serverSpec({
      id: newId<'cell'>('cell', deps.random),
      row,
      manifest: manifest.server,
      credentials: standIns(manifest.credentials, set),
      installed,
      ports: listenedPorts(manifest.egress),
      caPem: '',
    }),
  );
  return {
    server: row.slug,
    problems: problemsOf(row, manifest.credentials, set),
    program: [...manifest.server.command, ...manifest.server.args],
    package: pinned === null ? null : { spec: pinned.spec, integrity: pinned.integrity },
    reaches: manifest.egress.map(({ methods, paths, ...rule }) => ({
      ...rule,
      ...(methods === undefined ? {} : { methods: [...methods] }),
      ...(paths === undefined ? {} : { paths: [...paths] }),
    })),
    credentials: manifest.credentials.map(({ name, tier, env }) => ({
      name,
      tier,
      variable: env ?? null,
      set: set.has(name),
    })),
    cell,
  };
}

function standIns(slots: readonly CredentialSpec[], set: CredentialVersions): Record<string, string> {
  return Object.fromEntries(
    slots.flatMap(({ name, tier, env }) =>
      env === undefined || !set.has(name)
        ? []
        : [[env, tier === 'sealed' ? `<placeholder of ${name}>` : `<value of ${name}>`]],
    ),
  );
}

/** What would keep it from being started, a sentence each. */
function problemsOf(row: ServerRow, slots: readonly CredentialSpec[], set: CredentialVersions): string[] {
  return [
    ...(row.enabled ? [] : [`It is disabled: sallyport server enable ${row.slug}`]),
    ...slots
      .filter(({ name, required }) => required && !set.has(name))
      .map(({ name }) => `${name} has no value: sallyport secret set ${row.slug} ${name}`),
  ];
}
