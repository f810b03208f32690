/**
 * The gateway: every folder wired to its ports. Opening one starts no listener and no cell; it is what `serve` listens
 * with, what a command uses where none runs, and what tests drive.
 */
import type { Server } from 'node:net';
import { createApi } from '../api/index.ts';
import { createEgress, type Egress } from '../egress/index.ts';
import {
  AppError,
  type CellId,
  type JsonObject,
  type Log,
  systemClock,
  systemRandom,
} from '../kernel/index.ts';
import { createFront, type Front, type Principal } from '../mcp/index.ts';
import { createUnisolated } from '../sandbox/index.ts';
import type { AnswerDoors } from './approvals/answer-doors.ts';
import { approvalDesk } from './approvals/approval-desk.ts';
import { approverCount } from './approvals/people.ts';
import { openApprovals } from './approvals/open-approvals.ts';
import { expectedPorts } from './cells/expected-ports.ts';
import { planServer } from './cells/plan-server.ts';
import { createLogFiles } from './cells/log-files.ts';
import { type CellPool, createCellPool } from './cells/pool.ts';
import { createEras } from './upstreams/eras.ts';
import { openSandboxParts } from './cells/sandbox-parts.ts';
import { createUnisolatedExit, UNISOLATED, type UnisolatedExit } from './cells/unisolated-exit.ts';
import { type Config, homeFiles } from './config.ts';
import { credentialSource, type StoredCredential } from './egress-ports.ts';
import { callAudit, killSwitch, operatorOf, revisionOf, upstreams } from './front-ports.ts';
import { keptDefinitions, type KeptDefinitions } from './definitions.ts';
import { createCallLimits } from './limits/call-limits.ts';
import { createAlertDesk } from './alerts/alert-desk.ts';
import { createExports } from './delivery/exports.ts';
import { createReceivers } from './delivery/receivers.ts';
import { secretSource } from './delivery/secret-source.ts';
import { createHttpWay } from './delivery/http-way.ts';
import { createKills } from './kills.ts';
import { createMetrics, type Metrics } from './metrics/metrics.ts';
import { maskBook } from './masking/mask-book.ts';
import { askForDefinitions } from './look.ts';
import { createLogins } from './oauth/logins.ts';
import { createProber } from './prober.ts';
import { createApiCompiler } from './upstreams/api-compiler.ts';
import { createDocumentFetcher, type DocumentFetcher } from './upstreams/fetch-document.ts';
import { keepCollecting } from './packages/collector.ts';
import { authorityFiles } from './proxy/authority-files.ts';
import { createProxySessions, type ProxySessions } from './proxy/sessions.ts';
import { probes, profiles, serverRows } from './repositories.ts';
import { recordingDesk } from './recording/recording-desk.ts';
import { createRecordings } from './recording/session-recordings.ts';
import { policyDesk } from './rules/policy-desk.ts';
import { policyFile } from './rules/policy-file.ts';
import { keepRules } from './rules/rule-book.ts';
import { createRuns, type RunRequest, type Runs } from './run/run.ts';
import { openServices, type Services, type ServicesOptions } from './services.ts';
import { createStanding } from './standing.ts';
import { createUsageBook } from './usage/usage-book.ts';
import { watchStore } from './store-watch.ts';
import { shippedCatalog } from './shipped-catalog.ts';
import { VERSION } from './version.ts';

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
  /** Where answers to approvals come in over the network. */
  readonly answers: AnswerDoors;
  /** For who watches it, as Prometheus reads it. @throws AppError `store_*` */
  metrics(): Promise<string>;
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
    return await gatewayOn(services, config, log, options);
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

const isRequired = ({ required }: Config['audit']['exports'][number]): boolean => required;

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

