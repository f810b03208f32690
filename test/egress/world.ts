/**
 * A cell without a sandbox: the egress with real sockets on loopback, an upstream that tests write, an audit log
 * in memory, and clients that connect where the cell's resolver sends them. The synthetic range is a loopback
 * one, because there is no network namespace here in which the real one would be local.
 */
import { NO_RULES, type Rules } from '../../src/policy/index.ts';
import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { Resolver as DnsResolver } from 'node:dns/promises';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { prepareEvent } from '../../src/audit/canonical.ts';
import type { AuditEvent } from '../../src/audit/index.ts';
import { createEgressWith, type Egress } from '../../src/egress/egress.ts';
import type {
  CallCorrelation,
  CallRef,
  CellCalls,
  CellEgress,
  CellEgressSpec,
  CredentialBinding,
  CredentialSource,
  EgressRule,
  ProxyConfig,
  RequestLimits,
  Resolver,
} from '../../src/egress/index.ts';
import {
  AppError,
  type Clock,
  type Log,
  newId,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
} from '../../src/kernel/index.ts';
import { createTestAuthority, type Identity, type TestAuthority } from './test-authority.ts';

export const API = 'api.test';
export const TOKEN = 'ghp_9fR2kLmQ8sT4vW6xY0zA1bC3dE5gH7jK2mN4';
export const PLACEHOLDER = 'ghp_PLACEHOLDERxJ7kQ2mV9pR4sT6wY8zB1cD3f';

export const bearer = (over: Partial<CredentialBinding> = {}): CredentialBinding => ({
  name: 'TOKEN',
  placeholder: PLACEHOLDER,
  hosts: [API],
  inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
  ...over,
});
export const apiRule = (over: Partial<EgressRule> = {}): EgressRule => ({
  host: API,
  port: 443,
  protocol: 'https',
  ...over,
});

export interface WorldOptions {
  readonly rules?: readonly EgressRule[];
  readonly credentials?: readonly CredentialBinding[];
  /** Values by credential name; what is missing here is missing in the vault. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** `host:port` → an upstream of this test. */
  readonly upstreams?: Readonly<Record<string, Upstream>>;
  /** Addresses that a name resolves to outside; names that are not here do not exist. */
  readonly resolutions?: Readonly<Record<string, readonly string[]>>;
  /** In place of those resolutions. */
  readonly resolver?: Resolver;
  readonly allowNetworks?: readonly string[];
  readonly extraCa?: readonly string[];
  readonly crl?: readonly string[];
  readonly proxy?: ProxyConfig;
  readonly addresses?: 'synthetic' | 'real';
  readonly clock?: Clock;
  /** Calls that are in flight all the time, or what to ask. */
  readonly calls?: readonly CallRef[] | CallCorrelation;
  /** The owner's; absent: none. */
  readonly ownerRules?: Rules | ((profiles: readonly string[]) => Rules);
  /** Counts nothing unless given. */
  readonly ownerLimits?: RequestLimits;
  readonly tools?: CellEgressSpec['tools'];
  /** Credentials that the source forgets to name among the known ones. */
  readonly unknown?: readonly string[];
  /** Default: nobody reads it. */
  readonly log?: Log;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly trailers: IncomingMessage['trailers'];
  readonly body: Buffer;
}

