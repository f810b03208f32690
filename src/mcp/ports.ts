/**
 * What the front needs from outside: profiles, running servers, the audit log, the kill switch, and who a token
 * belongs to. The vault, the database and the sandbox stand behind these interfaces; `main/` supplies them.
 */
import type { Readable, Writable } from 'node:stream';
import type { Actor } from '../audit/index.ts';
import type { CellId, JsonObject, WorkspaceId } from '../kernel/index.ts';

/** Who a client is, as decided at the door and never by anything that the client says afterwards. */
export interface Principal {
  readonly workspace: WorkspaceId;
  readonly actor: Actor;
  /** The only profile that it may use; null for the local operator, who may use every one. */
  readonly profile: string | null;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
  /** Its token stood in the address of the request that it came with. */
  readonly tokenInUrl?: true;
}

/** One server of a profile, with the choice of tools that its owner made. */
export interface ProfileServer {
  readonly slug: string;
  readonly title: string | null;
  /** Tools chosen for this profile: names, every one, or null for the manifest's default. */
  readonly tools: readonly string[] | '*' | null;
  /** The manifest's `tools.default`; null where it has none, which leaves the tools that declare `readOnlyHint`. */
  readonly defaultTools: readonly string[] | null;
  /** The manifest's `limits.callSeconds`: the longest that one call may take; null: no such limit. */
  readonly callSeconds: number | null;
}

export interface ProfileView {
  /** Null for the local operator's view of all servers. */
  readonly name: string | null;
  /** Enabled servers only, in the order to list them. */
  readonly servers: readonly ProfileServer[];
  /** Whether its tokens may stand in the address, for clients that can send no header. */
  readonly tokenInUrl: boolean;
}

export interface UpstreamExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why, as a clause that may be shown to the caller after `stopped: `: `it ended with code 1`, `idle`. */
  readonly reason: string;
  /** It ended because a person has to do something first: no failure of its own, and no reason to wait. */
  readonly needsPerson?: boolean;
  /** Its kind of connection ends like that from time to time: after a while of service it is no failure. */
  readonly ordinary?: boolean;
  /** The setting of its manifest that ended it, `limits.memoryMiB`; absent for any other end. */
  readonly limit?: string;
}

/** A running server, however it is reached. */
export interface UpstreamBase {
  /** Who its requests are in the data plane and in the audit log. */
  readonly cell: CellId;
  /** Settles once, when the server is gone; never rejects. */
  readonly exited: Promise<UpstreamExit>;
  /** Ends it: it broke the protocol beyond repair, or nobody may use it any more. */
  close(reason: string): Promise<void>;
  /** What is remembered of its revision between its starts; absent: nothing is. */
  readonly era?: EraMemory;
}

/** How a server talks: after a handshake, or with everything in each request (2026-07-28). */
export type UpstreamEra = 'session' | 'stateless';

/** Which of them a server was found to use. A memory that is wrong costs time, nothing else. */
export interface EraMemory {
  readonly known: UpstreamEra | null;
  /**
   * @param diedOfQuestion whether the server ended because it was asked: it is started again at once, and this end is
   *   the gateway's doing
   */
  learn(era: UpstreamEra, diedOfQuestion: boolean): void;
}

/** A server running in a cell: newline-delimited JSON-RPC both ways. */
export interface LineTransport extends UpstreamBase {
  readonly kind: 'lines';
  /** The server's stdin. */
  readonly input: Writable;
  /** The server's stdout. The front is its only reader. */
  readonly output: Readable;
  /** The last lines of the server's stderr as they came, bounded; the front neutralises control characters. */
  stderrTail(): string;
}

/** A server whose tools the gateway has itself. */
export interface ServiceTransport extends UpstreamBase {
  readonly kind: 'service';
  readonly service: ToolService;
}

