/**
 * The gateway: every folder wired to its ports. Opening one starts no listener and no cell; it is what `serve` listens
 * with, what a command uses where none runs, and what tests drive.
 */
import type { Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createApi } from '../api/index.ts';
import { createEgress } from '../egress/index.ts';
import { AppError, type JsonObject, type Log, systemClock, systemRandom } from '../kernel/index.ts';
import { loadCatalog } from '../manifest/index.ts';
import { createFront, type Front, type Principal } from '../mcp/index.ts';
import { createUnisolated } from '../sandbox/index.ts';
import { expectedPorts } from './cells/expected-ports.ts';
import { planServer } from './cells/plan-server.ts';
import { createLogFiles } from './cells/log-files.ts';
import { type CellPool, createCellPool } from './cells/pool.ts';
import { createEras } from './upstreams/eras.ts';
import { openSandboxParts } from './cells/sandbox-parts.ts';
import { createUnisolatedExit, UNISOLATED, type UnisolatedExit } from './cells/unisolated-exit.ts';
import { type Config, homeFiles } from './config.ts';
import { credentialSource } from './egress-ports.ts';
import { callAudit, killSwitch, operatorOf, upstreams } from './front-ports.ts';
import { keptDefinitions, type KeptDefinitions } from './definitions.ts';
import { createKills } from './kills.ts';
import { askForDefinitions } from './look.ts';
import { createLogins } from './oauth/logins.ts';
import { createProber } from './prober.ts';
import { createApiCompiler } from './upstreams/api-compiler.ts';
import { createDocumentFetcher, type DocumentFetcher } from './upstreams/fetch-document.ts';
import { keepCollecting } from './packages/collector.ts';
import { authorityFiles } from './proxy/authority-files.ts';
import { createProxySessions, type ProxySessions } from './proxy/sessions.ts';
import { probes, profiles, serverRows } from './repositories.ts';
import { createRuns, type RunRequest, type Runs } from './run/run.ts';
import { openServices, type Services, type ServicesOptions } from './services.ts';
import { createStanding } from './standing.ts';
import { watchStore } from './store-watch.ts';
import { PACKAGE_ROOT, VERSION } from './version.ts';

export interface Gateway {
  readonly version: string;
  readonly api: ReturnType<typeof createApi>;
  readonly front: Front;
  /** Who is at the local socket. */
  readonly operator: Principal;
  /** Runs a command in a cell. See `run/run.ts`. */
  run(request: RunRequest): Promise<number>;
  /** Puts the beginning or the end of its service on record. @throws AppError `audit_unavailable` */
  record(type: 'gateway.started' | 'gateway.stopped', data: JsonObject): Promise<void>;
  /** Where MCP clients connect, once that is known. */
  listeningAt(url: string): void;
  /** Serves programs outside of cells. @param address where the server listens, `HOST:PORT` */
  serveProxy(server: Server, address: string): void;
  /** Rejects while the gateway cannot do its work. */
  ready(): Promise<void>;
  /** Ends every session and cell, writes what waits, closes the database. */
  close(): Promise<void>;
}

/** @throws AppError `home_missing`, `config_*`, `store_*`, `seal_*` */
export async function createGateway(
  config: Config,
  log: Log,
  options: ServicesOptions = {},
): Promise<Gateway> {
  const services = await openServices(config, log, options);
  try {
    return await gatewayOn(services, config, log);
  } catch (error) {
    await services.close();
    throw error;
  }
}

/** Browsers take `0.0.0.0` for this machine: listening on every address is no reason to answer to that name. */
const ownHosts = (listening: string): readonly string[] =>
  listening === '0.0.0.0' || listening === '::' ? [] : [listening];

/** Whoever sets what the gateway is called means it to answer to that name. */
const publicHost = ({ publicUrl }: Config): readonly string[] =>
  publicUrl === null ? [] : [new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, '$1')];

const noPlan = (): AppError =>
  new AppError('server_not_isolated', 'Servers run without a cell here: there is no plan of one.', {
    kind: 'failed',
    hint: 'It is `cells.isolation: none-unsafe` in sallyport.yaml that says so.',
  });

