/** A front over real child processes, with ports that remember what they were told. */
import { NO_RULES, type Rules } from '../../src/policy/index.ts';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import {
  AppError,
  type CellId,
  type Log,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import {
  type Approvals,
  type ApprovedTool,
  type CallFacts,
  type CallLimits,
  type CallOutcome,
  type CallRefusal,
  createFront,
  type Definitions,
  type EraMemory,
  type Front,
  type FrontConfig,
  type MaskBook,
  type Principal,
  type ProfileListener,
  type ProfileServer,
  type ProfileView,
  type Recorder,
  type UpstreamEra,
  type UpstreamExit,
  type UpstreamTransport,
  type LineTransport,
} from '../../src/mcp/index.ts';

import { maskBook } from '../../src/main/masking/mask-book.ts';

const workspace = 'ws_test' as WorkspaceId;

export const fixture = (name: string, ...args: readonly string[]): readonly string[] => [
  fileURLToPath(new URL(`./fixtures/${name}.mjs`, import.meta.url)),
  ...args,
];

export const principal = (id: string, profile: string | null): Principal => ({
  workspace,
  actor: { kind: profile === null ? 'local' : 'token', id },
  profile,
  agent: 'test',
});

/** As a profile has it. */
export const echoServer: ProfileServer = {
  slug: 'echo',
  title: null,
  tools: '*',
  defaultTools: null,
  callSeconds: null,
};

/** A server of the test's profiles, and the program that is it. */
export interface TestServer {
  readonly command: readonly string[];
  /** How it is reached instead, where it is no program. */
  readonly transport?: (cell: CellId) => UpstreamTransport;
  readonly tools?: ProfileServer['tools'];
  readonly defaultTools?: ProfileServer['defaultTools'];
  readonly callSeconds?: number;
}

class ChildTransport implements LineTransport {
  readonly kind = 'lines';
  readonly cell: CellId;
  readonly exited: Promise<UpstreamExit>;
  readonly era: EraMemory;
  readonly child: ChildProcessWithoutNullStreams;
  alive = true;
  #stderr = '';

  constructor(cell: CellId, command: readonly string[], era: EraMemory) {
    this.cell = cell;
    this.era = era;
    this.child = spawn(process.execPath, [...command], { stdio: 'pipe' });
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4096);
    });
    this.exited = once(this.child, 'close').then(([code, signal]: unknown[]) => {
      this.alive = false;
      return {
        code: typeof code === 'number' ? code : null,
        signal: typeof signal === 'string' ? signal : null,
        reason: typeof code === 'number' ? `it ended with code ${code}` : `it was ended by ${String(signal)}`,
      };
    });
  }

  get input() {
    return this.child.stdin;
  }

  get output() {
    return this.child.stdout;
  }

  stderrTail(): string {
    return this.#stderr;
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** As the gateway has it. */
export const realMasks = (): MaskBook =>
  maskBook({ ring: { purposeKey: async () => Secret.fromBytes(Buffer.alloc(32, 7)) }, log: silentLog });

export interface Harness {
  readonly front: Front;
  readonly url: string;
  /** Where its POSTs are taken off the connections by the front. */
  readonly server: Server;
  /** What the audit port was told, in order. */
  readonly audit: string[];
  readonly calls: CallFacts[];
  readonly transports: ChildTransport[];
  /** What was learnt of the servers' revisions, in order. */
  readonly learned: readonly string[];
  /** Has the next start of a server begin with what was learnt at another time. */
  remember(slug: string, era: UpstreamEra): void;
  /** Sets or lifts the switch for a slug, an actor id, or `everything`. */
  kill(target: string): void;
  /** Begun whenever the switch let somebody pass. */
  afterCheck: (() => Promise<void>) | null;
  resume(target: string): void;
  failAudit(fail: boolean): void;
  /** What people agreed to: nothing is ever held back without rules that say so. */
  readonly approvals: { pass: Approvals['pass']; waits: Approvals['waits'] };
  /** Shows a profile in the other way from now on: two tools in place of all, or all. */
  switchSearch(profile: string): Promise<void>;
  /** The profile takes no tokens in addresses any more. */
  refuseUrlTokens(profile: string): void;
  /** Somebody answered something. */
  approvalsChanged(): void;
  /** Other rules hold from now on. */
  setRules(rules: Rules): void;
  /** The token is good until then, in milliseconds since the epoch; without a time: not any more. */
  endToken(actor: string, atMs?: number): void;
  stdio(who: Principal, endpoint: { profile: string | null; server?: string }): TestClient;
  close(): Promise<void>;
}

interface ProfileSettings {
  readonly urlProfiles?: readonly string[];
  readonly searchProfiles?: readonly string[];
  /** Silent unless given. */
  readonly log?: Log;
  /** Nothing is recorded unless given. */
  readonly recorder?: Recorder;
  /** By server: what searches find. */
  readonly approved?: Readonly<Record<string, readonly ApprovedTool[]>>;
  /** By server, as JSON: the instructions that somebody agreed to. */
  readonly instructions?: Readonly<Record<string, string>>;
  /** Counts nothing unless given. */
  readonly limits?: CallLimits;
  /** Everything is agreed to unless given. */
  readonly judge?: Definitions['judge'];
  /** The gateway's own unless given. */
  readonly masks?: MaskBook;
}

export async function startHarness(
  profiles: Record<string, Record<string, TestServer>>,
  settings: Partial<FrontConfig> & ProfileSettings = {},
): Promise<Harness> {
  const cells = new Map<string, ChildTransport>();
  const elsewhere = new Map<string, UpstreamTransport>();
  const transports: ChildTransport[] = [];
  const eras = new Map<string, UpstreamEra>();
  const learned: string[] = [];
  const audit: string[] = [];
  const calls: CallFacts[] = [];
  const killed = new Set<string>();
  const checked: { after: Harness['afterCheck'] } = { after: null };
  const listeners = new Set<() => void>();
  const standings = new Map<string, number>();
  const standingListeners = new Set<() => void>();
  let auditFails = false;
  let rules: Rules = NO_RULES;
  const ruleListeners = new Set<() => void>();
  const approvalListeners = new Set<() => void>();
  const approvals: { pass: Approvals['pass']; waits: Approvals['waits'] } = {
    pass: async () => ({ state: 'pending', id: 'apr_test', address: null }),
    waits: async () => true,
  };

  const serversOf = (name: string | null): Record<string, TestServer> | undefined =>
    name === null ? Object.assign({}, ...Object.values(profiles)) : profiles[name];

  const inUrl = new Set(settings.urlProfiles);
  const searching = new Set(settings.searchProfiles);
  const profileListeners = new Map<ProfileListener, string | null>();
  const view = async (name: string | null): Promise<ProfileView | null> => {
    const servers = serversOf(name);
    if (servers === undefined) return null;
    return {
      name,
      tokenInUrl: inUrl.has(name ?? ''),
      search: searching.has(name ?? ''),
      servers: Object.entries(servers).map(([slug, server]) => ({
        slug,
        title: null,
        tools: name === null ? '*' : (server.tools ?? null),
        defaultTools: server.defaultTools ?? null,
        callSeconds: server.callSeconds ?? null,
      })),
    };
  };

  const front = createFront({
    masks: settings.masks ?? realMasks(),
    limits: settings.limits ?? {
      used: async () => new Map(),
      take: async () => ({ ok: true, end: () => undefined }),
    },
    approvals: {
      pass: (request) => approvals.pass(request),
      waits: (id) => approvals.waits(id),
      onChange(listener) {
        approvalListeners.add(listener);
        return () => approvalListeners.delete(listener);
      },
    },
    rules: {
      rulesOf: async () => rules,
      onChange(listener) {
        ruleListeners.add(listener);
        return () => ruleListeners.delete(listener);
      },
    },
    upstreams: {
      profile: (_workspace, name) => view(name),
      onProfile(_workspace, name, listener) {
        profileListeners.set(listener, name);
        return () => profileListeners.delete(listener);
      },
      async open(_principal, profile, slug) {
        const running = cells.get(slug);
        if (running?.alive === true) return running;
        const server = serversOf(profile)?.[slug];
        if (server === undefined) throw new AppError('no_server', 'no such server', { kind: 'not_found' });
        if (server.transport !== undefined) {
          const known = elsewhere.get(slug);
          if (known !== undefined) return known;
          const opened = server.transport(`rmt_${slug}` as CellId);
          elsewhere.set(slug, opened);
          void opened.exited.then(() => elsewhere.delete(slug));
          return opened;
        }
        const transport = new ChildTransport(`cell_${transports.length}` as CellId, server.command, {
          known: eras.get(slug) ?? null,
          learn: (era, diedOfQuestion) => {
            eras.set(slug, era);
            learned.push(`${slug} ${era}${diedOfQuestion ? ' died' : ''}`);
          },
        });
        cells.set(slug, transport);
        transports.push(transport);
        return transport;
      },
    },
    audit: {
      async started(call) {
        if (auditFails)
          throw new AppError('audit_unavailable', 'The audit log cannot be written.', { kind: 'failed' });
        await Promise.resolve();
        calls.push(call);
        audit.push(`started ${call.server} ${call.tool}`);
      },
      async finished(call: CallFacts, outcome: CallOutcome) {
        audit.push(
          `finished ${call.server} ${call.tool} ${outcome.outcome}${outcome.code === undefined ? '' : ` ${outcome.code}`}`,
        );
      },
      async refused({ server, tool, prompt, resource, code }: CallRefusal) {
        const beside = [prompt && `prompt ${prompt}`, resource && `resource ${resource}`].find(Boolean);
        audit.push(`refused ${server} ${beside ?? tool} ${code}`);
      },
      async alerted({ server, tool, rule, severity, outcome }) {
        audit.push(`alerted ${server} ${tool ?? '-'} ${rule} ${severity} ${outcome}`);
      },
      async masked({ server, tool, hits }) {
        for (const { rule, detector, where, count } of hits)
          audit.push(`masked ${server} ${tool ?? '-'} ${rule} ${detector} ${where} ${count}`);
      },
    },
    kills: {
      async check(who, slug) {
        const names = [who.actor.id, 'everything', ...(slug === null ? [] : [slug])];
        if (!names.some((name) => killed.has(name))) {
          void checked.after?.();
          return;
        }
        throw new AppError('kill_active', 'A kill switch is set.', {
          kind: 'denied',
          hint: 'sallyport resume',
        });
      },
      isStopped: async (who) => killed.has(who.actor.id),
      onKill(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    standing: {
      until: async ({ actor, tokenInUrl, profile }) =>
        tokenInUrl === true && !inUrl.has(profile ?? '') ? null : (standings.get(actor.id) ?? Infinity),
      onChange(listener) {
        standingListeners.add(listener);
        return () => standingListeners.delete(listener);
      },
    },
    async authenticate(token) {
      const [name, profile] = token.split('.');
      if (name === 'limited')
        throw new AppError('token_rate_limited', 'Too many failures.', { kind: 'limited' });
      if (name !== 'good' && name !== 'other') {
        throw new AppError('token_unknown', 'The token is not valid.', { kind: 'unauthenticated' });
      }
      return principal(name, profile ?? 'default');
    },
    // `attacks/rug-pull` is about what is not agreed to.
    definitions: {
      judge: settings.judge ?? (async () => () => 'approved'),
      approvedTools: async (_workspace, slug) => settings.approved?.[slug] ?? null,
      approvedInstructions: async (_workspace, slug) => settings.instructions?.[slug] ?? null,
      withheld: () => undefined,
      onApproved: () => () => undefined,
    },
    ...(settings.recorder === undefined ? {} : { recorder: settings.recorder }),
    clock: systemClock,
    random: systemRandom,
    log: settings.log ?? silentLog,
    config: {
      allowedHosts: ['gateway.example'],
      allowedOrigins: ['app.example'],
      publicUrl: null,
      authorizationServers: [],
      holdMs: 60_000,
      version: '9.9.9',
      ...settings,
    },
  });

  const server: Server = createServer((req, res) => void front.handleHttp(req, res));
  front.takePosts(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    front,
    url: `http://127.0.0.1:${port}`,
    server,
    audit,
    calls,
    transports,
    learned,
    remember: (slug, era) => void eras.set(slug, era),
    get afterCheck() {
      return checked.after;
    },
    set afterCheck(after) {
      checked.after = after;
    },
    kill(target) {
      killed.add(target);
      for (const listener of listeners) listener();
    },
    endToken(actor, atMs = 0) {
      standings.set(actor, atMs);
      for (const listener of standingListeners) listener();
    },
    async switchSearch(name) {
      const before = await view(name);
      if (!searching.delete(name)) searching.add(name);
      const now = await view(name);
      for (const [listener, of] of profileListeners) if (of === name) listener(before, now);
    },
    refuseUrlTokens(name) {
      inUrl.delete(name);
      for (const listener of standingListeners) listener();
    },
    approvals,
    approvalsChanged() {
      for (const listener of approvalListeners) listener();
    },
    resume: (target) => void killed.delete(target),
    setRules: (held) => {
      rules = held;
      for (const listener of ruleListeners) listener();
    },
    failAudit: (fail) => {
      auditFails = fail;
    },
    stdio: (who, endpoint) => new TestClient(front, who, endpoint),
    async close() {
      await front.close();
      server.closeAllConnections();
      server.close();
      await Promise.all(transports.map((transport) => transport.close()));
    },
  };
}

export type Parsed = Record<string, unknown>;

/** A stdio client that works on raw lines, so that a test sees bytes and not what a client made of them. */
export class TestClient {
  readonly lines: string[] = [];
  readonly duplex: Duplex;
  readonly closed: Promise<void>;
  #waiters: { test: (message: Parsed) => boolean; resolve: (line: string) => void }[] = [];

  constructor(front: Front, who: Principal, endpoint: { profile: string | null; server?: string }) {
    const client = new Duplex({
      read() {},
      write: (chunk: Buffer, _encoding, done) => {
        for (const line of chunk.toString().split('\n').filter(Boolean)) this.#arrived(line);
        done();
      },
    });
    this.duplex = client;
    this.closed = front.connectStdio(client, who, endpoint).closed;
  }

  send(message: object | string): void {
    this.duplex.push(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  end(): void {
    this.duplex.push(null);
  }

  /** Resolves with the first line, past or future, that passes the test. */
  line(test: (message: Parsed) => boolean): Promise<string> {
    const known = this.lines.find((line) => test(JSON.parse(line) as Parsed));
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => this.#waiters.push({ test, resolve }));
  }

  async answer(id: unknown): Promise<Parsed> {
    const line = await this.line((message) => message['id'] === id && message['method'] === undefined);
    return JSON.parse(line) as Parsed;
  }

  request(id: unknown, method: string, params?: object): Promise<Parsed> {
    this.send({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) });
    return this.answer(id);
  }

  async initialize(capabilities: object = {}, version = '2025-11-25'): Promise<Parsed> {
    const clientInfo = { name: 'test', version: '1' };
    const answer = await this.request('init', 'initialize', {
      protocolVersion: version,
      capabilities,
      clientInfo,
    });
    this.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    return answer;
  }

  #arrived(line: string): void {
    this.lines.push(line);
    const message = JSON.parse(line) as Parsed;
    this.#waiters = this.#waiters.filter(({ test, resolve }) => {
      if (!test(message)) return true;
      resolve(line);
      return false;
    });
  }
}
