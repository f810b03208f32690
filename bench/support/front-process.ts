/**
 * The front alone in a process of its own: no cell, no database, no audit log on disk. What the rest of the gateway
 * costs is the difference to `gateway-process.ts`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createLineServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type CellId,
  silentLog,
  systemClock,
  systemRandom,
  type WorkspaceId,
} from '../../src/kernel/index.ts';
import { createFront, type Principal, type UpstreamTransport } from '../../src/mcp/index.ts';
import type { GatewayAddress } from './gateway-process.ts';

const child = spawn(process.execPath, [fileURLToPath(new URL('echo-server.mjs', import.meta.url))], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const transport: UpstreamTransport = {
  kind: 'lines',
  cell: 'cell_bench' as CellId,
  input: child.stdin,
  output: child.stdout,
  stderrTail: () => '',
  exited: once(child, 'close').then(() => ({ code: 0, signal: null, reason: 'ended' })),
  async close() {
    child.kill();
  },
};
const principal: Principal = {
  workspace: 'ws_bench' as WorkspaceId,
  actor: { kind: 'token', id: 'tok_bench' },
  profile: 'default',
  agent: 'bench',
};
const profile = {
  name: 'default',
  servers: [{ slug: 'echo', title: null, tools: null, defaultTools: ['echo'], callSeconds: null }],
};
const front = createFront({
  upstreams: { profile: async () => profile, open: async () => transport },
  audit: { async started() {}, async finished() {}, async refused() {} },
  kills: { async check() {}, isStopped: async () => false, onKill: () => () => undefined },
  authenticate: async () => principal,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  config: { allowedHosts: [], allowedOrigins: [], version: '0.0.0' },
});

const http = createHttpServer((req, res) => void front.handleHttp(req, res)).listen(0, '127.0.0.1');
await once(http, 'listening');
const socket = join(tmpdir(), `sallyport-bench-${process.pid}.sock`);
const lines = createLineServer((connection) => {
  front.connectStdio(connection, principal, { profile: 'default', server: 'echo' });
}).listen(socket);
await once(lines, 'listening');

process.once('disconnect', () => {
  child.kill();
  rmSync(socket, { force: true });
  process.exit(0);
});
const bound = http.address();
const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
const address: GatewayAddress = { url: `http://127.0.0.1:${port}`, socket, token: 'token' };
process.send?.(address);
