/** Profiles and running servers, however those are reached: in cells, elsewhere, or tools of the gateway's own. */
import type { Readable, Writable } from 'node:stream';
import type { CellId, JsonObject, WorkspaceId } from '../../kernel/index.ts';
import type { Soon } from '../soon.ts';
import type { Principal } from './callers.ts';

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
  /** Whether its clients are shown two tools, one that finds the others and one that calls them. */
  readonly search: boolean;
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
  /** The same of the cell, where this is a connection beside another to it; absent: it ends with this. */
  readonly cellExited?: Promise<UpstreamExit>;
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
  /** The same because its session was ended, and it is given no other; absent: the next request tries again. */
  sessionLost?(): Promise<void>;
  /** Before it ends in its own time, it is told so by this and its like, which are given a moment. Returns the way to take it back. */
  onFarewell(tell: () => Promise<void>): () => void;
  /** The gateway's own words in the log of the server. */
  note(text: string): void;
}

/** What a server can be reached by; `kind` says which. */
export type UpstreamTransport = LineTransport | HttpTransport | ServiceTransport;

/** A profile as it was and as it is; null: there is no such profile. */
export type ProfileListener = (before: ProfileView | null, now: ProfileView | null) => void;

/** Profiles and running servers. `profile` and `open` are called for every request: answer from memory where possible. */
export interface Upstreams {
  /** Null where the profile does not exist. `name` null: every enabled server, for the local operator. */
  profile(workspace: WorkspaceId, name: string | null): Promise<ProfileView | null>;
  /** Told when this profile is another from now on. Returns the way to stop listening. */
  onProfile(workspace: WorkspaceId, name: string | null, listener: ProfileListener): () => void;
  /**
   * The cell that serves this caller: the running one, or a new one. Concurrent calls for the same cell resolve
   * to the same transport object; after an exit the next call starts a new cell (with back-off).
   *
   * @returns at once where it runs already
   * @throws AppError of any code, as a rejection: it is shown to the client as is
   */
  open(principal: Principal, profile: string | null, slug: string): Soon<UpstreamTransport>;
}
