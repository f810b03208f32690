/**
 * The egress in a process of its own, with everything that it has in the product: the vault and the audit log on a
 * SQLite file, injection, scrubbing. Only the cell is missing: its listener is on loopback. Tells its parent where it
 * listens, and when asked how many events were recorded.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEgressWith } from '../../src/egress/egress.ts';
import { newId, Secret, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { initHome, loadConfig } from '../../src/main/index.ts';
import { openServices } from '../../src/main/services.ts';

/** What the parent hands in. */
export interface EgressSetup {
  readonly host: string;
  /** `address:port` of the upstream. */
  readonly upstream: string;
  readonly ca: string;
  readonly key: string;
  readonly placeholder: string;
}

/** What it is told. */
export interface EgressAddress {
  readonly address: string;
  readonly port: number;
  readonly ca: string;
}

const [setup] = (await once(process, 'message')) as [EgressSetup];
const home = join(mkdtempSync(join(tmpdir(), 'sallyport-bench-')), 'home');
mkdirSync(home, { mode: 0o700 });
const config = loadConfig({ ...process.env, SALLYPORT_HOME: home });
await initHome(config);
const services = await openServices(config, silentLog);
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
const gateway = { workspace, actor: { kind: 'local' as const, id: '0' } };
await vault.put(gateway, ref, Secret.fromString(setup.key));

const identity = {
  cell: newId<'cell'>('cel', systemRandom),
  workspace,
  server: server.slug,
  profile: 'default',
  owner: null,
};
const caller = { workspace, actor: { kind: 'cell' as const, id: identity.cell } };
const egress = createEgressWith(
  {
    credentials: {
      use: (_cell, _name, { requestId, scheme, host, port, method, path }) =>
        vault.use(caller, ref, {
          kind: 'inject',
          data: { request: requestId, scheme, host, port, method, path },
        }),
      known: async () => [
        { name: 'TOKEN', value: await vault.use(caller, ref, { kind: 'scrub', data: {} }) },
      ],
    },
    calls: { inFlight: () => [{ id: 'call-1', tool: 'search', actor: 'token:bench' }] },
    audit,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    config: {
      resolve: { [`${setup.host}:443`]: setup.upstream },
      extraCa: [setup.ca],
      allowNetworks: ['127.0.0.0/8'],
    },
  },
  { ipv4Base: 0x7f4d_0000 },
);
const cell = await egress.openCell({
  identity,
  rules: [{ host: setup.host, port: 443, protocol: 'https', methods: ['GET'], paths: ['/v1'] }],
  credentials: [
    {
      name: 'TOKEN',
      placeholder: setup.placeholder,
      hosts: [setup.host],
      inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
    },
  ],
  addresses: 'synthetic',
});
const listener = createServer({ pauseOnConnect: true });
cell.acceptTcp(443, listener);
listener.listen(0, '127.77.0.1'); // the first synthetic address
await once(listener, 'listening');
const { address, port } = listener.address() as AddressInfo;
process.send?.({ address, port, ca: cell.caPem } satisfies EgressAddress);

process.on('message', () => {
  void (async () => {
    const head = await store.audit.head(workspace);
    process.send?.(head?.sequence ?? 0);
  })();
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
