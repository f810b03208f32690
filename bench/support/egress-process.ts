/**
 * The egress in a process of its own, with everything that it has in the product: the vault and the audit log on a
 * SQLite file, injection, scrubbing. Only the cells are missing: their listeners are on loopback. Tells its parent
 * where it listens, and then answers one question at a time.
 */
import { NO_RULES } from '../../src/policy/index.ts';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEgressWith } from '../../src/egress/egress.ts';
import {
  type JsonObject,
  newId,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
} from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/config.ts';
import { initHome } from '../../src/main/init.ts';
import { openServices } from '../../src/main/services.ts';

/** What the parent hands in. */
export interface EgressSetup {
  /** The host of each cell; a cell reaches no other. */
  readonly cells: readonly string[];
  /** `host:port` → `address:port` of its upstream. */
  readonly upstreams: Readonly<Record<string, string>>;
  readonly ca: string;
  readonly key: string;
}

/** What it is told of each cell, in the same order. */
export interface EgressListener {
  readonly address: string;
  readonly port: number;
  readonly ca: string;
  readonly placeholder: string;
}

export type EgressQuestion = 'events' | 'usage' | 'collected' | 'settled' | 'profile' | 'profiled';

/** Answer to `usage`, and to `collected`, which forces a collection first. In bytes. */
export interface Usage {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  readonly descriptors: number;
  /** The longest that the event loop was late since the last question, in milliseconds. */
  readonly lateMs: number;
  /** Handles and requests that keep the event loop busy, by kind. */
  readonly resources: Readonly<Record<string, number>>;
}

/** Answer to `settled`: what the audit log on disk says of all requests. */
export interface Settled {
  /** Requests whose intent is on record, be it as the use of a credential. */
  readonly intents: number;
  readonly outcomes: number;
  /** Ids with an intent and no outcome. */
  readonly open: readonly string[];
  readonly byType: Readonly<Record<string, number>>;
  /** How requests ended: `whole`, or why otherwise. */
  readonly endings: Readonly<Record<string, number>>;
  /** What was refused, connections included, and why. */
  readonly refusals: Readonly<Record<string, number>>;
}

const PROFILE_INTERVAL_US = 250;
const OPEN_NAMED_MAX = 20;
/** Where a credential goes in, its use is the intent. */
const INTENTS: readonly string[] = ['egress.request', 'credential.used'];
/** In flight all the time. */
const CALL = {
  id: 'call_bench',
  tool: 'search',
  readOnly: true,
  actor: 'tok_bench',
  token: 'tok_bench',
  user: null,
  agent: 'bench',
};
const CALLS = {
  inFlight: [CALL],
  count: 1,
  running: [CALL],
  callers: [CALL],
  profiles: [],
  begun: true,
  last: null,
  ended: [],
  endedCallers: [],
};
/** Finalizers run between collections. */
const COLLECTIONS = 3;

const [setup] = (await once(process, 'message')) as [EgressSetup];
const home = join(mkdtempSync(join(tmpdir(), 'sallyport-bench-')), 'home');
mkdirSync(home, { mode: 0o700 });
const config = loadConfig({ ...process.env, SALLYPORT_HOME: home });
await initHome(config);
const services = await openServices(config, silentLog, { auditWriter: 'journal' });
const { workspace, store, vault, audit } = services;
const now = systemClock.now();
const server = { id: newId<'server'>('srv', systemRandom), slug: 'bench' };
const row = {
  manifest: {},
  manifestHash: '',
  source: 'bench',
  package: null,
  enabled: true,
  createdAt: now,
  updatedAt: now,
};
await store.servers.insert(workspace, { ...server, ...row });
const ref = { server: server.id, serverSlug: server.slug, name: 'TOKEN', owner: null };
await vault.put({ workspace, actor: { kind: 'local', id: '0' } }, ref, Secret.fromString(setup.key));

const egress = createEgressWith(
  {
    credentials: {
      use: (cell, _name, { data }) =>
        vault.use({ workspace, actor: { kind: 'cell', id: cell.cell } }, ref, { kind: 'inject', data }),
      known: async ({ cell }) => [
        {
          name: 'TOKEN',
          value: await vault.use({ workspace, actor: { kind: 'cell', id: cell } }, ref, {
            kind: 'scrub',
            data: {},
          }),
        },
      ],
    },
    calls: { callsIn: () => CALLS },
    limits: { count: async () => null },
    rules: { current: () => NO_RULES },
    audit,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    config: { resolve: setup.upstreams, extraCa: [setup.ca], allowNetworks: ['127.0.0.0/8'] },
  },
  { ipv4Base: 0x7f4d_0000 },
);

