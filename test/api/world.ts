/** The API over a real store, vault, audit log and tokens in a temporary home, and a runtime that does as it is told. */
import { recordingDesk } from '../../src/main/recording/recording-desk.ts';
import { createRecordings, type Recordings } from '../../src/main/recording/session-recordings.ts';
import { policyDesk } from '../../src/main/rules/policy-desk.ts';
import { policyFile } from '../../src/main/rules/policy-file.ts';
import { keepRules } from '../../src/main/rules/rule-book.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ApiDeps,
  createApi,
  createClient,
  type LogLine,
  type PackageRecord,
  type Prober,
  type Runtime,
} from '../../src/api/index.ts';
import {
  AppError,
  type CellId,
  type Log,
  silentLog,
  systemClock,
  systemRandom,
} from '../../src/kernel/index.ts';
import { type Config, homeFiles, loadConfig } from '../../src/main/config.ts';
import { operatorOf } from '../../src/main/front-ports.ts';
import { keptDefinitions, type KeptDefinitionsDeps } from '../../src/main/definitions.ts';
import { initHome } from '../../src/main/init.ts';
import { compilerHere } from './compiler.ts';
import { ApprovalBook } from '../../src/main/approvals/approval-book.ts';
import { peopleOf } from '../../src/main/approvals/people.ts';
import { serverState } from '../../src/main/approvals/server-state.ts';
import { createReceivers } from '../../src/main/delivery/receivers.ts';
import { approvalDesk } from '../../src/main/approvals/approval-desk.ts';
import { usageKey } from '../../src/policy/index.ts';
import { createUsageBook } from '../../src/main/usage/usage-book.ts';
import { createKills } from '../../src/main/kills.ts';
import { probes, profiles, serverRows } from '../../src/main/repositories.ts';
import { openServices, type Services } from '../../src/main/services.ts';
import type { SeenDefinition } from '../../src/mcp/index.ts';
import { definitionHash } from '../../src/mcp/pinning/definition-hash.ts';
import { loadCatalog } from '../../src/manifest/index.ts';

const CELL = 'cell_1' as CellId; // the test's own

export interface World {
  readonly config: Config;
  readonly services: Services;
  readonly client: ReturnType<typeof createClient>;
  /** One request, answered as text. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  raw(request: Request): Promise<Response>;
  /** What the runtime was told, in order. */
  readonly told: string[];
  readonly runtime: { -readonly [Name in keyof Runtime]: Runtime[Name] };
  readonly packages: { install: ApiDeps['packages']['install'] };
  /** Keeps everything, until its profile says otherwise. */
  readonly recordings: Recordings;
  /** Finds nothing to ask, until it is told otherwise. */
  readonly prober: { probe: Prober['probe'] };
  /** Finds nothing at any address, until it is told otherwise. */
  readonly documents: { fetch: ApiDeps['documents']['fetch'] };
  /** Is off, until it is told otherwise. */
  readonly proxy: { settings: ApiDeps['proxy']['settings'] };
  /** Cannot be asked, until it is told otherwise. */
  readonly definitions: { ask: KeptDefinitionsDeps['ask'] };
  readonly approvals: ApprovalBook;
  readonly followers: Set<(line: string) => void>;
  readonly logged: string[];
  types(): Promise<string[]>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly json: unknown;
}

export const manifest = (over: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    schemaVersion: 2,
    name: 'echo',
    version: '1.0.0',
    server: { kind: 'sandboxed', command: ['node', '/srv/echo.mjs'] },
    egress: [{ host: 'api.test.example' }],
    credentials: [
      {
        name: 'API_KEY',
        tier: 'sealed',
        env: 'API_KEY',
        placeholder: 'key_{alnum:32}',
        hosts: ['api.test.example'],
        inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
      },
    ],
    ...over,
  });

export const installed = (over: Partial<PackageRecord> = {}): PackageRecord => ({
  kind: 'npm',
  spec: 'npm:tool@1.2.3',
  name: 'tool',
  version: '1.2.3',
  integrity: `sha256-${'a'.repeat(64)}`,
  bins: { tool: 'node_modules/tool/cli.js' },
  parts: [],
  scriptsSkipped: [],
  scriptsRun: [],
  lockfile: '{}',
  ...over,
});

export const logLine = (text: string): LogLine => ({ at: 5, cell: 'cell_abcdef', from: 'server', text });

/** What a server offers; its text a definition of that name, or what is given. */
export function offered(
  kind: SeenDefinition['kind'],
  name: string,
  text = kind === 'instructions' ? 'null' : JSON.stringify({ name, description: `Does ${name}.` }),
): SeenDefinition {
  return { kind, name, text, hash: definitionHash(text) };
}

