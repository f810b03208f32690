/** What the front offers to the composition, and what it is made from. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { CellId, Clock, Log, Random } from '../kernel/index.ts';
import type { CallAudit } from './ports/call-audit.ts';
import type { Authenticate, Principal, Standing } from './ports/callers.ts';
import type { CellCalls } from './ports/cell-calls.ts';
import type { Definitions, SeenDefinition } from './ports/definitions.ts';
import type { Approvals, CallLimits, KillSwitch, RuleBook } from './ports/governance.ts';
import type { MaskBook } from './ports/masks.ts';
import type { Recorder } from './ports/recorder.ts';
import type { Upstreams, UpstreamTransport } from './ports/upstreams.ts';

export interface FrontConfig {
  /** Host names that may stand in `Host` besides the loopback ones, without port: the listen address, a public name. */
  readonly allowedHosts: readonly string[];
  /** Host names that may stand in `Origin` besides the loopback ones. */
  readonly allowedOrigins: readonly string[];
  /** What clients call the gateway, `https://gateway.example`, without a path; null: whatever each of them calls it. */
  readonly publicUrl: string | null;
  /** Issuers of authorization servers that give out tokens for it. */
  readonly authorizationServers: readonly string[];
  /** How long a client is kept waiting for somebody to agree to its call, in milliseconds. */
  readonly holdMs: number;
  /** The gateway's own version, shown to clients and servers. */
  readonly version: string;
}

export interface FrontDeps {
  /**
   * Another number after anything may have changed that `upstreams.profile`, `kills`, `definitions` and `rules` answer from:
   * until then they are asked once for each caller and server. Absent: for each request, several times.
   */
  readonly revision?: () => number;
  readonly upstreams: Upstreams;
  readonly audit: CallAudit;
  readonly kills: KillSwitch;
  readonly definitions: Definitions;
  readonly rules: RuleBook;
  readonly limits: CallLimits;
  /** Absent: nothing is recorded. */
  readonly recorder?: Recorder;
  readonly approvals: Approvals;
  readonly masks: MaskBook;
  readonly authenticate: Authenticate;
  readonly standing: Standing;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: FrontConfig;
}

/** Which endpoint a client is on: a whole profile, or one server of it. */
export interface Endpoint {
  /** Null for the local operator's view of all servers. */
  readonly profile: string | null;
  readonly server?: string;
}

/** A connected stdio client. */
export interface StdioSession {
  /** Settles when the client is gone or the front closed; never rejects. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** What the front knows about the use of a cell, for idle reaping. */
export interface CellActivity {
  readonly calls: number;
  /** Client sessions attached to it. */
  readonly sessions: number;
  /** `Clock.monotonic()` of the last message either way, in milliseconds. */
  readonly lastUsedMs: number;
}

export interface Front {
  /**
   * Serves `/mcp/<profile>` and `/mcp/<profile>/<server>`, and what RFC 9728 says of them; any other path is a 404.
   *
   * @param local the caller when it is already known (the local socket): no token and no Host or Origin check then
   */
  handleHttp(req: IncomingMessage, res: ServerResponse, local?: Principal): Promise<void>;
  /**
   * Reads what clients POST to MCP endpoints off this server's connections itself, which takes less of the processor, and
   * leaves everything else to it. Answers are those of `handleHttp`. To be called before the server listens.
   */
  takePosts(server: Server): void;
  /** Serves newline-delimited JSON-RPC over any duplex: the process's own stdio, or a socket. */
  connectStdio(duplex: Duplex, principal: Principal, endpoint: Endpoint): StdioSession;
  /** The `tools/call`s that clients are waiting for in this cell; the same object until that changes. */
  callsIn(cell: CellId): CellCalls;
  /** Null for a cell that the front does not know. */
  activity(cell: CellId): CellActivity | null;
  /**
   * One call outside any session, for `sallyport call`: kill switch, tool choice and audit as for every other.
   *
   * @param argumentsJson a JSON object as text, forwarded as it is
   * @returns the `result` exactly as the server gave it
   * @throws AppError, code `upstream_error` for a JSON-RPC error of the server (`detail` holds it)
   */
  callTool(
    principal: Principal,
    profile: string | null,
    slug: string,
    tool: string,
    argumentsJson: string,
  ): Promise<string>;
  /** The server's `tools/list` results, every page, as a JSON array of its tools exactly as given. Not filtered. */
  listTools(principal: Principal, slug: string): Promise<string>;
  /**
   * All that a server defines, over a connection that nobody else gets to use. Whoever started the server for it ends it.
   *
   * @throws AppError `upstream_…`
   */
  definitionsOf(transport: UpstreamTransport, slug: string): Promise<readonly SeenDefinition[]>;
  /** Ends every session and connection; in-flight requests are answered with an error. */
  close(): Promise<void>;
}
