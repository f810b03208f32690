/** How the parts of the front are put together. */
import { AppError } from '../kernel/index.ts';
import { aggregateEndpoint } from './endpoint/aggregate-endpoint.ts';
import { UNKNOWN_CLIENT } from './client/client-facts.ts';
import type { ClientChannel } from './client/client-channel.ts';
import { ClientSession } from './client/client-session.ts';
import { callOnce } from './gate/direct-call.ts';
import { Gate } from './gate/gate.ts';
import { readBody } from './http/http-answer.ts';
import { HttpFront } from './http/http-front.ts';
import type { Endpoint, Front, FrontDeps, StdioSession } from './front-contract.ts';
import { lookAt } from './pinning/look.ts';
import { PostDoor } from './http/posts/post-door.ts';
import type { Principal } from './ports/callers.ts';
import type { Tape } from './ports/recorder.ts';
import { ProfileResources } from './endpoint/profile-resources.ts';
import { ResourceSearch } from './endpoint/resource-search.ts';
import { Retries } from './client/retries.ts';
import { ToolSearch } from './search/tool-search.ts';
import { singleEndpoint } from './endpoint/single-endpoint.ts';
import { Standings } from './client/standings.ts';
import { serveStdio } from './client/stdio-session.ts';
import { UpstreamDirectory } from './upstream/upstream-directory.ts';

export function createFront(deps: FrontDeps): Front {
  const {
    upstreams,
    audit,
    kills,
    definitions,
    rules,
    limits: counted,
    masks,
    clock,
    random,
    log,
    config,
  } = deps;
  const directory = new UpstreamDirectory({ upstreams, clock, log, version: config.version });
  const standings = new Standings({ standing: deps.standing, clock, log });
  const gate = new Gate({
    ...(deps.revision === undefined ? {} : { revision: deps.revision }),
    upstreams,
    directory,
    audit,
    kills,
    standings,
    definitions,
    rules,
    limits: counted,
    approvals: deps.approvals,
    holdMs: config.holdMs,
    masks,
    clock,
    random,
    log,
  });
  const retries = new Retries();
  /** By workspace and profile. */
  const resources = new Map<string, ResourceSearch>();
  const resourcesOf = ({ workspace }: Principal, profile: string | null): ResourceSearch => {
    const key = JSON.stringify([workspace, profile]);
    const known = resources.get(key) ?? new ResourceSearch(new ProfileResources(), clock);
    resources.set(key, known);
    return known;
  };
  const search = new ToolSearch();
  const stdioClients = new Map<ClientSession, StdioSession>();

  const taped = (
    principal: Principal,
    { profile, server }: Endpoint,
    { mirrored }: ClientChannel,
  ): { readonly tape?: Tape } => {
    const via = mirrored === true ? 'requests' : 'session';
    const tape = deps.recorder?.begin({ principal, profile, server: server ?? null, via });
    return tape === undefined ? {} : { tape };
  };

  const start = (principal: Principal, endpoint: Endpoint, channel: ClientChannel): ClientSession =>
    new ClientSession({
      gate,
      retries,
      log,
      version: config.version,
      principal,
      profile: endpoint.profile,
      router:
        endpoint.server === undefined
          ? aggregateEndpoint(resourcesOf(principal, endpoint.profile), search)
          : singleEndpoint(endpoint.server),
      channel,
      ...taped(principal, endpoint, channel),
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

  const posts = new PostDoor({ clock, serve: (visit) => void http.handle(visit) });

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
    handleHttp(req, res, local) {
      res.on('error', () => {});
      return http.handle({ req, res, body: (share) => readBody(req, share) }, local);
    },
    takePosts: (server) => posts.take(server),
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
      const connections = directory.connectionsOf(cell);
      if (connections.length === 0) return null;
      const sessions = connections.reduce((sum, { attachments }) => sum + attachments.size, 0);
      const lastUsedMs = Math.max(...connections.map((connection) => connection.lastUsedMs));
      return { calls: gate.callCount(cell), sessions, lastUsedMs };
    },
    callTool(principal, profile, slug, tool, argumentsJson) {
      const tape = deps.recorder?.begin({ principal, profile, server: slug, via: 'requests' });
      return callOnce(gate, { principal, profile, slug, tool, argumentsJson }, tape);
    },
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
      retries.close();
      const why = new AppError('gateway_stopping', 'The gateway is stopping.', { kind: 'unavailable' });
      gate.close(why);
      masks.close();
      http.close();
      await Promise.all([...stdioClients.values()].map((session) => session.close()));
      await directory.close(why);
      posts.close();
    },
  };
}