/** Tools that are no MCP server's: those of an HTTP API. */
export interface ToolService {
  readonly info: { readonly name: string; readonly version: string };
  /** What clients are told of the whole. */
  readonly instructions?: string;
  /** Definitions as an MCP server lists them, each as JSON. */
  tools(): Promise<readonly string[]>;
  /**
   * @param argumentsText as the client wrote them
   * @param signal nobody waits for the result any more
   * @returns the `result` of `tools/call` as JSON on one line. @throws AppError, which becomes a JSON-RPC error
   */
  call(tool: string, argumentsText: string, signal: AbortSignal): Promise<string>;
  /** Resource templates as an MCP server lists them. */
  readonly templates: readonly JsonObject[];
  /** @returns the `result` of `resources/read` as JSON on one line; null: there is no such resource */
  read(uri: string): string | null;
}

/** One HTTP exchange with a server elsewhere. No stored value is in it: those are put in below. */
export interface UpstreamHttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Of the transport's own origin. */
  readonly url: URL;
  /** Without Host and framing. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | null;
}

export interface UpstreamHttpAnswer {
  readonly status: number;
  /** @param name in lower case */
  header(name: string): string | null;
  /** Decoded. Errors with an AppError when it breaks off; destroying it gives the exchange up. */
  readonly body: Readable;
}

/** A server elsewhere, which is asked over HTTP. */
export interface HttpTransport extends UpstreamBase {
  readonly kind: 'http';
  /** Where it takes messages, as its manifest says. */
  readonly url: URL;
  /**
   * @param signal nobody wants the answer any more; its reason is thrown, and ends a body that has begun
   * @throws AppError with the code, message and hint of whatever refused it on the way
   */
  exchange(request: UpstreamHttpRequest, signal: AbortSignal): Promise<UpstreamHttpAnswer>;
  /**
   * The server wants another login than the request had.
   *
   * @param wwwAuthenticate what it said about that, as it came
   * @returns whether it is worth asking once more
   * @throws AppError what to tell whoever asked, where it is known better than that the server refused
   */
  challenged(status: 401 | 403, wwwAuthenticate: string | null): Promise<boolean>;
  /** Ends it, because the stream that its whole connection is was ended. */
  streamEnded(): Promise<void>;
  /** Before it ends in its own time, it is told so by this, which is given a moment for that. */
  onFarewell(tell: () => Promise<void>): void;
  /** The gateway's own words in the log of the server. */
  note(text: string): void;
}

/** What a server can be reached by; `kind` says which. */
export type UpstreamTransport = LineTransport | HttpTransport | ServiceTransport;

/** Profiles and running servers. Both methods are called for every request: answer from memory where possible. */
export interface Upstreams {
  /** Null where the profile does not exist. `name` null: every enabled server, for the local operator. */
  profile(workspace: WorkspaceId, name: string | null): Promise<ProfileView | null>;
  /**
   * The cell that serves this caller: the running one, or a new one. Concurrent calls for the same cell resolve
   * to the same transport object; after an exit the next call starts a new cell (with back-off).
   *
   * @throws AppError of any code: it is shown to the client as is
   */
  open(principal: Principal, profile: string | null, slug: string): Promise<UpstreamTransport>;
}

export type DefinitionKind = 'tool' | 'prompt' | 'instructions';

/** Something that a server tells agents of itself. */
export interface SeenDefinition {
  readonly kind: DefinitionKind;
  /** The server's own name of it; empty for its instructions. */
  readonly name: string;
  /** As the server gave it: JSON. Of instructions the string, or `null`. */
  readonly text: string;
  readonly hash: string;
}

/** `unseen`: nobody has looked at this server yet. */
export type PinVerdict = 'approved' | 'new' | 'changed' | 'unseen';

/** What was agreed to. Asked at every request: answer from memory where possible. */
export interface Definitions {
  /** How to judge what a server shows now. */
  judge(
    workspace: WorkspaceId,
    slug: string,
  ): Promise<(seen: Pick<SeenDefinition, 'kind' | 'name' | 'hash'>) => PinVerdict>;
  /** Takes note of what a server shows and nobody agreed to. Must not throw, and may be told the same again and again. */
  withheld(workspace: WorkspaceId, slug: string, seen: readonly SeenDefinition[]): void;
  /** Told the slug of a server that has other approved definitions from now on. Returns the way to stop listening. */
  onApproved(listener: (slug: string) => void): () => void;
}

