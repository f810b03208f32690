/** The front as the composition sees it, and how its parts are put together. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError, type CellId, type Clock, type Log, type Random } from '../kernel/index.ts';
import { aggregateEndpoint } from './aggregate-endpoint.ts';
import { type ClientChannel, ClientSession } from './client-session.ts';
import { callOnce } from './direct-call.ts';
import { Gate } from './gate.ts';
import { HttpFront } from './http-front.ts';
import type { Authenticate, CallAudit, CallRef, KillSwitch, Principal, Upstreams } from './ports.ts';
import { singleEndpoint } from './single-endpoint.ts';
import { serveStdio } from './stdio-session.ts';
import { UpstreamDirectory } from './upstream-directory.ts';

export interface FrontConfig {
  /** Host names that may stand in `Host` besides the loopback ones, without port: the listen address, a public name. */
  readonly allowedHosts: readonly string[];
  /** Host names that may stand in `Origin` besides the loopback ones. */
  readonly allowedOrigins: readonly string[];
  /** The gateway's own version, shown to clients and servers. */
  readonly version: string;
}

export interface FrontDeps {
  readonly upstreams: Upstreams;
  readonly audit: CallAudit;
  readonly kills: KillSwitch;
  readonly authenticate: Authenticate;
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
   * Serves `/mcp/<profile>` and `/mcp/<profile>/<server>`; any other path is a 404.
   *
   * @param local the caller when it is already known (the local socket): no token and no Host or Origin check then
   */
  handleHttp(req: IncomingMessage, res: ServerResponse, local?: Principal): Promise<void>;
  /** Serves newline-delimited JSON-RPC over any duplex: the process's own stdio, or a socket. */
  connectStdio(duplex: Duplex, principal: Principal, endpoint: Endpoint): StdioSession;
  /** `tools/call`s that clients are waiting for in this cell. */
  inFlight(cell: CellId): readonly CallRef[];
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
  /** Ends every session and connection; in-flight requests are answered with an error. */
  close(): Promise<void>;
}

export function createFront(deps: FrontDeps): Front {
  const { upstreams, audit, kills, clock, random, log, config } = deps;
  const directory = new UpstreamDirectory({ upstreams, clock, log, version: config.version });
  const gate = new Gate({ upstreams, directory, audit, kills, clock, random, log });
  const stdioClients = new Map<ClientSession, StdioSession>();

  const start = (principal: Principal, endpoint: Endpoint, channel: ClientChannel): ClientSession =>
    new ClientSession({
      gate,
      log,
      version: config.version,
      principal,
      profile: endpoint.profile,
      router: endpoint.server === undefined ? aggregateEndpoint() : singleEndpoint(endpoint.server),
      channel,
    });
  const http = new HttpFront({ clock, random, log, config, authenticate: deps.authenticate, start });

  /**
   * Ends the clients that were stopped themselves. Where a server or everything was stopped they stay, and are told
   * so at each call, so that an agent need not be restarted once the switch is lifted. Calls in flight are the gate's.
   */
  const stopListening = kills.onKill(() => {
    const stillAllowed = (principal: Principal, end: () => void): void => {
      kills.isStopped(principal).then((stopped) => {
        if (stopped) end();
      }, end);
    };
    for (const session of http.sessions) stillAllowed(session.principal, () => http.sessions.end(session));
    for (const client of http.statelessClients) stillAllowed(client.principal, () => client.close());
    for (const [client, session] of stdioClients) stillAllowed(client.principal, () => void session.close());
  });

  return {
    handleHttp: (req, res, local) => http.handle(req, res, local),
    connectStdio(duplex, principal, endpoint) {
      const { session, client } = serveStdio(duplex, (channel) => start(principal, endpoint, channel));
      stdioClients.set(client, session);
      void session.closed.then(() => stdioClients.delete(client));
      return session;
    },
    inFlight: (cell) => gate.inFlight(cell),
    activity(cell) {
      const connection = directory.connectionOf(cell);
      if (connection === null) return null;
      const { attachments, lastUsedMs } = connection;
      return { calls: gate.inFlight(cell).length, sessions: attachments.size, lastUsedMs };
    },
    callTool: (principal, profile, slug, tool, argumentsJson) =>
      callOnce(gate, { principal, profile, slug, tool, argumentsJson }),
    async listTools(principal, slug) {
      const server = await gate.server(principal, principal.profile, slug);
      const upstream = await gate.open({ principal, profile: principal.profile, server }, '{}');
      return `[${(await upstream.tools.list()).map((tool) => tool.text).join(',')}]`;
    },
    async close() {
      stopListening();
      gate.close();
      http.close();
      await Promise.all([...stdioClients.values()].map((session) => session.close()));
      await directory.close(
        new AppError('gateway_stopping', 'The gateway is stopping.', { kind: 'unavailable' }),
      );
    },
  };
}