async function openCell(host: string): Promise<EgressListener> {
  const placeholder = `ghp_${systemRandom.bytes(18).toString('hex')}`;
  const cell = await egress.openCell({
    identity: {
      cell: newId<'cell'>('cel', systemRandom),
      workspace,
      server: server.slug,
      profile: 'default',
      owner: null,
    },
    rules: [{ host, port: 443, protocol: 'https', methods: ['GET', 'POST'], paths: ['/v1'] }],
    credentials: [
      {
        name: 'TOKEN',
        placeholder,
        hosts: [host],
        inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
      },
    ],
    addresses: 'synthetic',
  });
  const listener = createServer({ pauseOnConnect: true });
  cell.acceptTcp(443, listener);
  listener.listen({ port: 0, host: '127.77.0.1', backlog: 4_096 }); // the first synthetic address
  await once(listener, 'listening');
  const { address, port } = listener.address() as AddressInfo;
  return { address, port, ca: cell.caPem, placeholder };
}

async function collected(): Promise<Usage> {
  for (let round = 0; round < COLLECTIONS; round += 1) {
    if (globalThis.gc === undefined) throw new Error('a collection needs --expose-gc');
    globalThis.gc();
    await sleep(50);
  }
  return usage();
}

/** Only where somebody asks: it is a timer. */
const lateness = monitorEventLoopDelay({ resolution: 10 });

async function usage(): Promise<Usage> {
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const descriptors = readdirSync('/proc/self/fd').length;
  lateness.enable();
  const lateMs = lateness.max / 1e6;
  lateness.reset();
  return { rss, heapUsed, external, arrayBuffers, descriptors, lateMs, resources };
}

/** The id of the request that an event is about: the use of a credential says what it is for. */
function requestOf(data: JsonObject): string | null {
  const facts = isObject(data['for']) ? data['for'] : data;
  return typeof facts['request'] === 'string' ? facts['request'] : null;
}

/** The stable words of a refusal. */
const refusalOf = ({ code, reason }: JsonObject): string =>
  [code, reason].filter((word) => typeof word === 'string').join(': ');

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

async function settled(): Promise<Settled> {
  const open = new Set<string>();
  const seen = new Set<string>();
  let outcomes = 0;
  const byType: Record<string, number> = {};
  const endings: Record<string, number> = {};
  const refusals: Record<string, number> = {};
  for await (const { type, data } of audit.export(workspace)) {
    byType[type] = (byType[type] ?? 0) + 1;
    if (type === 'egress.refused') {
      const refusal = refusalOf(data);
      refusals[refusal] = (refusals[refusal] ?? 0) + 1 + Number(data['suppressed'] ?? 0);
    }
    const request = requestOf(data);
    if (request === null) continue;
    if (type === 'egress.finished') {
      outcomes += 1;
      const ending = typeof data['code'] === 'string' ? data['code'] : 'whole';
      endings[ending] = (endings[ending] ?? 0) + 1;
      open.delete(request);
    } else if (INTENTS.includes(type) && !seen.has(request)) {
      seen.add(request);
      open.add(request);
    }
  }
  return {
    intents: seen.size,
    outcomes,
    open: [...open].slice(0, OPEN_NAMED_MAX),
    byType,
    endings,
    refusals,
  };
}

const inspector = new Session();

/** `profile` begins one, `profiled` ends it and answers with what V8 saw. */
async function profile(): Promise<object> {
  inspector.connect();
  await inspector.post('Profiler.enable');
  await inspector.post('Profiler.setSamplingInterval', { interval: PROFILE_INTERVAL_US });
  await inspector.post('Profiler.start');
  return {};
}

const answers: Readonly<Record<EgressQuestion, () => Promise<object>>> = {
  events: async () => ({ events: (await audit.checkpoint(workspace))?.sequence ?? 0 }),
  usage,
  collected,
  settled,
  profile,
  profiled: () => inspector.post('Profiler.stop'),
};

process.on('message', ({ question }: { question: EgressQuestion }) => {
  void answers[question]().then((answer) => process.send?.(answer));
});
process.once('disconnect', () => {
  void egress
    .close()
    .then(() => services.close())
    .finally(() => {
      rmSync(join(home, '..'), { recursive: true, force: true });
      process.exit(0);
    });
});
const listeners: EgressListener[] = [];
for (const host of setup.cells) listeners.push(await openCell(host));
process.send?.(listeners);
