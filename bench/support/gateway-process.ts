/**
 * A gateway in a process of its own: a temporary home, the echo server in a real cell, a token. Tells its parent
 * where it listens, and ends when the parent lets go of it.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '../../src/api/index.ts';
import { silentLog } from '../../src/kernel/index.ts';
import { createGateway, initHome, loadConfig, openLocalDoor, openTcpDoor } from '../../src/main/index.ts';

/** What the parent is told. */
export interface GatewayAddress {
  readonly url: string;
  readonly socket: string;
  readonly token: string;
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const home = join(folder, 'home');
const scripts = join(folder, 'scripts');
mkdirSync(home, { mode: 0o700 });
mkdirSync(scripts);
cpSync(new URL('echo-server.mjs', import.meta.url), join(scripts, 'echo-server.mjs'));
writeFileSync(join(home, 'sallyport.yaml'), 'listen: 127.0.0.1:0\n', { mode: 0o600 });

const config = loadConfig({ ...process.env, SALLYPORT_HOME: home });
await initHome(config);
const gateway = await createGateway(config, silentLog, { auditWriter: 'journal' });
const socket = join(home, 'sallyport.sock');
const local = await openLocalDoor(gateway, socket);
const tcp = await openTcpDoor(gateway, config.listen);

const operator = createClient(async (request) => gateway.api.fetch(request));
const manifest = {
  schemaVersion: 2,
  name: 'echo',
  version: '1.0.0',
  server: {
    kind: 'sandboxed',
    command: ['node', '/bench/echo-server.mjs'],
    files: [{ host: scripts, cell: '/bench', write: false }],
  },
  egress: [],
  credentials: [],
  tools: { default: ['echo'] },
};
await operator.addServer({ source: 'echo.json', manifest: JSON.stringify(manifest) }, () => undefined);
const { token } = await operator.createToken({ profile: 'default', agent: 'bench' });

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
