/**
 * The front alone in a process of its own: no cell, no database, no audit log on disk. What the rest of the gateway
 * costs is the difference to `gateway-process.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createLineServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CellId, WorkspaceId } from '../../src/kernel/index.ts';
import type { Principal, UpstreamTransport } from '../../src/mcp/index.ts';
import { bareFront } from './bare-front.ts';
import { nameOf } from './fleet.ts';
import type { GatewayAddress } from './gateway-process.ts';

/** As many servers as the argument says, `echo0` and so on; without it one, `echo`. */
const count = process.argv[2] === undefined ? null : Number(process.argv[2]);
const names = count === null ? ['echo'] : Array.from({ length: count }, (_, index) => nameOf(index));

const children: ChildProcess[] = [];
process.once('exit', () => {
  for (const child of children) child.kill();
});

function start(name: string): UpstreamTransport {
  const child = spawn(process.execPath, [fileURLToPath(new URL('echo-server.mjs', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  return {
    kind: 'lines',
    cell: `cell_${name}` as CellId,
    input: child.stdin,
    output: child.stdout,
    stderrTail: () => '',
    exited: once(child, 'close').then(() => ({ code: 0, signal: null, reason: 'ended' })),
    async close() {
      child.kill();
    },
  };
}
const transports = new Map(names.map((name) => [name, start(name)]));
const principal: Principal = {
  workspace: 'ws_bench' as WorkspaceId,
  actor: { kind: 'token', id: 'tok_bench' },
  profile: 'default',
  agent: 'bench',
};
const profile = {
  tokenInUrl: false,
  search: false,
  name: 'default',
  servers: names.map((slug) => ({
    slug,
    title: null,
    tools: null,
    defaultTools: ['echo'],
    callSeconds: null,
  })),
};
const front = bareFront(
  {
    onProfile: () => () => undefined,
    profile: async () => profile,
    async open(_principal, _profile, slug) {
      const transport = transports.get(slug);
      if (transport === undefined) throw new Error(`there is no server ${slug}`);
      return transport;
    },
  },
  principal,
);

const http = createHttpServer((req, res) => void front.handleHttp(req, res));
front.takePosts(http);
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const socket = join(tmpdir(), `sallyport-bench-${process.pid}.sock`);
const lines = createLineServer((connection) => {
  front.connectStdio(connection, principal, { profile: 'default', server: 'echo' });
}).listen(socket);
await once(lines, 'listening');

process.once('disconnect', () => {
  rmSync(socket, { force: true });
  process.exit(0);
});
const bound = http.address();
const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
const address: GatewayAddress = { url: `http://127.0.0.1:${port}`, socket, token: 'token' };
process.send?.(address);
