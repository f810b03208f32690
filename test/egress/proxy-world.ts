/** The explicit proxy in front of a world: one token that is good, one session for it, and clients that speak to it. */
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { CellEgress, CellEgressSpec, ProxyLogin } from '../../src/egress/index.ts';
import { AppError, newId, systemRandom } from '../../src/kernel/index.ts';
import { API, bearer, readAll, World, type WorldOptions } from './world.ts';

/** Of the session; the world's own cell has another. */
export const OUTSIDE_PLACEHOLDER = 'ghp_OUTSIDExJ7kQ2mV9pR4sT6wY8zB1cD3fG5hK';
export const GOOD = 'sally_good';

export interface Head {
  readonly status: number;
  readonly text: string;
}

export interface ConnectOptions {
  /** Null: none. */
  readonly authorization?: string | null;
  /** Lines after the request line and Proxy-Authorization. */
  readonly fields?: string;
  readonly version?: '1.0' | '1.1';
}

export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

export class ProxyWorld {
  readonly world: World;
  readonly share: CellEgress;
  readonly logins: ProxyLogin[] = [];
  /** When set, nobody is admitted. */
  refusal: AppError | null = null;
  readonly #port: number;
  readonly #close: () => void;

  private constructor(world: World, share: CellEgress, port: number, close: () => void) {
    this.world = world;
    this.share = share;
    this.#port = port;
    this.#close = close;
  }

  static async open(
    options: WorldOptions & { readonly session?: Partial<CellEgressSpec> } = {},
  ): Promise<ProxyWorld> {
    const world = await World.open(options);
    const share = await world.egress.openCell({
      ...world.spec,
      credentials: [bearer({ placeholder: OUTSIDE_PLACEHOLDER })],
      ...options.session,
      identity: {
        ...world.spec.identity,
        cell: newId('pxs', systemRandom),
        proxy: { token: 'tok_1', agent: 'cursor' },
      },
    });
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const proxy = new ProxyWorld(world, share, port, () => server.close());
    world.egress.acceptProxied(server, {
      workspace: world.spec.identity.workspace,
      async admit(login) {
        proxy.logins.push(login);
        if (proxy.refusal !== null) throw proxy.refusal;
        if (login.token === GOOD) return share;
        throw new AppError('token_unknown', 'The token is not valid.', { kind: 'unauthenticated' });
      },
    });
    return proxy;
  }

  async close(): Promise<void> {
    await this.world.close();
    this.#close();
  }

  async connect(): Promise<Socket> {
    const socket = connectTcp({ host: '127.0.0.1', port: this.#port });
    socket.on('error', () => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  /** Sends bytes and gives what comes back until the connection ends. */
  async say(text: string): Promise<string> {
    const socket = await this.connect();
    socket.write(text, 'latin1');
    const answer = await readAll(socket);
    socket.destroy();
    return answer;
  }

  /** Asks for a tunnel, and reads the head of the answer; the rest of a refusal is read too. */
  async tunnel(target: string, options: ConnectOptions = {}): Promise<Head & { readonly socket: Socket }> {
    const { authorization = basic('github', GOOD), version = '1.1' } = options;
    const fields = options.fields ?? `Host: ${target}\r\n`;
    const login = authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`;
    const socket = await this.connect();
    socket.write(`CONNECT ${target} HTTP/${version}\r\n${login}${fields}\r\n`, 'latin1');
    const text = await headOf(socket);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
    return { status, text: status === 200 ? text : text + (await readAll(socket)), socket };
  }

  /** A tunnel with TLS in it. */
  async secure(name = API, servername = name, port = 443): Promise<TLSSocket> {
    const { status, text, socket } = await this.tunnel(`${name}:${port}`);
    if (status !== 200) throw new Error(text);
    const secure = connectTls({ socket, servername, ca: this.share.caPem });
    await once(secure, 'secureConnect');
    return secure;
  }
}

/** Everything up to the empty line; nothing after it is taken. */
async function headOf(socket: Socket): Promise<string> {
  let text = '';
  while (!text.endsWith('\r\n\r\n')) {
    const byte = socket.read(1) as Buffer | null;
    if (byte !== null) text += byte.toString('latin1');
    else if (socket.readableEnded || socket.destroyed) return text;
    else await new Promise((resolve) => socket.once('readable', resolve).once('close', resolve));
  }
  return text;
}

export async function inProxyWorld(
  options: Parameters<typeof ProxyWorld.open>[0],
  body: (proxy: ProxyWorld) => Promise<void>,
): Promise<void> {
  const proxy = await ProxyWorld.open(options);
  try {
    await body(proxy);
  } finally {
    await proxy.close();
  }
}
