/** Deliveries over the real data plane, from a real log, to receivers on this machine that are told what to do. */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createEgress, type Egress, type EgressConfig, NO_CALLS } from '../../src/egress/index.ts';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createHttpWay, type HttpWay } from '../../src/main/delivery/http-way.ts';
import { type SecretSource, secretSource } from '../../src/main/delivery/secret-source.ts';
import { combineRules } from '../../src/policy/index.ts';
import { makeProductHome, type ProductHome } from '../attacks/product-home.ts';
import { createTestAuthority } from '../egress/test-authority.ts';

export const HOST = 'collector.example';

interface Received {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface DeliveryWorld {
  readonly home: ProductHome;
  readonly egress: Egress;
  readonly way: HttpWay;
  readonly received: Received[];
  /** How the collector answers. */
  answer: (request: Received, response: ServerResponse) => void;
  /** The collector without TLS, at its address. */
  readonly plainUrl: string;
  secretFile(name: string, text: string, mode?: number): string;
  /** Everything that is in the audit log, as text. */
  logged(): Promise<string>;
  close(): Promise<void>;
}

/** Secrets in files alone. */
export const fileSecrets = (home: string): SecretSource =>
  secretSource({
    home,
    open: () => Promise.reject(new Error('nothing is in the vault')),
    clock: systemClock,
  });

export const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const listening = (server: Server): Promise<Server> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));

/** @param over of the data plane's settings; by default loopback may be dialled */
export async function makeDeliveryWorld(over: Partial<EgressConfig> = {}): Promise<DeliveryWorld> {
  const home = await makeProductHome();
  const authority = createTestAuthority([HOST]);
  const received: Received[] = [];
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = { url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
      received.push(one);
      world.answer(one, response);
    });
  };
  const [tlsServer, plainServer] = [
    createHttpsServer(authority.issue(HOST), handler),
    createHttpServer(handler),
  ];
  const [tls, plain] = [await listening(tlsServer), await listening(plainServer)];
  const way = createHttpWay({
    workspace: home.workspace,
    egress: () => egress,
    audit: home.audit,
    random: systemRandom,
  });
  const rules = combineRules([]);
  const egress = createEgress({
    credentials: way.credentials({
      use: () => Promise.reject(new Error('no cell here')),
      known: async () => [],
    }),
    calls: { callsIn: () => NO_CALLS },
    rules: { current: () => rules },
    limits: { count: async () => null },
    audit: home.audit,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    config: {
      resolve: { [`${HOST}:443`]: `127.0.0.1:${portOf(tls)}` },
      extraCa: [authority.caPem],
      allowNetworks: ['127.0.0.0/8'],
      ...over,
    },
  });
  const world: DeliveryWorld = {
    home,
    egress,
    way,
    received,
    answer: (_request, response) => response.end(),
    plainUrl: `http://127.0.0.1:${portOf(plain)}`,
    secretFile(name, text, mode = 0o600) {
      writeFileSync(join(home.directory, name), text, { mode });
      return name;
    },
    async logged() {
      const lines: string[] = [];
      for await (const event of home.audit.export(home.workspace)) lines.push(JSON.stringify(event));
      return lines.join('\n');
    },
    async close() {
      await egress.close();
      for (const server of [tls, plain]) server.close();
      for (const one of [tlsServer, plainServer]) one.closeAllConnections();
      await home.dispose();
    },
  };
  return world;
}

/** A receiver of connections. @param take what it does with each */
export async function tcpReceiver(take: (socket: Socket) => void): Promise<Server> {
  return listening(
    createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      take(socket);
    }),
  );
}
