/**
 * One cell from a stored server: placeholders, egress, launch. The order matters: nothing of the server runs before
 * its package is verified, its credentials are there, its way out is built, and its start is in the audit log.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiCompiler, packageOf, type ServerRow } from '../../api/index.ts';
import type { AuditLog } from '../../audit/index.ts';
import type { CellEgress, CredentialBinding, Egress } from '../../egress/index.ts';
import {
  type CellId,
  type Clock,
  isAppError,
  limits,
  newId,
  type Random,
  type ServerId,
  type WorkspaceId,
} from '../../kernel/index.ts';
import { makePlaceholder, type Manifest, type SandboxedServerSpec } from '../../manifest/index.ts';
import type { EraMemory, UpstreamTransport } from '../../mcp/index.ts';
import type { Grants } from '../../oauth/index.ts';
import type { OpenedPackage, PackageStore, Sandbox } from '../../sandbox/index.ts';
import type { Caller, Vault } from '../../vault/index.ts';
import { bindingOf } from './binding.ts';
import { serverSpec } from './server-spec.ts';
import type { UnisolatedExit } from './unisolated-exit.ts';
import { type CellKey, heldBy, type HeldCredentials } from './cell-key.ts';
import { createCellLog, maskOf } from './cell-log.ts';
import type { Eras } from '../upstreams/eras.ts';
import { cellCaller, credentialInfos, gatewayCaller, presentCredentials } from './credentials.ts';
import type { LogFiles } from './log-files.ts';
import { noteIn, recordExit, startedText } from './start-record.ts';

/** The descriptions that the tools of APIs are made from, as they were when their servers were added. */
interface Documents {
  /** @param hash of the text: the same hash is the same text */
  find(
    workspace: WorkspaceId,
    server: ServerId,
  ): Promise<{ readonly hash: string; readonly text: string } | null>;
}

export interface StartDeps {
  readonly workspace: WorkspaceId;
  readonly vault: Pick<Vault, 'list' | 'use'>;
  readonly packages: Pick<PackageStore, 'open'>;
  readonly sandbox: Pick<Sandbox, 'launch'>;
  /** Where servers run instead, without a cell; null: in cells. */
  readonly unisolated: Pick<UnisolatedExit, 'launch'> | null;
  readonly egress: Pick<Egress, 'openCell' | 'openOwn'>;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly documents: Documents;
  readonly apis: Pick<ApiCompiler, 'compile'>;
  readonly logs: Pick<LogFiles, 'append'>;
  readonly eras: Pick<Eras, 'of'>;
  readonly grants: Pick<Grants, 'ensure' | 'challenged'>;
  readonly clock: Clock;
  readonly random: Random;
  /** How long a server may take to end once its input is closed, and again after SIGTERM. */
  readonly stopGraceMs: number;
  /** It is started only to be asked what it offers: with a placeholder also for what no value is set for. */
  readonly forLook?: boolean;
}

/**
 * How a cell is ended. `ask`: its program is asked to end, and may finish what it sends; then it is killed. `cut`: the same,
 * but it sends nothing any more. `kill`: every connection is cut and every process killed, at once.
 */
export type Ending = 'ask' | 'cut' | 'kill';

export interface RunningCell {
  readonly id: CellId;
  readonly server: ServerRow;
  /** Whom it serves. */
  readonly key: CellKey;
  readonly startedAt: number;
  readonly transport: UpstreamTransport;
  /** The credentials that the cell was started with, and whose values they were then. */
  readonly credentials: HeldCredentials;
  /** Whether the cell was given the value of any credential itself. */
  readonly entrusted: boolean;
  readonly egress: Pick<CellEgress, 'refresh'>;
  /** Seconds without a call after which it may be ended, where the manifest says so. */
  readonly idleSeconds: number | null;
  /** Settles when nothing of it is left. May be called again, with another ending too. */
  stop(reason: string, ending: Ending): Promise<void>;
}

/** What a cell is started from, and for whom. */
export interface CellOrder {
  readonly row: ServerRow;
  readonly manifest: Manifest;
  /** The same manifest's `server`. */
  readonly server: SandboxedServerSpec;
  readonly key: CellKey;
}

/** @throws AppError `server_disabled`, `vault_credential_missing`, `package_*`, `cell_*`, `audit_unavailable` */
export async function startCell(
  deps: StartDeps,
  { row, manifest, server, key }: CellOrder,
  onStarting: (id: CellId) => void,
): Promise<RunningCell> {
  const id = newId<'cell'>('cell', deps.random);
  const caller = cellCaller(deps.workspace, id);
  const present =
    deps.forLook === true
      ? heldBy(key.owner, await credentialInfos(deps, row))
      : await presentCredentials(deps, row, manifest, key.owner);
  const installed = await openPackage(deps, row);
  onStarting(id);

  const { env, bindings, given } = await prepareCredentials(deps, row, {
    manifest,
    present,
    caller,
    owner: key.owner,
  });
  await deps.audit.append({
    workspace: deps.workspace,
    type: 'cell.started',
    actor: caller.actor,
    server: row.slug,
    data: {
      profile: key.profile,
      owner: key.owner,
      shared: key.shared,
      isolation: deps.unisolated === null ? 'cell' : 'none',
      manifest: row.manifestHash,
      package: packageOf(row)?.integrity ?? null,
      credentials: [...present.keys()],
    },
  });
  let egress: CellEgress | null = null;
  try {
    egress = await deps.egress.openCell({
      identity: {
        cell: id,
        workspace: deps.workspace,
        server: row.slug,
        profile: key.profile ?? '',
        owner: key.owner,
      },
      rules: manifest.egress,
      credentials: bindings,
      tools: { rules: manifest.tools?.egress ?? [], readOnly: manifest.tools?.readOnly ?? 'report' },
      addresses: server.addresses,
    });
    return await launch(deps, row, {
      id,
      key,
      manifest: server,
      env,
      installed,
      egress,
      present,
      given,
      era: await deps.eras.of(row),
    });
  } catch (error) {
    egress?.close();
    const reason = isAppError(error) ? error.code : 'internal_error';
    await recordExit(deps, row, id, { reason, code: null, signal: null, byItself: true });
    const message = isAppError(error) ? error.message : 'see the log of the gateway';
    noteIn(deps, row, id)(`not started: ${message}`);
    throw error;
  }
}