export interface RequestOptions {
  readonly host?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

const authority = createTestAuthority(['test']);
export const testAuthority: TestAuthority = authority;

export interface Upstream {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Connections that it has accepted. */
  readonly connections: Socket[];
  close(): Promise<void>;
}

async function listening(server: Server, address = '127.0.0.1'): Promise<number> {
  server.listen(0, address);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function upstreamOf(server: Server): Promise<Upstream> {
  const connections: Socket[] = [];
  server.on('connection', (socket: Socket) => connections.push(socket));
  const port = await listening(server);
  return {
    address: `127.0.0.1:${port}`,
    connections,
    async close() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An upstream on Node's own HTTP server. */
type Handler = (...exchange: Parameters<RequestListener>) => unknown;
export const httpsUpstream = (handler: Handler, name = API): Promise<Upstream> =>
  upstreamOf(
    createHttpsServer(authority.issue(name), (request, response) => void handler(request, response)),
  );
export const httpUpstream = (listener: RequestListener): Promise<Upstream> =>
  upstreamOf(createHttpServer({ keepAliveTimeout: 60_000 }, listener));
/** An upstream that gets a socket after TLS and does what it likes. */
export const rawUpstream = (
  onSocket: (socket: TLSSocket) => void,
  identity: Identity = authority.issue(API),
): Promise<Upstream> =>
  upstreamOf(
    createTlsServer(identity, (socket) => {
      socket.on('error', () => socket.destroy());
      onSocket(socket);
    }),
  );

/** An upstream that accepts connections and says nothing. */
export const silentUpstream = (): Promise<Upstream> => upstreamOf(createServer((socket) => socket.resume()));

/** A call of somebody, of a tool that may write. */
export const call = (over: Partial<CallRef> = {}): CallRef => ({
  id: 'call_1',
  tool: 'update_issue',
  readOnly: false,
  actor: 'tok_1',
  token: 'tok_1',
  user: null,
  agent: 'cursor',
  ...over,
});

/** A cell's calls, as the front would tell them. */
export const cellCalls = (inFlight: readonly CallRef[], over: Partial<CellCalls> = {}): CellCalls => ({
  inFlight,
  count: inFlight.length,
  running: inFlight,
  callers: inFlight,
  profiles: [],
  begun: inFlight.length > 0,
  last: null,
  ended: [],
  endedCallers: [],
  ...over,
});

function correlationOf(calls: NonNullable<WorldOptions['calls']>): CallCorrelation {
  if ('callsIn' in calls) return calls;
  const same = cellCalls(calls);
  return { callsIn: () => same };
}

export class World {
  readonly events: AuditEvent[] = [];
  readonly uses: { credential: string; path: string }[] = [];
  readonly egress: Egress;
  readonly spec: CellEgressSpec;
  /** Values as the vault has them now. */
  readonly secrets: Map<string, string>;
  /** When set, the audit log is out of order. */
  auditFailure: AppError | null = null;
  /** Events that were handed to the audit log, recorded or not. */
  appends = 0;
  /** How long the audit log takes. */
  auditDelayMs = 0;
  /** When set, no credential is given out. */
  useFailure: AppError | null = null;
  /** What a credential is opened behind. */
  beforeUse: (() => Promise<void>) | null = null;
  cell!: CellEgress;
  readonly #listeners = new Map<string, { server: Server; port: number }>();
  readonly #dns = createSocket('udp4');
  #dnsPort = 0;
  readonly #owned: Upstream[];

  private constructor(options: WorldOptions) {
    const workspace = newId<'workspace'>('wsp', systemRandom);
    this.secrets = new Map(Object.entries(options.secrets ?? { TOKEN }));
    this.#owned = Object.values(options.upstreams ?? {});
    this.spec = {
      identity: {
        cell: newId('cel', systemRandom),
        workspace,
        server: 'github',
        profile: 'default',
        owner: null,
      },
      rules: options.rules ?? [apiRule()],
      credentials: options.credentials ?? [bearer()],
      ...(options.tools === undefined ? {} : { tools: options.tools }),
      addresses: options.addresses ?? 'synthetic',
    };
    const credentials: CredentialSource = {
      use: async (cell, credential, request) => {
        await this.beforeUse?.();
        if (this.useFailure !== null) throw this.useFailure;
        await this.#record({
          workspace,
          type: 'credential.used',
          actor: { kind: 'cell', id: cell.cell },
          data: { credential, request: request.requestId, for: request.data },
        });
        const value = this.secrets.get(credential);
        if (value === undefined) {
          throw new AppError('vault_credential_missing', `${credential} is not set.`, {
            kind: 'not_found',
            hint: `sallyport secret set ${cell.server} ${credential}`,
          });
        }
        this.uses.push({ credential, path: request.path });
        return Secret.fromString(value);
      },
      known: async () =>
        Array.from(this.secrets, ([name, value]) => ({ name, value: Secret.fromString(value) })).filter(
          ({ name }) => options.unknown?.includes(name) !== true,
        ),
    };
    this.egress = createEgressWith(
      {
        credentials,
        calls: correlationOf(options.calls ?? []),
        rules: {
          current: (_cell, profiles) => {
            const { ownerRules } = options;
            return typeof ownerRules === 'function' ? ownerRules(profiles) : (ownerRules ?? NO_RULES);
          },
        },
        limits: options.ownerLimits ?? { count: async () => null },
        audit: { record: (event) => this.#record(event), note: (event) => this.#record(event) },
        resolver: options.resolver ?? {
          resolve: async (host) => {
            const found = options.resolutions?.[host];
            if (found === undefined)
              throw new AppError('egress_name_unresolved', 'no such name', { kind: 'unavailable' });
            return found;
          },
        },
        clock: options.clock ?? systemClock,
        random: systemRandom,
        log: options.log ?? silentLog,
        config: {
          resolve: Object.fromEntries(
            Object.entries(options.upstreams ?? {}).map(([place, { address }]) => [place, address]),
          ),
          extraCa: options.extraCa ?? [authority.caPem],
          allowNetworks: options.allowNetworks ?? ['127.0.0.0/8'],
          crl: options.crl ?? [],
          proxy: options.proxy ?? null,
        },
      },
      { ipv4Base: 0x7f4d_0000 },
    );
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    world.cell = await world.egress.openCell(world.spec);
    world.#dns.bind(0, '127.0.0.1');
    await once(world.#dns, 'listening');
    world.#dnsPort = world.#dns.address().port;
    world.cell.acceptDnsUdp(world.#dns);
    return world;
  }

  async #record(event: AuditEvent): Promise<void> {
    this.appends += 1;
    if (this.auditFailure !== null) throw this.auditFailure;
    prepareEvent(event, 0); // what the audit log would not take is not recorded here either
    if (this.auditDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.auditDelayMs));
    this.events.push(event);
  }

  /** Resolver of the cell. */
  get resolver(): DnsResolver {
    const resolver = new DnsResolver({ timeout: 2_000, tries: 1 });
    resolver.setServers([`127.0.0.1:${this.#dnsPort}`]);
    return resolver;
  }

  /** Where a connection to `address:port` inside the cell arrives. */
  async listenerAt(address: string, port: number): Promise<{ host: string; port: number }> {
    const key = `${address}:${port}`;
    let listener = this.#listeners.get(key);
    if (listener === undefined) {
      const server = createServer({ pauseOnConnect: true });
      this.cell.acceptTcp(port, server);
      listener = { server, port: await listening(server, address) };
      this.#listeners.set(key, listener);
    }
    return { host: address, port: listener.port };
  }

  /** The same for a name, as the cell's resolver gives it. */
  async placeOf(name: string, port: number): Promise<{ host: string; port: number }> {
    const [address] = await this.resolver.resolve4(name);
    if (address === undefined) throw new Error(`${name} does not resolve`);
    return this.listenerAt(address, port);
  }

  async connectTcp(name = API, port = 80): Promise<Socket> {
    const socket = connectTcp(await this.placeOf(name, port));
    await once(socket, 'connect');
    return socket;
  }

  async connectTls(name = API, port = 443, servername = name): Promise<TLSSocket> {
    const socket = connectTls({ ...(await this.placeOf(name, port)), servername, ca: this.cell.caPem });
    await once(socket, 'secureConnect');
    return socket;
  }

  /** One request over TLS with Node's own client. */
  async request(options: RequestOptions = {}): Promise<Reply> {
    const host = options.host ?? API;
    const place = await this.placeOf(host, 443);
    const request = httpsRequest({
      ...place,
      servername: host,
      ca: this.cell.caPem,
      agent: false,
      method: options.method ?? 'GET',
      path: options.path ?? '/',
      headers: { Host: host, ...options.headers },
    });
    request.end(options.body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece as Buffer);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      trailers: response.trailers,
      body: Buffer.concat(pieces),
    };
  }

  /** Sends bytes over TLS and gives what comes back until the connection ends. */
  async exchange(text: string, name = API): Promise<string> {
    const socket = await this.connectTls(name);
    socket.end(text, 'latin1');
    return readAll(socket);
  }

  /** Events of a type; waits until there is one. */
  async eventsOf(type: AuditEvent['type'], atLeast = 1): Promise<AuditEvent[]> {
    for (;;) {
      const found = this.events.filter((event) => event.type === type);
      if (found.length >= atLeast) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async close(): Promise<void> {
    await this.egress.close();
    this.#dns.close();
    for (const { server } of this.#listeners.values()) server.close();
    for (const upstream of this.#owned) await upstream.close();
  }
}

export async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1');
  try {
    for await (const piece of socket) text += String(piece);
  } catch {
    /* A reset after the answer ends it as well. */
  }
  return text;
}

/**
 * Lets what was sent within this process arrive. Each of its turns looks at the sockets, so a busy machine takes longer
 * but skips nothing, as it would where so many milliseconds were waited for.
 */
export async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Opens a world, gives it to `body`, and closes it whatever happens. */
export async function inWorld(options: WorldOptions, body: (world: World) => Promise<void>): Promise<void> {
  const world = await World.open(options);
  try {
    await body(world);
  } finally {
    await world.close();
  }
}

/** The error of a refusal. */
export function errorOf(reply: Reply | string): { code: string; message: string; hint: string } {
  const text = typeof reply === 'string' ? reply.slice(reply.indexOf('\r\n\r\n') + 4) : reply.body.toString();
  return (JSON.parse(text) as { error: { code: string; message: string; hint: string } }).error;
}
