/**
 * Stored servers as they are read and shown. What a manifest says is told by its text at every read, so that a row that was
 * tampered with cannot widen what a cell may do. A row that no longer parses is still shown, so that it can be removed.
 */
import { AppError, isAppError } from '../kernel/index.ts';
import { type Manifest, renderFinding, type ServerSpec } from '../manifest/index.ts';
import type { ApiDeps } from './deps.ts';
import type { PackageRecord, ServerRow } from './ports.ts';
import { parseStoredManifest } from './stored-manifest.ts';
import { ProbeReport, type ProbeView } from './probe-schemas.ts';
import { type SecretView, type ServerView } from './server-schemas.ts';

/** @throws AppError `server_manifest_invalid` when the stored manifest no longer parses */
export function manifestOf(row: ServerRow): Manifest {
  const manifest = readManifest(row);
  if (isAppError(manifest)) throw manifest;
  return manifest;
}

function readManifest(row: ServerRow): Manifest | AppError {
  const found = parseStoredManifest(JSON.stringify(row.manifest), `${row.slug}.json`);
  if (found.ok) return found.value;
  return new AppError('server_manifest_invalid', `The stored manifest of \`${row.slug}\` is not valid.`, {
    kind: 'failed',
    hint: `Remove the server and add it again: \`sallyport server remove ${row.slug}\`.`,
    detail: { problems: found.error.map(renderFinding) },
  });
}

/** What rows that were stored by earlier versions do not have. */
const ONCE_UNRECORDED = { kind: 'npm', parts: [], scriptsRun: [], lockfile: '' } as const;

/** The package that a server is pinned to. */
export function packageOf(row: ServerRow): PackageRecord | null {
  const kept = row.package as unknown as PackageRecord | null; // written by `addServer` or `upgradeServer`
  return kept === null ? null : { ...ONCE_UNRECORDED, ...kept };
}

const documentNamed = (server: ServerSpec): string | null =>
  server.kind === 'api' ? (server.openapi ?? server.toolspec ?? null) : null;

const NOTHING_KNOWN = {
  kind: 'sandboxed',
  version: '-',
  command: [],
  address: null,
  document: null,
  egress: [],
  secrets: [],
  defaultTools: null,
  toolRules: [],
  readOnlyTools: 'report',
} satisfies Partial<ServerView>;

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
      use: slot.use ?? 'always',
      hosts: [...slot.hosts],
      inject: [...slot.inject],
      version: info?.version ?? null,
      updatedAt: info?.updatedAt ?? null,
      updatedBy: info?.updatedBy ?? null,
    };
  });
}

/** Parsed again, as the manifest is. Null when the server was never probed, or what is stored is no report. */
async function lastProbe(deps: ApiDeps, row: ServerRow): Promise<ProbeView | null> {
  const kept = await deps.probes.find(deps.workspace, row.id);
  if (kept === null) return null;
  const report = ProbeReport.safeParse(kept.report);
  return report.success ? { at: kept.at, manifestHash: kept.manifestHash, ...report.data } : null;
}

export async function viewServer(deps: ApiDeps, row: ServerRow): Promise<ServerView> {
  const pinned = packageOf(row);
  const known = {
    slug: row.slug,
    source: row.source,
    enabled: row.enabled,
    package:
      pinned === null
        ? null
        : {
            kind: pinned.kind,
            spec: pinned.spec,
            integrity: pinned.integrity,
            parts: pinned.parts.length,
            scriptsSkipped: [...pinned.scriptsSkipped],
            scriptsRun: [...pinned.scriptsRun],
          },
    manifestHash: row.manifestHash,
    probe: await lastProbe(deps, row),
    pinned: await deps.definitions.count(row),
    cells: deps.runtime.cells().filter((cell) => cell.server === row.slug).length,
    isolation: deps.facts().isolation,
    trouble: deps.runtime.trouble(row.slug),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
  const manifest = readManifest(row);
  if (isAppError(manifest)) return { ...known, ...NOTHING_KNOWN, title: row.slug, problem: manifest.message };
  return {
    ...known,
    title: manifest.title ?? manifest.name,
    kind: manifest.server.kind,
    version: manifest.version,
    document: documentNamed(manifest.server),
    command:
      manifest.server.kind === 'sandboxed' ? [...manifest.server.command, ...manifest.server.args] : [],
    address: addressOf(manifest),
    isolation: manifest.server.kind === 'sandboxed' ? known.isolation : 'cell',
    egress: manifest.egress.map(({ methods, paths, ...rule }) => ({
      ...rule,
      ...(methods === undefined ? {} : { methods: [...methods] }),
      ...(paths === undefined ? {} : { paths: [...paths] }),
    })),
    toolRules: (manifest.tools?.egress ?? []).map(({ tools, hosts, methods, paths, enforce }) => ({
      tools: [...tools],
      ...(hosts === undefined ? {} : { hosts: [...hosts] }),
      ...(methods === undefined ? {} : { methods: [...methods] }),
      ...(paths === undefined ? {} : { paths: [...paths] }),
      enforce,
    })),
    readOnlyTools: manifest.tools?.readOnly ?? 'report',
    secrets: await viewSecrets(deps, row),
    defaultTools: manifest.tools?.default === undefined ? null : [...manifest.tools.default],
    problem: null,
  };
}

const addressOf = ({ server }: Manifest): string | null =>
  server.kind === 'remote' ? server.url : server.kind === 'api' ? server.baseUrl : null;