export async function makeWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-api-'));
  const config = loadConfig({ SALLYPORT_HOME: join(folder, 'home') });
  await initHome(config);
  const services = await openServices(config, silentLog);
  const { workspace, store, audit, vault, tokens } = services;
  const told: string[] = [];
  const logged: string[] = [];
  const followers = new Set<(line: string) => void>();
  const log: Log = { ...silentLog, error: (event) => void logged.push(event) };
  const recordings = createRecordings({
    workspace,
    store,
    ring: services.ring,
    vault,
    audit,
    config: { level: 'full', required: false, keepDays: null, keepMiB: null },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const runtime: World['runtime'] = {
    call: async (server, tool, argumentsJson, profile) => {
      told.push(`call ${server} ${tool} ${argumentsJson} ${profile}`);
      return '{"content":[{"type":"text","text":"done"}],"n":12345678901234567890}';
    },
    tools: async () => '[{"name":"echo","n":12345678901234567890}]',
    async *logs(_, until) {
      yield* ['first', 'second'].map(logLine);
      if (until === null) return;
      const gone = new Promise<void>((left) => until.addEventListener('abort', () => left()));
      for (let at = 3; !until.aborted; at += 1) {
        const more = Promise.withResolvers<string>();
        const onLine = (text: string): void => more.resolve(text);
        followers.add(onLine);
        const text = await Promise.race([more.promise, gone]);
        followers.delete(onLine);
        if (text !== undefined) yield logLine(text);
      }
    },
    plan: async () => {
      throw new AppError('sandbox_unavailable', 'There are no cells here.', { kind: 'failed' });
    },
    trouble: () => null,
    cells: () => [{ id: CELL, server: 'echo', profile: null, owner: null, startedAt: 5 }],
    restart: async (server, reason) => void told.push(`restart ${server} ${reason}`),
    credentialsChanged: async (server) => void told.push(`credentials ${server}`),
  };
  const packages: World['packages'] = {
    install: async () => {
      throw new AppError('package_not_found', 'There is no such package.', { kind: 'not_found' });
    },
  };
  const prober: World['prober'] = { probe: async () => [] };
  const documents: World['documents'] = {
    fetch: async () => {
      throw new AppError('api_document_unavailable', 'There is nothing at any address.', {
        kind: 'unavailable',
      });
    },
  };
  const proxy: World['proxy'] = {
    settings: async () => {
      throw new AppError('proxy_off', 'There is no proxy.', { kind: 'failed' });
    },
  };
  const noLogin = async () => {
    throw new AppError('oauth_not_remote', 'It takes no logins.', { kind: 'invalid' });
  };
  const definitions: World['definitions'] = {
    ask: async () => {
      throw new AppError('sandbox_unavailable', 'There are no cells here.', { kind: 'failed' });
    },
  };
  const rules = await keepRules({
    workspace,
    store,
    file: policyFile(homeFiles(config.home).policy),
    log: silentLog,
  });
  const approvals = new ApprovalBook({
    workspace,
    store,
    ring: services.ring,
    audit,
    clock: systemClock,
    random: systemRandom,
    people: peopleOf({}),
    serverState: serverState(workspace, store),
    address: () => null,
    log: silentLog,
  });
  const deps: ApiDeps = {
    workspace,
    caller: { workspace, actor: operatorOf(workspace).actor },
    servers: serverRows(store),
    probes: probes(store),
    prober: { probe: (...asked) => prober.probe(...asked) },
    documents: { fetch: (...asked) => documents.fetch(...asked) },
    apis: compilerHere,
    profiles: profiles(store, systemClock, systemRandom),
    definitions: keptDefinitions({
      workspace,
      operator: operatorOf(workspace).actor,
      store,
      audit,
      ask: (slug, withinMs) => definitions.ask(slug, withinMs),
      clock: systemClock,
      log: silentLog,
    }),
    receivers: createReceivers({
      workspace,
      operator: { workspace, actor: operatorOf(workspace).actor },
      store,
      vault: services.vault,
      clock: systemClock,
      random: systemRandom,
    }),
    approvals: approvalDesk(approvals, operatorOf(workspace).actor),
    policies: policyDesk({
      approvers: 1,
      workspace,
      operator: operatorOf(workspace).actor,
      store,
      servers: serverRows(store),
      rules,
      uses: { used: async (_workspace, names) => new Map(names.map((name) => [usageKey(name), 3])) },
      audit,
      clock: systemClock,
    }),
    recordings: recordingDesk({
      workspace,
      operator: operatorOf(workspace).actor,
      store,
      ring: services.ring,
      audit,
      rules,
      recordings,
      clock: systemClock,
    }),
    proxy: { settings: (...asked) => proxy.settings(...asked) },
    logins: { begin: noLogin, finish: noLogin, show: async () => null, forget: async () => false },
    exports: { list: async () => [] },
    alerts: {
      list: async () => [],
      test: () => Promise.reject(new AppError('alerts_off', 'Nothing is watched.', { kind: 'failed' })),
    },
    usage: createUsageBook({ workspace, store, audit, clock: systemClock, log: silentLog }),
    kills: createKills({
      services,
      pool: { kill: async (_, reason) => void told.push(`kill ${reason}`) },
      egress: { withdraw: () => undefined },
      credentialsOf: () => null,
      log: silentLog,
      listeners: new Set([() => told.push('kill')]),
    }),
    packages: { install: (...asked) => packages.install(...asked) },
    runtime,
    vault,
    tokens,
    audit,
    catalog: () => loadCatalog(join(import.meta.dirname, '../../catalog')),
    facts: () => ({
      version: '0.0.0',
      home: config.home,
      pid: 1,
      url: null,
      startedAt: 2,
      isolation: 'cell',
    }),
    clock: systemClock,
    random: systemRandom,
    log,
  };
  const api = createApi(deps);
  const raw = async (request: Request): Promise<Response> => api.fetch(request);
  return {
    config,
    services,
    client: createClient(raw),
    raw,
    async ask(method, path, body) {
      const response = await raw(
        new Request(`http://sallyport/api/v1${path}`, {
          method,
          ...(body === undefined
            ? {}
            : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        }),
      );
      const text = await response.text();
      return { status: response.status, text, json: jsonOf(text) };
    },
    told,
    runtime,
    packages,
    prober,
    documents,
    proxy,
    recordings,
    definitions,
    approvals,
    followers,
    logged,
    async types() {
      const found: string[] = [];
      for await (const event of audit.export(workspace)) found.push(event.type);
      return found;
    },
    async close() {
      rules.close();
      approvals.close();
      await recordings.close();
      await services.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const databaseOf = ({ config }: World): string => homeFiles(config.home).database;
