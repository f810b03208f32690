/**
 * `sallyport run`: any command in a cell, with placeholders for the credentials of a profile's servers. It ends when the
 * command does, when the kill switch is set, and when one of those servers is changed.
 */
import {
  accessSync,
  constants as fileConstants,
  existsSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { totalmem } from 'node:os';
import { manifestOf, type ServerRow, type ServerRows } from '../../api/index.ts';
import type { AuditLog } from '../../audit/index.ts';
import type { CellEgress, Egress, EgressRule } from '../../egress/index.ts';
import {
  AppError,
  type CellId,
  isAppError,
  limits,
  type Log,
  newId,
  type Random,
  type WorkspaceId,
} from '../../kernel/index.ts';
import type { CellLimits } from '../../manifest/index.ts';
import type { KillSwitch, Principal, ProfileView } from '../../mcp/index.ts';
import { type Cell, type CellExit, cellPathList, type Sandbox } from '../../sandbox/index.ts';
import type { Vault } from '../../vault/index.ts';
import { credentialVersions } from '../cells/credentials.ts';
import type { StoredCredential } from '../egress-ports.ts';
import { type Folders, planFolders } from './folders.ts';
import { guardFolder, type Guarded, lookAgain, lookOutside, madeBetween, type Outside } from './outside.ts';
import { findProgram } from './program.ts';
import { exitCode, type OwnStreams, passSignals, relay } from './relay.ts';
import { type RunServer, type RunShare, rulesOfHosts, shareOf } from './share.ts';

export interface RunDeps {
  readonly workspace: WorkspaceId;
  readonly operator: Principal;
  readonly servers: Pick<ServerRows, 'find'>;
  readonly profile: (workspace: WorkspaceId, name: string) => Promise<ProfileView | null>;
  readonly kills: Pick<KillSwitch, 'check' | 'onKill'>;
  readonly vault: Pick<Vault, 'list' | 'use'>;
  readonly sandbox: Pick<Sandbox, 'launch'>;
  readonly egress: Pick<Egress, 'openCell'>;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly random: Random;
  readonly log: Log;
}

export interface RunRequest {
  readonly profile: string;
  /** Further hosts that it may reach, `HOST` or `HOST:PORT`. */
  readonly hosts: readonly string[];
  /** Where it starts, and what it may write to. */
  readonly folder: string;
  readonly readOnly: boolean;
  /** Further folders, to be read; with `:rw` behind it, to be written too. */
  readonly mounts: readonly string[];
  /** It may write what programs outside of its cell run. */
  readonly allowHooks: boolean;
  readonly command: readonly string[];
  /** Its streams are this process's terminal; otherwise `streams` are passed on. */
  readonly terminal: boolean;
  readonly streams: OwnStreams;
  /** Of this process: the little of it that the command gets too, and where programs are. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told what the user should know, a sentence each. */
  readonly note: (text: string) => void;
}

export interface Runs {
  /** @returns the exit code to end with @throws AppError before the command was started, or when it was ended */
  run(request: RunRequest): Promise<number>;
  /** What a running command may use, by the names that its bindings have; null when it is none of these. */
  credentialsOf(cell: CellId): ReadonlyMap<string, StoredCredential> | null;
  /** Anything may have changed: ends what may not go on, brings the rest up to date. */
  settle(): Promise<void>;
}

interface Running {
  readonly servers: readonly RunServer[];
  readonly request: RunRequest;
  readonly share: RunShare;
  egress: CellEgress | null;
  cell: Cell | null;
  /** Why it was ended from here. */
  ended: AppError | null;
}

/** In what happened, the place of a server's name. No server can be called so. */
const NO_SERVER = '(run)';
/** What a terminal is, and how people want to be spoken to. Nothing that could be a secret, or says where things are. */
const PASSED_ON = ['TERM', 'COLORTERM', 'LANG', 'LC_ALL', 'TZ', 'NO_COLOR', 'FORCE_COLOR', 'CI'];

export function createRuns(deps: RunDeps): Runs {
  const running = new Map<CellId, Running>();

  /** The servers of the profile as stored now. @throws AppError `profile_unknown`, `kill_active` */
  async function serversOf(profile: string): Promise<readonly RunServer[]> {
    const view = await deps.profile(deps.workspace, profile);
    if (view === null) {
      throw new AppError('profile_unknown', `There is no profile \`${profile}\`.`, {
        kind: 'not_found',
        hint: 'See: sallyport profile list',
      });
    }
    await deps.kills.check(deps.operator, NO_SERVER);
    const found: RunServer[] = [];
    for (const { slug } of view.servers) {
      await deps.kills.check(deps.operator, slug);
      const row = await deps.servers.find(deps.workspace, slug);
      if (row !== null)
        found.push({ row, manifest: manifestOf(row), versions: await credentialVersions(deps, row) });
    }
    return found;
  }

  async function settleOne(cell: CellId, one: Running): Promise<void> {
    try {
      const now = await serversOf(one.request.profile);
      const changed = changedServer(one.servers, now);
      if (changed !== null) {
        throw new AppError('run_server_changed', `The command was ended: ${changed} was changed meanwhile.`, {
          kind: 'failed',
          hint: 'Start it again.',
        });
      }
      await one.egress?.refresh();
    } catch (error) {
      if (!isAppError(error)) deps.log.error('run.settle_failed', { cell, error: String(error) });
      one.ended ??= isAppError(error)
        ? error
        : new AppError('run_not_settled', 'The command was ended: its servers could not be read again.', {
            kind: 'failed',
            cause: error,
          });
      one.egress?.close();
      await one.cell?.kill();
    }
  }

  async function settle(): Promise<void> {
    await Promise.all([...running].map(([cell, one]) => settleOne(cell, one)));
  }

  async function start(id: CellId, one: Running, { folders, guarded, program }: Start): Promise<Cell> {
    const { request, share } = one;
    const { workspace, operator } = deps;
    await deps.audit.append({
      workspace,
      type: 'run.started',
      actor: operator.actor,
      data: {
        cell: id,
        profile: request.profile,
        program,
        folder: request.folder,
        servers: one.servers.map(({ row }) => row.slug),
        hosts: [...request.hosts],
        credentials: [...share.credentials.keys()],
      },
    });
    const egress = await deps.egress.openCell({
      identity: { cell: id, workspace, server: NO_SERVER, profile: request.profile, owner: null },
      rules: share.rules,
      credentials: share.bindings,
      tools: { rules: [], readOnly: 'off' },
      addresses: 'synthetic',
    });
    one.egress = egress;
    return deps.sandbox.launch(
      {
        id,
        label: NO_SERVER,
        command: [program],
        args: request.command.slice(1),
        env: { ...passedOn(request.environment), ...share.environment },
        tcpPorts: egress.ports,
        caPem: egress.caPem,
        files: folders.grants,
        pins: guarded.flatMap(({ pins }) => pins.map(({ path, write }) => ({ host: path, write }))),
        workDir: request.folder,
        limits: generousLimits(),
        terminal: request.terminal,
        ...(folders.uid === null ? {} : { uid: folders.uid }),
      },
      {
        onTcp: (port, server) => egress.acceptTcp(port, server),
        onDnsUdp: (socket) => egress.acceptDnsUdp(socket),
        onDnsTcp: (server) => egress.acceptDnsTcp(server),
        onUnsearched: (path) => request.note(unsearchedNote(path)),
      },
    );
  }

  async function finished(id: CellId, exit: CellExit | null, why: string): Promise<void> {
    running.get(id)?.egress?.close();
    running.delete(id);
    const { workspace, operator } = deps;
    const data = { cell: id, code: exit?.code ?? null, signal: exit?.signal ?? null, reason: why };
    // It is over either way.
    await deps.audit
      .append({ workspace, type: 'run.finished', actor: operator.actor, data })
      .catch(() => undefined);
  }

  async function run(given: RunRequest): Promise<number> {
    const request = { ...given, folder: realFolder(given.folder) };
    const hosts: readonly EgressRule[] = rulesOfHosts(request.hosts);
    const servers = await serversOf(request.profile);
    const share = shareOf(servers, hosts, deps.random);
    const folders = planFolders({
      folder: request.folder,
      readOnly: request.readOnly,
      mounts: request.mounts.map(mountOf),
      uid: process.getuid?.() ?? 0,
      ownerOf: (path) => statSync(path).uid,
    });
    const program = findProgram({
      program: request.command[0] ?? '',
      folder: request.folder,
      shown: folders.grants.map(({ host }) => host),
      cellPath: cellPathList,
      path: request.environment['PATH'] ?? '',
      look: executable,
    });
    const writable = folders.grants.filter(({ write }) => write && !request.allowHooks);
    const guarded = writable.map(({ host }) => ({ folder: host, ...guardFolder(host) }));
    const home = homeNotes(
      request.environment['HOME'] ?? '',
      writable.map(({ host }) => host),
    );
    const notes = [...folders.notes, ...share.notes, ...home, ...guarded.flatMap((each) => each.notes)];
    for (const note of notes) request.note(note);
    if (folders.uid !== null && share.credentials.size > 0) request.note(asUserNote(folders.uid));

    const id = newId<'cell'>('cell', deps.random);
    const one: Running = { servers, request, share, egress: null, cell: null, ended: null };
    running.set(id, one);
    const stopPassing = passSignals(() => one.cell);
    const stopListening = deps.kills.onKill(() => void settle());
    try {
      const before = await Promise.all(guarded.map((each) => lookOutside(each.folder, each.places)));
      const cell = await start(id, one, { folders, guarded, program });
      one.cell = cell;
      // It may have changed before there was anything to end.
      if (one.ended === null) await settleOne(id, one);
      else await cell.kill();
      const [exit] = await Promise.all([
        cell.exited,
        request.terminal ? undefined : relay(cell, request.streams),
      ]);
      await finished(id, exit, one.ended?.code ?? exit.reason);
      await tellMade(request, guarded, before);
      if (one.ended !== null) throw one.ended;
      if (exit.limit !== null || !exit.started) request.note(`${exit.reason}.`);
      return exitCode(exit);
    } catch (error) {
      if (running.has(id)) await finished(id, null, isAppError(error) ? error.code : 'internal_error');
      throw error;
    } finally {
      stopPassing();
      stopListening();
    }
  }

  return { run, credentialsOf: (cell) => running.get(cell)?.share.credentials ?? null, settle };
}

type GuardedFolder = Guarded & { readonly folder: string };

interface Start {
  readonly folders: Folders;
  readonly guarded: readonly GuardedFolder[];
  readonly program: string;
}

/** What came into being where nothing could keep the command from it. */
async function tellMade(
  { folder, note }: RunRequest,
  guarded: readonly GuardedFolder[],
  before: readonly Outside[],
): Promise<void> {
  const made: string[] = [];
  for (const [index, each] of guarded.entries()) {
    const then = before[index];
    if (then === undefined) continue;
    const now = await lookAgain(each.folder, each.places, then);
    made.push(...madeBetween(then, now));
    if (!then.whole || !now.whole)
      note(`${each.folder} is large: it was not searched for repositories further down.`);
  }
  if (made.length === 0) return;
  const named = made.slice(0, limits.runMadeNamedMax).map((path) => path.replace(`${folder}/`, ''));
  const more = made.length > named.length ? `, and ${made.length - named.length} more` : '';
  note(
    `made or changed during the run: ${named.join(', ')}${more}. ` +
      'Look at them before git, an editor or an agent does: these run what is in there.',
  );
}

/** What shells and programs run from there is by no name in a list. */
function homeNotes(home: string, writable: readonly string[]): readonly string[] {
  if (!home.startsWith('/') || !existsSync(home)) return [];
  const real = realpathSync(home);
  const around = writable.find((folder) => `${real}/`.startsWith(folder === '/' ? '/' : `${folder}/`));
  return around === undefined
    ? []
    : [
        `${real} is your home folder: the command can read your own keys in it, and write what your shells run.`,
      ];
}

const unsearchedNote = (folder: string): string =>
  `${folder} is large: only its first ${limits.grantEntriesMax} files and folders were searched for sockets, through which the command could talk to a program outside of its cell.`;

const asUserNote = (uid: number): string =>
  `the command is user ${uid}, whom the folder belongs to: as long as it runs, every program of that user can use the keys through its cell.`;

/** @returns a name for what is no longer as it was; null when all of it is */
function changedServer(before: readonly RunServer[], now: readonly RunServer[]): string | null {
  const same = (one: ServerRow, other: ServerRow | undefined): boolean =>
    other !== undefined &&
    one.id === other.id &&
    one.updatedAt === other.updatedAt &&
    one.manifestHash === other.manifestHash;
  const found = before.find(({ row }) => !same(row, now.find((one) => one.row.slug === row.slug)?.row));
  return found === undefined ? null : `\`${found.row.slug}\``;
}

/** @throws AppError `run_folder_missing` */
function realFolder(path: string): string {
  try {
    const real = realpathSync(path);
    if (statSync(real).isDirectory()) return real;
  } catch {
    // Said below.
  }
  throw new AppError('run_folder_missing', `There is no folder ${path}.`, {
    kind: 'invalid',
    hint: 'Name one that is there.',
  });
}

function mountOf(text: string): { readonly path: string; readonly write: boolean } {
  const write = text.endsWith(':rw');
  return { path: realFolder(write ? text.slice(0, -3) : text), write };
}

function executable(path: string): string | null {
  try {
    accessSync(path, fileConstants.X_OK);
    const real = realpathSync(path);
    return statSync(real).isFile() ? real : null;
  } catch {
    return null;
  }
}

const passedOn = (environment: RunRequest['environment']): Record<string, string> =>
  Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = environment[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );

/** It is the user's own command: what this machine has, within reason. */
function generousLimits(): CellLimits {
  const memoryMiB = Math.floor(totalmem() / limits.MIB);
  return {
    memoryMiB,
    processes: limits.runProcessesMax,
    openFiles: Math.min(limits.runOpenFilesMax, openFilesMost()),
    diskMiB: Math.max(limits.cellDiskDefaultMiB, Math.floor(memoryMiB * limits.runDiskShare)),
  };
}

/** What this process may have, and so the most that it can give. */
function openFilesMost(): number {
  const [, most = ''] =
    /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  return most === '' ? Infinity : Number(most);
}
