/**
 * A gateway in a process of its own with one HTTP API as tools, or one remote MCP server, for a benchmark. The argument is where the API is and who
 * signed its certificate, as JSON. Tells its parent where it listens, and ends when the parent lets go of it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '../../src/api/index.ts';
import { silentLog } from '../../src/kernel/index.ts';
import { createGateway, initHome, loadConfig, openTcpDoor } from '../../src/main/index.ts';

export interface ApiPlace {
  readonly host: string;
  readonly port: number;
  readonly caPem: string;
  /** Whether it is an MCP server, at `/mcp` and without a key. */
  readonly isMcp: boolean;
}

const { host, port, caPem, isMcp } = JSON.parse(process.argv[2] ?? '{}') as ApiPlace;
const manifest = {
  schemaVersion: 2,
  name: 'echo',
  version: '1.0.0',
  server: { kind: 'remote', url: `https://${host}/mcp` },
  egress: [{ host }],
  tools: { default: ['echo'] },
};
const document = {
  openapi: '3.1.0',
  info: { title: 'echo', version: '1.0.0' },
  servers: [{ url: `https://${host}` }],
  components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
  security: [{ key: [] }],
  paths: { '/echo': { get: { operationId: 'echo', parameters: [{ name: 'text', in: 'query' }] } } },
};

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const home = join(folder, 'home');
mkdirSync(home, { mode: 0o700 });
writeFileSync(join(folder, 'ca.pem'), caPem);
const settings = {
  listen: '127.0.0.1:0',
  egress: {
    resolve: { [`${host}:443`]: `127.0.0.1:${port}` },
    extraCa: [join(folder, 'ca.pem')],
    allowNetworks: ['127.0.0.0/8'],
  },
};
writeFileSync(join(home, 'sallyport.yaml'), JSON.stringify(settings), { mode: 0o600 });
const config = loadConfig({ ...process.env, SALLYPORT_HOME: home });
await initHome(config);
const gateway = await createGateway(config, silentLog, { auditWriter: 'journal' });
const tcp = await openTcpDoor(gateway, config.listen);
const operator = createClient(async (request) => gateway.api.fetch(request));
await operator.addServer(
  { source: 'echo.json', manifest: JSON.stringify(isMcp ? manifest : document) },
  () => undefined,
);
if (!isMcp) await operator.setSecret('echo', 'KEY', 'sk_bench_0123456789abcdef0123456789');
const { token } = await operator.createToken({ profile: 'default', agent: 'bench' });

process.once('disconnect', () => {
  void tcp
    .close()
    .then(() => gateway.close())
    .finally(() => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(0);
    });
});
process.send?.({ url: tcp.address, token });