/** A `tools/call` as the audit log and the data plane know it. */
export interface CallFacts {
  /** Identifier of the call, `call_…`. */
  readonly id: string;
  readonly principal: Principal;
  readonly profile: string | null;
  readonly server: string;
  /** The server's own name of the tool. */
  readonly tool: string;
  readonly cell: CellId;
}

export interface CallOutcome {
  /** `ok`, `tool_error` (a result with isError), `error` (a JSON-RPC error of the server), `cancelled`, `failed` (ours). */
  readonly outcome: 'ok' | 'tool_error' | 'error' | 'cancelled' | 'failed';
  /** Error code where there is one: the gateway's own (`upstream_exited`) or the server's number as text. */
  readonly code?: string;
  readonly durationMs: number;
}

export interface CallRefusal {
  readonly principal: Principal;
  readonly profile: string | null;
  /** Null where the caller was turned away before it named one. */
  readonly server: string | null;
  readonly tool: string | null;
  readonly code: string;
}

export interface CallAudit {
  /** Resolves when `call.started` is durable; the call is forwarded only then. @throws AppError `audit_unavailable` */
  started(call: CallFacts): Promise<void>;
  finished(call: CallFacts, outcome: CallOutcome): Promise<void>;
  refused(refusal: CallRefusal): Promise<void>;
}

export interface KillSwitch {
  /** @throws AppError `kill_active` when any switch covers this caller or server; `slug` null: the caller alone */
  check(principal: Principal, slug: string | null): Promise<void>;
  /** Whether a switch names this very caller, its token or its user, rather than a server or everything. */
  isStopped(principal: Principal): Promise<boolean>;
  /** Told after a switch was set: the front checks everything in flight again. Returns the way to stop listening. */
  onKill(listener: () => void): () => void;
}

/** Whether a caller that was let in may go on. */
export interface Standing {
  /**
   * From memory where possible: asked for each client.
   *
   * @returns until when, in milliseconds since the Unix epoch, Infinity for no end; null: not any more
   */
  until(principal: Principal): Promise<number | null>;
  /** Told when that may have changed for anybody. Returns the way to stop listening. */
  onChange(listener: () => void): () => void;
}

/**
 * Who presents this token.
 *
 * @param remoteAddress for rate limits
 * @throws AppError of kind `unauthenticated` or `limited`
 */
export type Authenticate = (token: string, remoteAddress: string) => Promise<Principal>;

/** A `tools/call` in flight in a cell, for correlating the cell's requests with it. */
export interface CallRef {
  readonly id: string;
  /** The server's own name of the tool. */
  readonly tool: string;
  /** Whether the server says that the tool only reads. */
  readonly readOnly: boolean;
  /** Whoever made the call, as the audit names it: the id of a token or a user, or the operating system's user id. */
  readonly actor: string;
  readonly token: string | null;
  readonly user: string | null;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
}

/** A tool, and when a call of it ended last: `Clock.monotonic()`. */
export interface EndedTool {
  readonly tool: string;
  readonly readOnly: boolean;
  readonly endedMs: number;
}

/** The calls of a cell at one moment. */
export interface CellCalls {
  /** Those that have been in flight for longest, up to `requestCallsMax`. */
  readonly inFlight: readonly CallRef[];
  /** How many there are. */
  readonly count: number;
  /** The tools that they call, each once. */
  readonly running: readonly { readonly tool: string; readonly readOnly: boolean }[];
  /** Whether any call has begun in this cell. */
  readonly begun: boolean;
  /** The call that ended last: `Clock.monotonic()`. */
  readonly last: { readonly call: CallRef; readonly endedMs: number } | null;
  /** The latest first, up to `cellEndedToolsMax`. */
  readonly ended: readonly EndedTool[];
}
