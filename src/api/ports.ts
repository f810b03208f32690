/**
 * What the control plane needs from outside: where servers and profiles are kept, how a package gets onto the machine,
 * and the running cells. `main/` supplies the store, the sandbox and the front behind these.
 */
import type { UsageView } from './usage-schemas.ts';
import type { ApprovalAnswer, ApprovalDetail, ApprovalView } from './approval-schemas.ts';
import type { PolicyAsked, PolicyCheck, PolicyExplanation, PolicySource } from './policy-schemas.ts';
import type { ApiDescription, ApiUse, CompiledApi } from '../http-api/index.ts';
import type { CellId, Json, Secret, ServerId, WorkspaceId } from '../kernel/index.ts';
import type { ApprovalState } from '../policy/index.ts';
import type { Decision, DefinitionReport, PinnedView } from './definition-schemas.ts';
import type { BeginLogin, LoginBegun, LoginView } from './login-schemas.ts';
import type { LaunchPlan } from './plan-schema.ts';
import type { ReceiverSecret } from './receiver-schemas.ts';
import type { RecordingLine, RecordingView, RejudgeReport } from './recording-schemas.ts';
import type { AlertView, ExportView } from './audit-schemas.ts';
import type { ProbeBody, ProbeEntry } from './probe-schemas.ts';

/** One package of an installed tree. */
export interface PackagePart {
  readonly name: string;
  readonly version: string;
  /** Of the archive that it came in. */
  readonly integrity: string;
  /** Whether it wants to run programs when it is installed. */
  readonly scripts: boolean;
}

/** A package in the store of installed packages, as kept with its server. */
export interface PackageRecord {
  readonly kind: 'npm' | 'pypi';
  /** `npm:NAME@VERSION` or `pypi:NAME==VERSION`, always exact. */
  readonly spec: string;
  readonly name: string;
  readonly version: string;
  /** Hash over every installed file; checked at each start of a cell. */
  readonly integrity: string;
  /** Program name to path within the package. */
  readonly bins: Readonly<Record<string, string>>;
  /** Everything in the tree, sorted by name, then version. */
  readonly parts: readonly PackagePart[];
  /** `NAME@VERSION` of each part whose install scripts were not run. */
  readonly scriptsSkipped: readonly string[];
  /** The same of those whose scripts were allowed to be run. */
  readonly scriptsRun: readonly string[];
  /** The installer's own lockfile: the same tree can be made from it. Never shown, never in the audit log. */
  readonly lockfile: string;
  /** `3.11`: the interpreter that a package of Python's was installed for. */
  readonly python?: string;
}