const proxyOff = (): AppError =>
  new AppError('proxy_off', 'No gateway is running that serves programs outside of cells.', {
    kind: 'failed',
    hint: 'Set `proxy: { listen: 127.0.0.1:7801 }` in sallyport.yaml, then run: sallyport serve',
  });

async function gatewayOn(services: Services, config: Config, log: Log): Promise<Gateway> {
  const files = homeFiles(config.home);
  const clock = systemClock;
  const random = systemRandom;
  const startedAt = clock.now();
  const { workspace, store, audit, vault, tokens } = services;
  const operator = operatorOf(workspace);
  const killListeners = new Set<() => void>();
  const proxyFiles = authorityFiles(files.proxy);
  let url: string | null = null;
  let stopCollecting = (): void => undefined;
  let proxyAddress: string | null = null;

  const { sandbox, packages } = await openSandboxParts(config, { workspace, audit, log, clock, random });
  const egress = createEgress({
    credentials: credentialSource(workspace, vault, {
      serverOf: (cell) => pool.serverOf(cell) ?? proxy.serverOf(cell),
      credentialsOf: (cell) =>
        runs.credentialsOf(cell) ?? documents.credentialsOf(cell) ?? logins.credentialsOf(cell),
      checkProxied: (session) => proxy.checkProxied(session),
    }),
    calls: { callsIn: (cell) => front.callsIn(cell) },
    audit,
    clock,
    random,
    log,
    config: config.egress,
  });
  const logs = createLogFiles(files.logs, log);
  if (config.isolation !== 'cell') log.warn('cells.unisolated', { why: UNISOLATED });
  const unisolated: UnisolatedExit | null =
    config.isolation === 'cell'
      ? null
      : createUnisolatedExit({
          workspace,
          programs: createUnisolated({ stateDir: files.run, environment: config.environment, log }),
          egress: () => egress,
          folder: files.run,
          random,
          log,
        });
  const apis = createApiCompiler();
  const pool: CellPool = createCellPool({
    workspace,
    vault,
    packages,
    sandbox,
    unisolated,
    egress,
    audit,
    logs,
    eras: createEras({ workspace, rows: store.eras, log }),
    grants: {
      ensure: (server) => logins.grants.ensure(server),
      challenged: (...refusal) => logins.grants.challenged(...refusal),
    },
    clock,
    random,
    log,
    servers: serverRows(store),
    documents: store.documents,
    apis,
    offers: async (name, slug) =>
      (await reachable.profile(workspace, name))?.servers.some((server) => server.slug === slug) === true,
    idleSeconds: config.idleSeconds,
    stopGraceMs: config.stopSeconds * 1_000,
    activity: (cell) => front.activity(cell),
  });
  const switches = killSwitch(services, killListeners);
  const reachable = upstreams(services, pool);
  const standing = createStanding({ store, tokens, profile: (of, name) => reachable.profile(of, name) });
  const credentialsChanged = async (server: string): Promise<void> => {
    await Promise.all([pool.credentialsChanged(server), proxy.settle()]);
  };
  const logins = createLogins({
    workspace,
    operator,
    servers: serverRows(store),
    store,
    vault,
    audit,
    egress: () => egress,
    kills: switches,
    changed: credentialsChanged,
    documentUrl: config.clientMetadataUrl,
    clock,
    random,
    log,
  });
  const proxy: ProxySessions = createProxySessions({
    workspace,
    servers: serverRows(store),
    profile: (of, name) => reachable.profile(of, name),
    tokens,
    kills: switches,
    vault,
    egress,
    files: proxyFiles,
    clock,
    random,
    log,
  });
  const documents: DocumentFetcher = createDocumentFetcher({ operator, egress, kills: switches, random });
  const runs: Runs = createRuns({
    workspace,
    operator,
    servers: serverRows(store),
    profile: (of, name) => reachable.profile(of, name),
    kills: switches,
    vault,
    sandbox,
    egress,
    audit,
    random,
    log,
  });
  const definitions: KeptDefinitions = keptDefinitions({
    workspace,
    operator: operator.actor,
    store,
    audit,
    ask: (slug) => askForDefinitions({ pool, front, kills: switches, operator }, slug),
    clock,
    log,
  });
  const front: Front = createFront({
    upstreams: reachable,
    audit: callAudit(services),
    kills: switches,
    standing,
    definitions,
    authenticate: (token, remoteAddress) => tokens.verify(token, remoteAddress),
    clock,
    random,
    log,
    config: {
      allowedHosts: [...ownHosts(config.listen.host), ...publicHost(config), ...config.allowedHosts],
      publicUrl: config.publicUrl,
      authorizationServers: config.authorizationServers,
      allowedOrigins: config.allowedOrigins,
      version: VERSION,
    },
  });
  const catalog = await loadCatalog(fileURLToPath(new URL('catalog/', PACKAGE_ROOT)));
  const kills = createKills({ services, pool, listeners: killListeners });
  const stopWatching = watchStore({
    store,
    log,
    async onChange() {
      standing.storeChanged();
      await kills.enforce();
      await Promise.all([pool.storeChanged(), proxy.settle(), runs.settle(), definitions.settle()]);
      if (url !== null) await keepCellsReady();
    },
  });

  /** Of use only to a gateway that goes on; a command's own is gone before the next start. */
  async function keepCellsReady(): Promise<void> {
    if (unisolated === null) sandbox.keepReady(expectedPorts(await serverRows(store).list(workspace)));
  }
  const api = createApi({
    workspace,
    caller: { workspace, actor: operator.actor },
    servers: serverRows(store),
    documents,
    apis,
    probes: probes(store),
    prober: createProber({ operator, egress, kills: switches, random }),
    profiles: profiles(store, clock, random),
    definitions,
    kills,
    packages: {
      async install(spec, options, onProgress, wanted) {
        // Where it lies is this machine's business; what pins it is kept.
        const { dir: _dir, ...record } = await packages.install(spec, options, onProgress, wanted);
        return record;
      },
    },
    runtime: {
      call: (server, tool, argumentsJson, profile) =>
        front.callTool(operator, profile, server, tool, argumentsJson),
      tools: (server) => front.listTools(operator, server),
      logs: (server, until) => logs.lines(server, until),
      cells: () => pool.list(),
      trouble: (server) => pool.trouble(server),
      plan: async (row) => {
        if (unisolated !== null) throw noPlan();
        return planServer({ workspace, vault, packages, sandbox, random }, row);
      },
      async restart(server, reason) {
        await Promise.all([pool.restart(server, reason), proxy.settle()]);
      },
      credentialsChanged,
    },
    proxy: {
      async settings(tokenId, server) {
        if (proxyAddress === null) throw proxyOff();
        return { address: proxyAddress, ...(await proxy.settings(tokenId, server)) };
      },
    },
    logins: logins.desk,
    vault,
    tokens,
    audit,
    catalog,
    facts: () => ({
      version: VERSION,
      home: config.home,
      pid: process.pid,
      url,
      startedAt,
      isolation: config.isolation,
    }),
    clock,
    random,
    log,
  });

  return {
    version: VERSION,
    api,
    front,
    operator,
    run: (request) => runs.run(request),
    async record(type, data) {
      await audit.append({ workspace, type, actor: { kind: 'system', id: 'gateway' }, data });
    },
    listeningAt(address) {
      url = address;
      stopCollecting = keepCollecting({ store, packages, audit, workspace, log });
      keepCellsReady().catch((error: unknown) => log.warn('cell.prepare_failed', { why: String(error) }));
    },
    serveProxy(server, address) {
      proxyFiles.clear();
      proxyAddress = address;
      egress.acceptProxied(server, proxy);
    },
    async ready() {
      const blocked = await services.kills.active({
        workspace,
        server: null,
        actor: { kind: 'system', id: 'gateway' },
      });
      if (blocked !== null) throw new AppError('kill_active', 'The kill switch is set.', { kind: 'denied' });
    },
    async close() {
      stopWatching();
      stopCollecting();
      // Together: the front turns everybody away while the servers are asked to end.
      await Promise.all([front.close(), pool.close()]);
      await definitions.close();
      await unisolated?.close();
      await sandbox.close();
      proxy.close();
      await egress.close();
      await services.close();
    },
  };
}