async function openPackage(deps: StartDeps, row: ServerRow): Promise<OpenedPackage | null> {
  const pinned = packageOf(row);
  if (pinned === null) return null;
  try {
    return await deps.packages.open(pinned);
  } catch (error) {
    if (isAppError(error) && error.kind === 'denied') {
      await deps.audit.append({
        workspace: deps.workspace,
        type: 'package.refused',
        actor: gatewayCaller(deps.workspace).actor,
        server: row.slug,
        data: { spec: pinned.spec, reason: error.code, ...error.detail },
      });
    }
    throw error;
  }
}

interface CredentialInputs {
  readonly manifest: Manifest;
  readonly present: HeldCredentials;
  readonly caller: Caller;
  readonly owner: string | null;
}

async function prepareCredentials(
  deps: StartDeps,
  row: ServerRow,
  { manifest, present, caller, owner }: CredentialInputs,
) {
  const env: Record<string, string> = {};
  const bindings: CredentialBinding[] = [];
  const given = new Map<string, string>();
  for (const slot of manifest.credentials) {
    // Who only looks has a placeholder for what has no value: it is bound, so that nothing leaves with it.
    const isStandIn = deps.forLook === true && slot.tier === 'sealed';
    if (!present.has(slot.name) && !isStandIn) continue;
    if (slot.tier === 'sealed') {
      const placeholder = makePlaceholder(slot.placeholder, deps.random);
      if (slot.env !== undefined) env[slot.env] = placeholder;
      bindings.push(bindingOf(slot, placeholder));
    } else if (slot.env !== undefined) {
      const value = await deps.vault.use(
        caller,
        { server: row.id, serverSlug: row.slug, name: slot.name, owner },
        { kind: 'entrust', data: { env: slot.env } },
      );
      const text = value.reveal();
      value.destroy();
      env[slot.env] = text;
      given.set(slot.name, text);
    }
  }
  return { env, bindings, given };
}

interface Prepared {
  readonly id: CellId;
  readonly key: CellKey;
  readonly manifest: SandboxedServerSpec;
  readonly env: Readonly<Record<string, string>>;
  readonly installed: OpenedPackage | null;
  readonly egress: CellEgress;
  readonly present: HeldCredentials;
  /** The values that the cell itself gets, by the names of their credentials. */
  readonly given: ReadonlyMap<string, string>;
  readonly era: EraMemory;
}

async function launch(deps: StartDeps, row: ServerRow, prepared: Prepared): Promise<RunningCell> {
  const { id, key, manifest, egress } = prepared;
  const spec = serverSpec({
    id,
    row,
    manifest,
    credentials: prepared.env,
    installed: prepared.installed,
    ports: egress.ports,
    caPem: egress.caPem,
  });
  const cell =
    deps.unisolated === null
      ? await deps.sandbox.launch(spec, {
          onTcp: (port, server) => egress.acceptTcp(port, server),
          onDnsUdp: (socket) => egress.acceptDnsUdp(socket),
          onDnsTcp: (server) => egress.acceptDnsTcp(server),
        })
      : await deps.unisolated.launch(spec, egress);
  const note = noteIn(deps, row, id);
  note(startedText(key) + (deps.unisolated === null ? '' : ' WITHOUT ISOLATION'));
  const log = createCellLog({
    stderr: cell.stderr,
    clock: deps.clock,
    mask: maskOf(prepared.given),
    write: (from, text) => deps.logs.append(row.slug, { at: deps.clock.now(), cell: id, from, text }),
  });
  let asked: string | null = null;
  const stop = async (reason: string, ending: Ending): Promise<void> => {
    asked = ending === 'kill' ? reason : (asked ?? reason);
    if (ending !== 'ask') egress.close();
    await (ending === 'kill' ? cell.kill() : cell.stop(deps.stopGraceMs));
  };
  const exited = cell.exited.then(async (exit) => {
    egress.close();
    // Its last words are on their way; they explain its end.
    await Promise.race([log.drained, sleep(limits.cellStderrDrainMs, undefined, { ref: false })]);
    const { code, signal, limit } = exit;
    // Whoever asked for its end knows why; a limit that was met is told all the same.
    const reason = limit === null ? (asked ?? exit.reason) : exit.reason;
    const outcome = { code, signal, reason, ...(limit === null ? {} : { limit: limit.setting }) };
    note(`ended: ${outcome.reason}`);
    await recordExit(deps, row, id, { ...outcome, byItself: asked === null || limit !== null });
    return outcome;
  });
  return {
    id,
    server: row,
    key,
    startedAt: deps.clock.now(),
    credentials: prepared.present,
    entrusted: prepared.given.size > 0,
    egress,
    idleSeconds: manifest.idleSeconds ?? null,
    transport: {
      kind: 'lines',
      cell: id,
      input: cell.stdin,
      output: cell.stdout,
      stderrTail: () => log.tail(),
      exited,
      close: (reason) => stop(reason, 'ask'),
      era: prepared.era,
    },
    stop,
  };
}