export interface ServerRow {
  readonly id: ServerId;
  readonly slug: string;
  /** A `Manifest` as JSON. */
  readonly manifest: Json;
  readonly manifestHash: string;
  /** What was given to `server add`. */
  readonly source: string;
  /** A `PackageRecord`, or null. */
  readonly package: Json;
  readonly enabled: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What the tools of an API are made from, kept as it was when its server was added. */
export interface ServerDocument {
  /** Lower-case hex SHA-256 of the text. */
  readonly hash: string;
  readonly text: string;
}

/** What makes tools of descriptions. They are anybody's, so this is done where it holds nobody up. */
export interface ApiCompiler {
  /** What an OpenAPI document says of its API. @throws AppError `api_document_…` */
  describe(text: string): Promise<ApiDescription>;
  /** @throws AppError `api_document_…`, `api_base_invalid` */
  compile(use: ApiUse, document: ServerDocument | null): Promise<CompiledApi>;
}

/** Where the descriptions of APIs come from that a manifest names by an address. */
export interface DocumentSource {
  /**
   * @param server name that it is for, as the audit log has it
   * @throws AppError `api_document_unavailable`, `api_document_too_large`, `kill_active`, `egress_…`
   */
  fetch(address: string, server: string, wanted: AbortSignal): Promise<string>;
}

export interface ServerRows {
  list(workspace: WorkspaceId): Promise<readonly ServerRow[]>;
  find(workspace: WorkspaceId, slug: string): Promise<ServerRow | null>;
  /** @throws AppError `store_conflict` when the slug is taken */
  insert(workspace: WorkspaceId, row: ServerRow, document?: ServerDocument | null): Promise<void>;
  update(workspace: WorkspaceId, row: ServerRow): Promise<void>;
  /** Removes the server with its credentials. */
  remove(workspace: WorkspaceId, id: ServerId): Promise<void>;
}

/** What is kept of a server's last probe. */
interface ProbeRow {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly manifestHash: string;
  readonly report: Json;
}

export interface Probes {
  /** Replaces the one before. @throws AppError `store_conflict` when the server is gone */
  save(workspace: WorkspaceId, server: ServerId, probe: ProbeRow): Promise<void>;
  find(workspace: WorkspaceId, server: ServerId): Promise<ProbeRow | null>;
}

export interface Prober {
  /**
   * Sends random values where the server's sealed credentials would go.
   *
   * @returns one entry for each credential, host and place
   * @throws AppError `kill_active`, `probe_path_invalid`, `probe_host_denied`, `probe_cancelled`, `audit_unavailable`
   */
  probe(
    server: ServerRow,
    options: ProbeBody,
    tell: (message: string) => void,
    wanted: AbortSignal,
  ): Promise<ProbeEntry[]>;
}

export interface DefinitionDesk {
  /** What is known; the server is not started. */
  view(server: ServerRow): Promise<DefinitionReport>;
  /** In short. */
  count(server: ServerRow): Promise<PinnedView>;
  /**
   * Starts the server to ask what it offers, and ends it again. What differs from what is agreed to then waits for a
   * decision; nothing is agreed to.
   *
   * @param withinMs how long it may take to answer, from its start; `definitionsLookMs` where it is not given
   * @throws AppError why it cannot be asked
   */
  look(server: ServerRow, withinMs?: number): Promise<DefinitionReport>;
  /** @throws AppError `definition_not_waiting` where one of them is not there, or not with this hash */
  decide(
    server: ServerRow,
    decision: Decision['decision'],
    definitions: Decision['definitions'],
  ): Promise<DefinitionReport>;
}

/** Requests that rules hold back. Whoever answers is on record, and is never who asked. */
export interface ApprovalDesk {
  /** The newest first. @param state null: all */
  list(state: ApprovalState | null): Promise<ApprovalView[]>;
  /** @throws AppError `approval_not_found` */
  show(id: string): Promise<ApprovalDetail>;
  /** @throws AppError `approval_…`, `audit_unavailable` */
  answer(id: string, answer: ApprovalAnswer): Promise<ApprovalView>;
}

/** The owner's rules. */
export interface PolicyDesk {
  /** @param file what findings call it */
  check(text: string, file: string): Promise<ReadonlyDeep<PolicyCheck>>;
  /**
   * Replaces the rules of a profile, or of the workspace. They hold when it resolves.
   *
   * @throws AppError `policy_…` the first thing that is wrong with them; `profile_not_found`, `audit_unavailable`
   */
  apply(text: string, profile: string | null): Promise<void>;
  /** @throws AppError `policy_not_found` */
  remove(profile: string | null): Promise<void>;
  /** What holds, the home's own file included. */
  list(): Promise<readonly ReadonlyDeep<PolicySource>[]>;
  /** @throws AppError `server_not_found`, `profile_not_found`, `policy_…` */
  explain(asked: PolicyAsked): Promise<ReadonlyDeep<PolicyExplanation>>;
}

/** The same, whose lists nobody changes. */
type ReadonlyDeep<T> = {
  readonly [Key in keyof T]: T[Key] extends (infer Item)[] ? readonly Item[] : T[Key];
};

/** Recorded sessions. */
export interface RecordingDesk {
  list(query: {
    readonly profile?: string | undefined;
    readonly server?: string | undefined;
    readonly since?: number | undefined;
  }): Promise<readonly RecordingView[]>;
  /** @throws AppError `recording_not_found`, as the rest */
  show(id: string): Promise<RecordingView>;
  /** What was said, then what the audit knows of its calls, then what was checked. Being read is on record. */
  lines(id: string, purpose: string): AsyncIterable<RecordingLine>;
  /** @param text rules; null: those that hold now. @throws AppError `policy_…` */
  rejudge(id: string, text: string | null): Promise<RejudgeReport>;
  /** @throws AppError `recording_growing` */
  remove(id: string): Promise<void>;
}

export interface ProfileEntry {
  readonly server: string;
  readonly tools: readonly string[] | '*' | null;
}

export interface ProfileOptions {
  /** Whether its tokens may stand in the address, for clients that can send no header. */
  readonly tokenInUrl: boolean;
  /** Whether its clients are shown two tools, one that finds the others and one that calls them. */
  readonly search: boolean;
  /** What its sessions are recorded at; null: as the configuration says. */
  readonly record: 'off' | 'metadata' | 'arguments' | 'full' | null;
}

export interface Profile {
  readonly name: string;
  readonly entries: readonly ProfileEntry[];
  readonly options: ProfileOptions;
}

export interface Profiles {
  list(workspace: WorkspaceId): Promise<readonly Profile[]>;
  find(workspace: WorkspaceId, name: string): Promise<Profile | null>;
  /** @param profile options that it does not name stay as they are */
  save(
    workspace: WorkspaceId,
    profile: Omit<Profile, 'options'> & { readonly options?: Partial<ProfileOptions> },
  ): Promise<void>;
  /** Changes the entries of a profile, or of one that is made for it, as one step. */
  edit(
    workspace: WorkspaceId,
    name: string,
    change: (entries: readonly ProfileEntry[]) => readonly ProfileEntry[],
  ): Promise<void>;
  /** @returns whether there was one */
  remove(workspace: WorkspaceId, name: string): Promise<boolean>;
}

export type KillScope = 'all' | 'workspace' | 'server' | 'token' | 'user' | 'credential';

export interface Kill {
  readonly scope: KillScope;
  /** Slug, token id, user id, or `SERVER/NAME` of a credential; empty for `all` and `workspace`. */
  readonly target: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly by: string;
  readonly reason: string;
}

export interface Kills {
  list(workspace: WorkspaceId): Promise<readonly Kill[]>;
  /** Durable, then effective at once: new calls refused, cells ended, sockets cut. */
  set(workspace: WorkspaceId, kill: Kill): Promise<void>;
  /** @returns whether there was one */
  lift(workspace: WorkspaceId, scope: KillScope, target: string): Promise<boolean>;
}

export interface PackageOptions {
  /** Whether install scripts are run, in the install cell. */
  readonly allowScripts?: boolean;
  /** Archives on this machine, or folders of them, to take everything from; absolute. */
  readonly from?: readonly string[];
  /** What an earlier installation wrote down: the same parts are taken, or none. */
  readonly lockfile?: string;
}

export interface Packages {
  /**
   * @param onProgress told in words what is going on
   * @param wanted aborted when nobody wants it any more
   */
  install(
    spec: string,
    options: PackageOptions,
    onProgress: (message: string) => void,
    wanted: AbortSignal,
  ): Promise<PackageRecord>;
}

/** A line of a server's log, without anything that a terminal obeys. */
export interface LogLine {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly cell: string;
  /** Whose words these are: what the server wrote to stderr, or what Sallyport says of its cell. */
  readonly from: 'server' | 'sallyport';
  readonly text: string;
}

/** A running cell, as shown to the operator. */
type UsagePart = 'day' | 'server' | 'tool' | 'agent' | 'actor';

export interface UsageAsked {
  /** Days in UTC, `2026-11-21`, both included; null: the last seven. */
  readonly since: string | null;
  readonly until: string | null;
  readonly by: readonly UsagePart[];
  readonly server: string | null;
}

export interface UsageDesk {
  /** With everything that was recorded when it was asked. @throws AppError `usage_range_invalid` */
  report(asked: UsageAsked): Promise<{
    readonly since: string;
    readonly until: string;
    readonly lines: readonly UsageView['lines'][number][];
  }>;
}

export interface CellView {
  readonly id: CellId;
  readonly server: string;
  readonly profile: string | null;
  /** The user whose own credentials it uses; null: those that all share. */
  readonly owner: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
}

/** What is known of a server that died by itself. */
export interface Trouble {
  /** In a row. */
  readonly deaths: number;
  /** Why it ended the last time, as a clause. */
  readonly reason: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** How long it is not started again, in milliseconds; 0: the next call starts it. */
  readonly waitMs: number;
}

export interface Runtime {
  /** @returns the result exactly as the server gave it, JSON text */
  call(server: string, tool: string, argumentsJson: string, profile: string | null): Promise<string>;
  /** @returns the server's tools exactly as given, a JSON array */
  tools(server: string): Promise<string>;
  /** The server's last lines, the oldest first; with `until`, also those to come until it is aborted. */
  logs(server: string, until: AbortSignal | null): AsyncIterable<LogLine>;
  cells(): readonly CellView[];
  /** Null where it did not fail, or runs again. */
  trouble(server: string): Trouble | null;
  /** What starting the server would do; nothing is started or opened. @throws AppError as its start would */
  plan(server: ServerRow): Promise<LaunchPlan>;
  /** Ends the server's cells; the next call starts new ones. */
  restart(server: string, reason: string): Promise<void>;
  /** A credential changed: what leaves from now on carries the new value. */
  credentialsChanged(server: string): Promise<void>;
}

/** What a program outside of cells needs to use the explicit proxy. */
export interface ProxySettings {
  /** `HOST:PORT`. */
  readonly address: string;
  readonly server: string;
  readonly tokenId: string;
  readonly profile: string;
  readonly agent: string;
  /** Placeholders by variable. */
  readonly variables: Readonly<Record<string, string>>;
  /** Sealed credentials that no value is set for. */
  readonly unset: readonly string[];
  /** Path of the certificate to trust, PEM. */
  readonly caFile: string;
}

export interface ProxyDesk {
  /**
   * @param tokenId null: the only one that is valid
   * @param server slug; null: the only one of the token's profile
   * @throws AppError `proxy_off`, `proxy_token_needed`, `proxy_server_needed`, `proxy_server_unknown`, `token_not_found`, `kill_active`
   */
  settings(tokenId: string | null, server: string | null): Promise<ProxySettings>;
}

/** Logins to remote servers. @throws AppError `oauth_*`, `egress_*`, `kill_active`, `audit_unavailable` */
export interface LoginDesk {
  begin(server: ServerRow, wanted: BeginLogin): Promise<LoginBegun>;
  /** @param query as it came back through the browser */
  finish(query: string): Promise<LoginView>;
  /** Null where there is none. */
  show(server: ServerRow): Promise<LoginView | null>;
  /** @returns whether there was one */
  forget(server: ServerRow): Promise<boolean>;
}

/** What the gateway says of itself. */
export interface GatewayFacts {
  readonly version: string;
  readonly home: string;
  readonly pid: number;
  /** Where MCP clients connect, `http://127.0.0.1:7800`; null when nothing listens. */
  readonly url: string | null;
  readonly startedAt: number;
  /** Whether servers run in cells; otherwise nothing is kept from them. */
  readonly isolation: 'cell' | 'none-unsafe';
}

/** Receivers of the audit log. */
export interface ExportDesk {
  list(): Promise<readonly ExportView[]>;
}

/** Values that the gateway's own receivers need. @throws AppError `vault_*`, `audit_unavailable`, `receiver_secret_unknown` */
export interface ReceiverDesk {
  list(): Promise<readonly ReceiverSecret[]>;
  set(name: string, value: Secret): Promise<ReceiverSecret>;
  remove(name: string): Promise<void>;
}

/** What was found in the audit log by whoever watches it. */
export interface AlertDesk {
  /** The latest first. */
  list(): Promise<readonly AlertView[]>;
  /** @throws AppError `alerts_off`, `audit_unavailable` */
  test(): Promise<AlertView>;
}