async function gatewayOn(
  services: Services,
  config: Config,
  log: Log,
  { auditWriter }: ServicesOptions,
): Promise<Gateway> {
  const files = homeFiles(config.home);
  const clock = systemClock;
  const random = systemRandom;
  const startedAt = clock.now();
  const { workspace, store, audit, vault, ring, tokens } = services;
  const operator = operatorOf(workspace);
  /** What nearly everything needs. */
  const base = { workspace, clock, random, log };
  const killListeners = new Set<() => void>();
  const proxyFiles = authorityFiles(files.proxy);
  let url: string | null = null;
  let stopCollecting = (): void => undefined;
  let proxyAddress: string | null = null;

  const rules = await keepRules({ workspace, store, file: policyFile(files.policy), log });
  const counted = createCallLimits({
    ...base,
    counters: store.counters,
    usage: { calls: (of, about) => store.usage.calls(of, about), settle: () => usage.settle() },
  });
  const { sandbox, packages } = await openSandboxParts(config, { ...base, audit });
  const ownNames = (cell: CellId): ReadonlyMap<string, StoredCredential> | null =>
    runs.credentialsOf(cell) ?? documents.credentialsOf(cell) ?? logins.credentialsOf(cell);
  const way = createHttpWay({ workspace, egress: () => egress, audit, random });
  const receivers = createReceivers({
    ...base,
    operator: { workspace, actor: operator.actor },
    store,
    vault,
  });
  const secrets = secretSource({ home: config.home, open: (name) => receivers.open(name), clock });
  const approvals = openApprovals({
    ...base,
    secrets,
    settings: config.approvals,
    store,
    ring: services.ring,
    audit,
    way,
    kills: services.kills,
    base: () => config.publicUrl ?? url,
  });
  const egress: Egress = createEgress({
    ...base,
    credentials: way.credentials(
      credentialSource(workspace, vault, {
        serverOf: (cell) => pool.serverOf(cell) ?? proxy.serverOf(cell),
        credentialsOf: ownNames,
        checkProxied: (session) => proxy.checkProxied(session),
      }),
    ),
    calls: { callsIn: (cell) => front.callsIn(cell) },
    rules,
    limits: counted,
    audit,
    config: config.egress,
  });
  const logs = createLogFiles(files.logs, log);
  if (config.isolation !== 'cell') log.warn('cells.unisolated', { why: UNISOLATED });
  const unisolated: UnisolatedExit | null =
    config.isolation === 'cell'
      ? null
      : createUnisolatedExit({
          ...base,
          programs: createUnisolated({ stateDir: files.run, environment: config.environment, log }),
          egress: () => egress,
          folder: files.run,
        });
  const apis = createApiCompiler();
  const pool: CellPool = createCellPool({
    ...base,
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
  const reachable = upstreams(services, pool, log);
  const standing = createStanding({ store, tokens, profile: (of, name) => reachable.profile(of, name) });
  const credentialsChanged = async (server: string): Promise<void> => {
    await Promise.all([pool.credentialsChanged(server), proxy.settle()]);
  };
  const logins = createLogins({
    ...base,
    operator,
    servers: serverRows(store),
    store,
    vault,
    audit,
    egress: () => egress,
    kills: switches,
    changed: credentialsChanged,
    documentUrl: config.clientMetadataUrl,
  });
  const proxy: ProxySessions = createProxySessions({
    ...base,
    servers: serverRows(store),
    profile: (of, name) => reachable.profile(of, name),
    tokens,
    kills: switches,
    vault,
    egress,
    files: proxyFiles,
  });
  const documents: DocumentFetcher = createDocumentFetcher({ operator, egress, kills: switches, random });
  const runs: Runs = createRuns({
    ...base,
    operator,
    servers: serverRows(store),
    profile: (of, name) => reachable.profile(of, name),
    kills: switches,
    vault,
    sandbox,
    egress,
    audit,
  });
  const definitions: KeptDefinitions = keptDefinitions({
    ...base,
    operator: operator.actor,
    store,
    audit,
    ask: (slug, withinMs) => askForDefinitions({ pool, front, kills: switches, operator }, slug, withinMs),
  });
  const usage = createUsageBook({
    ...base,
    store,
    audit,
    counted: (events) => metrics.counted(events),
  });
  const exports = createExports({
    ...base,
    home: config.home,
    secrets,
    exports: config.audit.exports,
    store,
    audit,
    way,
    egress: () => egress,
    kills: services.kills,
  });
  const recordings = createRecordings({
    ...base,
    store,
    ring,
    vault,
    audit,
    config: config.recording,
    ...(auditWriter === 'journal' ? { threadOn: files.database } : {}),
  });
  const alerts = createAlertDesk({
    ...base,
    secrets,
    config: config.alerts,
    store,
    audit,
    way,
  });
  const front: Front = createFront({
    ...base,
    revision: revisionOf(store, rules),
    upstreams: reachable,
    audit: callAudit(services, config.audit.exports.some(isRequired) ? () => exports.admit() : null),
    kills: switches,
    standing,
    definitions,
    rules,
    limits: counted,
    recorder: recordings.recorder,
    approvals: approvals.book,
    masks: maskBook({ ring: services.ring, log }),
    authenticate: (token, remoteAddress) => tokens.known(token) ?? tokens.verify(token, remoteAddress),
    config: {
      allowedHosts: [...ownHosts(config.listen.host), ...publicHost(config), ...config.allowedHosts],
      publicUrl: config.publicUrl,
      authorizationServers: config.authorizationServers,
      allowedOrigins: config.allowedOrigins,
      holdMs: config.approvals.holdSeconds * 1_000,
      version: VERSION,
    },
  });
  const kills = createKills({
    services,
    pool,
    egress,
    credentialsOf: ownNames,
    listeners: killListeners,
    log,
  });
  const metrics: Metrics = createMetrics({
    workspace,
    version: VERSION,
    startedAt,
    servers: serverRows(store),
    cells: () => pool.list(),
    activity: (cell) => front.activity(cell),
    approvals: approvalDesk(approvals.book, operator.actor),
    exports,
    alerts,
    slack: approvals,
    kills,
    journal: files.auditJournal,
    settle: () => usage.settle(),
    clock,
  });
  const stopWatchingKills = kills.watch();
  const stopWatching = watchStore({
    store,
    log,
    async onChange() {
      standing.storeChanged();
      approvals.book.changed();
      await kills.enforce();
      await Promise.all([
        pool.storeChanged(),
        proxy.settle(),
        runs.settle(),
        definitions.settle(),
        rules.settle(),
        reachable.storeChanged(),
      ]);
      if (url !== null) await keepCellsReady();
    },
  });

  /** Of use only to a gateway that goes on; a command's own is gone before the next start. */
  async function keepCellsReady(): Promise<void> {
    if (unisolated === null) sandbox.keepReady(expectedPorts(await serverRows(store).list(workspace)));
  }
  const api = createApi({
    ...base,
    caller: { workspace, actor: operator.actor },
    servers: serverRows(store),
    documents,
    apis,
    probes: probes(store),
    prober: createProber({ operator, egress, kills: switches, random }),
    profiles: profiles(store, clock, random),
    definitions,
    approvals: approvalDesk(approvals.book, operator.actor),
    policies: policyDesk({
      approvers: approverCount(config.approvals),
      uses: counted,
      workspace,
      operator: operator.actor,
      store,
      servers: serverRows(store),
      rules,
      audit,
      clock,
    }),
    recordings: recordingDesk({
      workspace,
      operator: operator.actor,
      store,
      ring,
      audit,
      rules,
      recordings,
      clock,
    }),
    kills,
    exports,
    alerts,
    receivers,
    usage,
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
    catalog: shippedCatalog(),
    facts: () => ({
      version: VERSION,
      home: config.home,
      pid: process.pid,
      url,
      startedAt,
      isolation: config.isolation,
    }),
  });

  return {
    version: VERSION,
    api,
    front,
    operator,
    answers: approvals.answers,
    run: (request) => runs.run(request),
    async record(type, data) {
      await audit.append({ workspace, type, actor: { kind: 'system', id: 'gateway' }, data });
    },
    listeningAt(address) {
      url = address;
      exports.start();
      usage.keepCounting();
      recordings.keepTidy();
      alerts.start();
      approvals.start();
      stopCollecting = keepCollecting({ store, packages, audit, workspace, log });
      keepCellsReady().catch((error: unknown) => log.warn('cell.prepare_failed', { why: String(error) }));
    },
    serveProxy(server, address) {
      proxyFiles.clear();
      proxyAddress = address;
      egress.acceptProxied(server, proxy);
    },
    metrics: () => metrics.text(),
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
      stopWatchingKills();
      rules.close();
      counted.close();
      stopCollecting();
      // Together: the front turns everybody away while the servers are asked to end.
      await Promise.all([front.close(), pool.close()]);
      await recordings.close();
      await Promise.all([exports.stop(), alerts.stop(), approvals.close()]);
      secrets.clear();
      usage.close();
      await definitions.close();
      await unisolated?.close();
      await sandbox.close();
      proxy.close();
      await egress.close();
      await services.close();
    },
  };
}
