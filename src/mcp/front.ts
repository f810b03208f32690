/** How the parts of the front are put together. */
import { AppError } from '../kernel/index.ts';
import { aggregateEndpoint } from './aggregate-endpoint.ts';
import { UNKNOWN_CLIENT } from './client-facts.ts';
import { type ClientChannel, ClientSession } from './client-session.ts';
import { callOnce } from './direct-call.ts';
import { Gate } from './gate.ts';
import { HttpFront } from './http-front.ts';
import type { Endpoint, Front, FrontDeps, StdioSession } from './front-contract.ts';
import { lookAt } from './pinning/look.ts';
import type { Principal } from './ports.ts';
import { singleEndpoint } from './single-endpoint.ts';
import { Standings } from './standings.ts';
import { serveStdio } from './stdio-session.ts';
import { UpstreamDirectory } from './upstream-directory.ts';

export function createFront(deps: FrontDeps): Front {
  const { upstreams, audit, kills, definitions, clock, random, log, config } = deps;
  const directory = new UpstreamDirectory({ upstreams, clock, log, version: config.version });
  const standings = new Standings({ standing: deps.standing, clock, log });
  const gate = new Gate({ upstreams, directory, audit, kills, standings, definitions, clock, random, log });
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
  const http = new HttpFront({
    clock,
    random,
    log,
    config,
    authenticate: deps.authenticate,
    audit,
    standings,
    profile: (workspace, name) => upstreams.profile(workspace, name),
    start,
  });

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
    for (const client of http.clients()) stillAllowed(client.principal, () => client.end());
    for (const [client, session] of stdioClients) stillAllowed(client.principal, () => void session.close());
  });

  return {
    handleHttp: (req, res, local) => http.handle(req, res, local),
    connectStdio(duplex, principal, endpoint) {
      const { session, client } = serveStdio(duplex, (channel) => start(principal, endpoint, channel));
      stdioClients.set(client, session);
      const stopWatching = standings.watch(principal, () => void session.close());
      void session.closed.then(() => {
        stopWatching();
        stdioClients.delete(client);
      });
      return session;
    },
    callsIn: (cell) => gate.callsIn(cell),
    activity(cell) {
      const connection = directory.connectionOf(cell);
      if (connection === null) return null;
      const { attachments, lastUsedMs } = connection;
      return { calls: gate.callCount(cell), sessions: attachments.size, lastUsedMs };
    },
    callTool: (principal, profile, slug, tool, argumentsJson) =>
      callOnce(gate, { principal, profile, slug, tool, argumentsJson }),
    async listTools(principal, slug) {
      const server = await gate.server(principal, principal.profile, slug);
      const upstream = await gate.open({ principal, profile: principal.profile, server }, UNKNOWN_CLIENT);
      return `[${(await upstream.tools.list()).map((tool) => tool.text).join(',')}]`;
    },
    async definitionsOf(transport, slug) {
      return lookAt(await directory.connectAlone(transport, slug));
    },
    async close() {
      stopListening();
      standings.close();
      const why = new AppError('gateway_stopping', 'The gateway is stopping.', { kind: 'unavailable' });
      gate.close(why);
      http.close();
      await Promise.all([...stdioClients.values()].map((session) => session.close()));
      await directory.close(why);
    },
  };
}
