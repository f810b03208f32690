/**
 * A gateway in a process of its own: a temporary home, servers in real cells, a token. Tells its parent where it
 * listens, and ends when the parent lets go of it. The argument is the servers, as JSON; without it, one that echoes. With
 * `governed` behind it, all of governance is at work; with `serving`, it does whatever else a gateway does that goes on.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../src/api/index.ts';
import { silentLog } from '../../src/kernel/index.ts';
import { createGateway, initHome, loadConfig, openLocalDoor, openTcpDoor } from '../../src/main/index.ts';
import { governedHome } from './governed.ts';

/** What the parent is told. */
export interface GatewayAddress {
  readonly url: string;
  readonly socket: string;
  readonly token: string;
}

/** What it answers to `memory`: after a collection, where it was started with `--expose-gc`. */
export type GatewayMemory = NodeJS.MemoryUsage;

/** What it answers to `turns`: of its main thread, since it was asked before. */
export interface GatewayTurns {
  /** The longest that a timer was late, in milliseconds: some turn took as long. */
  readonly longestMs: number;
  readonly p99Ms: number;
  /** Of the time, how much the thread was at work. */
  readonly busy: number;
}

export interface BenchServer {
  readonly name: string;
  /** Absolute; needs nothing beside it. */
  readonly script: string;
  readonly words: readonly string[];
  /** Those that it offers; null: all that only read. */
  readonly tools: readonly string[] | null;
}

const echo: BenchServer = {
  name: 'echo',
  script: fileURLToPath(new URL('echo-server.mjs', import.meta.url)),
  words: [],
  tools: ['echo'],
};
const servers: readonly BenchServer[] =
  process.argv[2] === undefined ? [echo] : (JSON.parse(process.argv[2]) as BenchServer[]);

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const home = join(folder, 'home');
const scripts = join(folder, 'scripts');
mkdirSync(home, { mode: 0o700 });
mkdirSync(scripts);
for (const { script } of servers) copyFileSync(script, join(scripts, basename(script)));
const files = process.argv[3] === 'governed' ? governedHome : { 'sallyport.yaml': 'listen: 127.0.0.1:0\n' };
for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text, { mode: 0o600 });

const config = loadConfig({ ...process.env, SALLYPORT_HOME: home });
await initHome(config);
const gateway = await createGateway(config, silentLog, { auditWriter: 'journal' });
const socket = join(home, 'sallyport.sock');
const local = await openLocalDoor(gateway, socket);
const tcp = await openTcpDoor(gateway, config.listen);
if (process.argv[3] === 'serving') gateway.listeningAt(tcp.address);

const operator = createClient(async (request) => gateway.api.fetch(request));
for (const { name, script, words, tools } of servers) {
  const manifest = {
    schemaVersion: 2,
    name,
    version: '1.0.0',
    server: {
      kind: 'sandboxed',
      command: ['node', `/bench/${basename(script)}`, ...words],
      files: [{ host: scripts, cell: '/bench', write: false }],
    },
    egress: [],
    credentials: [],
    ...(tools === null ? {} : { tools: { default: tools } }),
  };
  await operator.addServer({ source: `${name}.json`, manifest: JSON.stringify(manifest) }, () => undefined);
}
const { token } = await operator.createToken({ profile: 'default', agent: 'bench' });

const LATE_EVERY_MS = 5;
const MS = 1e6;
const late = monitorEventLoopDelay({ resolution: LATE_EVERY_MS });
let utilization = performance.eventLoopUtilization();

function turns(): GatewayTurns {
  const { utilization: busy } = performance.eventLoopUtilization(utilization);
  utilization = performance.eventLoopUtilization();
  const [longestMs, p99Ms] = [late.max / MS - LATE_EVERY_MS, late.percentile(99) / MS - LATE_EVERY_MS];
  late.enable();
  late.reset();
  return { longestMs, p99Ms, busy };
}

process.on('message', (word) => {
  if (word === 'turns') {
    process.send?.(turns());
    return;
  }
  globalThis.gc?.();
  process.send?.(process.memoryUsage() satisfies GatewayMemory);
});
process.once('disconnect', () => {
  void Promise.all([local.close(), tcp.close()])
    .then(() => gateway.close())
    .finally(() => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(0);
    });
});
const address: GatewayAddress = { url: tcp.address, socket, token };
process.send?.(address);
