import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Destination,
  type DialConfig,
  Dialer,
  type Dialled,
} from '../../../src/egress/upstream/dial.ts';
import { isProxied, localNameReason, type ProxyConfig } from '../../../src/egress/upstream/dial-proxy.ts';
import type { Protocol } from '../../../src/egress/upstream/dial-tls.ts';
import { type Clock, fixedClock, limits, Secret, systemClock } from '../../../src/kernel/index.ts';
import { createTestAuthority } from '../test-authority.ts';

const authority = createTestAuthority(['test']);
const API = 'api.test';
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listening(server: Server, onSocket?: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    sockets.push(socket.on('error', () => undefined));
    onSocket?.(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** An upstream that greets, and tells which sessions were resumed. */
async function tlsUpstream(options: TlsOptions = {}): Promise<{ port: number; resumed: boolean[] }> {
  const resumed: boolean[] = [];
  const server = createTlsServer({ ...authority.issue(API), ...options }, (socket: TLSSocket) => {
    socket.on('error', () => undefined);
    resumed.push(socket.isSessionReused());
    socket.write('hello');
  });
  return { port: await listening(server), resumed };
}

function dialer(
  config: Partial<DialConfig> = {},
  addresses = ['127.0.0.1'],
  clock: Clock = systemClock,
): Dialer {
  const whole = { resolve: {}, extraCa: [authority.caPem], allowNetworks: ['127.0.0.0/8'], ...config };
  return new Dialer({ resolve: async () => addresses }, whole, () => [], clock);
}

interface Ask {
  readonly scope?: string;
  readonly protocols?: readonly Protocol[];
  readonly signal?: AbortSignal;
}

async function dial(
  from: Dialer,
  to: Partial<Destination> & { port: number },
  ask: Ask = {},
): Promise<Dialled> {
  const dialled = await from.dial(
    { scheme: 'https', host: API, ...to },
    { scope: 'one', protocols: ['http/1.1'], signal: new AbortController().signal, ...ask },
  );
  closers.push(() => dialled.socket.destroy());
  return dialled;
}

async function greeting({ socket }: Dialled): Promise<string> {
  const heard = once(socket, 'data') as Promise<[Buffer]>;
  if (socket.isPaused()) socket.resume();
  const [bytes] = await heard;
  return bytes.toString();
}

it('leaves no connection open when the authorities cannot be read', async () => {
  const server = createTlsServer(authority.issue(API));
  const ended = Promise.withResolvers<void>();
  const port = await listening(server, (socket) => socket.once('close', () => ended.resolve()));
  const broken = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
  const from = dialer({ extraCa: [broken], crl: ['no list'] });
  await expect(dial(from, { port })).rejects.toMatchObject({
    code: 'egress_upstream_tls',
    facts: { reason: 'authorities_unreadable' },
  });
  await ended.promise;
});

it('trusts the operator and the system, and nobody whom an environment for Node names', async () => {
  const { port } = await tlsUpstream();
  const folder = mkdtempSync(join(tmpdir(), 'dial-test-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ca.pem');
  writeFileSync(file, authority.caPem);
  const child = fileURLToPath(new URL('dial-child.ts', import.meta.url));
  const inProcess = async (env: Record<string, string>, ...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [child, String(port), ...args], { env })).stdout;
  expect(await inProcess({}, file)).toBe('connected');
  expect(await inProcess({ NODE_EXTRA_CA_CERTS: file })).toBe('egress_upstream_tls');
  expect(await inProcess({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toBe('egress_upstream_tls');
});

describe('what is spoken', () => {
  it.each<[readonly Protocol[], readonly string[], Protocol]>([
    [['h2', 'http/1.1'], ['h2', 'http/1.1'], 'h2'],
    [['h2', 'http/1.1'], ['http/1.1'], 'http/1.1'],
    [['http/1.1'], ['h2', 'http/1.1'], 'http/1.1'],
    [['h2', 'http/1.1'], [], 'http/1.1'],
  ])('offering %j to who speaks %j: %s', async (protocols, spoken, agreed) => {
    const upstream = await tlsUpstream(spoken.length === 0 ? {} : { ALPNProtocols: [...spoken] });
    const dialled = await dial(dialer(), upstream, { protocols });
    expect(dialled.protocol).toBe(agreed);
    expect(await greeting(dialled)).toBe('hello');
  });
});

describe('TLS sessions', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'are resumed for the same name in the same scope, for a while (%s)',
    async (version) => {
      const clock = fixedClock(0);
      const from = dialer({}, ['127.0.0.1'], clock);
      const upstream = await tlsUpstream({ minVersion: version, maxVersion: version });
      const again = async (ask: Ask = {}): Promise<boolean | undefined> => {
        await greeting(await dial(from, upstream, ask));
        return upstream.resumed.at(-1);
      };
      expect(await again()).toBe(false);
      expect(await again({ scope: 'two' })).toBe(false);
      expect(await again()).toBe(true);
      clock.advance(limits.upstreamTlsSessionMs - 1);
      expect(await again()).toBe(true);
      clock.advance(1); // resuming has not made it any younger
      expect(await again()).toBe(false);
      expect(await again()).toBe(true);
    },
  );

  it('are not resumed where one is not good any more, which costs a handshake and no failure', async () => {
    const from = dialer();
    const first = await tlsUpstream();
    await greeting(await dial(from, first));
    const other = await tlsUpstream(); // has other ticket keys
    const redirected = dialer({ resolve: { [`${API}:${first.port}`]: `127.0.0.1:${other.port}` } });
    await greeting(await dial(redirected, first));
    expect(other.resumed).toEqual([false]);
  });
});

describe('giving up', () => {
  it('ends a handshake that nobody waits for, and leaves no connection', async () => {
    const closed = Promise.withResolvers<void>();
    const stop = new AbortController();
    const port = await listening(createServer(), (socket) => {
      socket.on('close', () => closed.resolve());
      socket.once('data', () => stop.abort()); // its hello
    });
    await expect(dial(dialer(), { port }, { signal: stop.signal })).rejects.toMatchObject({
      name: 'Refusal',
      facts: { reason: 'ABORT_ERR' },
    });
    await closed.promise;
  });
});

interface Proxy {
  readonly config: ProxyConfig;
  /** Heads of what it was asked. */
  readonly heads: string[];
}

/** A proxy that connects to where it is told, with `name.test` meaning this machine. */
async function proxy(over: Partial<ProxyConfig> = {}, answer?: string): Promise<Proxy> {
  const heads: string[] = [];
  const port = await listening(createServer(), (socket) => {
    let head = '';
    const onData = (bytes: Buffer): void => {
      head += bytes.toString('latin1');
      if (!head.endsWith('\r\n\r\n')) return;
      socket.off('data', onData);
      heads.push(head);
      const [, host = '', target = ''] = /^CONNECT (\S+):(\d+) /.exec(head) ?? [];
      if (answer !== undefined) return void socket.write(answer);
      const upstream = connect(Number(target), host.endsWith('.test') ? '127.0.0.1' : host);
      upstream.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'));
      upstream.once('connect', () => {
        socket.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 corp\r\n\r\n');
        socket.pipe(upstream).pipe(socket);
      });
      socket.on('close', () => upstream.destroy());
    };
    socket.on('data', onData);
  });
  const config = { host: '127.0.0.1', port, credentials: null, resolves: false, except: [], ...over };
  return { config, heads };
}

describe("through the company's proxy", () => {
  it('TLS ends at the upstream, at the address that was checked', async () => {
    const [upstream, through] = [await tlsUpstream(), await proxy()];
    const dialled = await dial(dialer({ proxy: through.config }), upstream);
    expect(await greeting(dialled)).toBe('hello');
    expect(through.heads).toEqual([
      `CONNECT 127.0.0.1:${upstream.port} HTTP/1.1\r\nHost: 127.0.0.1:${upstream.port}\r\n\r\n`,
    ]);
  });

  it('http takes the same way, and nothing that was said is lost', async () => {
    const through = await proxy();
    let speak = (): void => undefined;
    const port = await listening(createServer(), (socket) => {
      speak = () => void socket.write('plain hello');
    });
    const dialled = await dial(dialer({ proxy: through.config }), { port, scheme: 'http' });
    speak();
    await new Promise((resolve) => setTimeout(resolve, 20)); // it has said so before anybody listens
    expect(await greeting(dialled)).toBe('plain hello');
  });

  it('is told who asks', async () => {
    const upstream = await tlsUpstream();
    const through = await proxy({ credentials: Secret.fromString('user:pass') });
    await dial(dialer({ proxy: through.config }), upstream);
    expect(through.heads[0]).toContain('\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n');
  });

  it('another address is tried where it cannot reach the first', async () => {
    const [upstream, through] = [await tlsUpstream(), await proxy()];
    const from = dialer({ proxy: through.config }, ['127.0.0.99', '127.0.0.1']);
    expect(await greeting(await dial(from, upstream))).toBe('hello');
    expect(through.heads.map((head) => head.split(' ')[1])).toEqual([
      `127.0.0.99:${upstream.port}`,
      `127.0.0.1:${upstream.port}`,
    ]);
  });

  it.each([
    [
      'refuses who asks',
      'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n',
      'proxy_407',
    ],
    ['says what is no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', 'proxy_malformed'],
    ['says more than it was asked', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', 'proxy_malformed'],
    ['switches protocols', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', 'proxy_101'],
  ])('fails with a reason where it %s', async (_name, answer, reason) => {
    const [upstream, through] = [await tlsUpstream(), await proxy({}, answer)];
    await expect(dial(dialer({ proxy: through.config }), upstream)).rejects.toMatchObject({
      code: 'egress_upstream_unreachable',
      facts: { host: API, port: upstream.port, reason },
    });
  });

  it('fails with a reason where there is none', async () => {
    const through = await proxy();
    for (const close of closers.splice(0)) close();
    await expect(dial(dialer({ proxy: through.config }), { port: 443 })).rejects.toMatchObject({
      code: 'egress_upstream_unreachable',
      facts: { reason: 'proxy_ECONNREFUSED' },
    });
  });

  it('special addresses stay out of reach', async () => {
    const through = await proxy();
    const from = dialer({ proxy: through.config, allowNetworks: [] }, ['169.254.169.254']);
    await expect(dial(from, { port: 443 })).rejects.toMatchObject({
      code: 'egress_upstream_address_refused',
      facts: { reason: 'metadata' },
    });
    expect(through.heads).toEqual([]);
  });

  it('exceptions and overrides are dialled directly', async () => {
    const upstream = await tlsUpstream();
    const through = await proxy({ except: [API] });
    expect(await greeting(await dial(dialer({ proxy: through.config }), upstream))).toBe('hello');
    const { config } = await proxy();
    const resolve = { [`${API}:443`]: `127.0.0.1:${upstream.port}` };
    expect(await greeting(await dial(dialer({ proxy: config, resolve }), { port: 443 }))).toBe('hello');
    expect(through.heads).toEqual([]);
    const cases = ['a.corp.test', 'corp.test', 'xcorp.test'];
    expect(cases.map((host) => isProxied({ ...config, except: ['*.corp.test'] }, host))).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe('names that are left to the proxy', () => {
  it('are given to it as they are, and nobody here is asked', async () => {
    const upstream = await tlsUpstream();
    const through = await proxy({ resolves: true });
    const silent = new Dialer(
      { resolve: () => Promise.reject(new Error('asked')) },
      { resolve: {}, extraCa: [authority.caPem], allowNetworks: [], proxy: through.config },
    );
    expect(await greeting(await dial(silent, upstream))).toBe('hello');
    expect(through.heads[0]).toContain(`CONNECT ${API}:${upstream.port} HTTP/1.1\r\n`);
  });

  it.each([
    ['localhost', 'single_label'],
    ['metadata', 'single_label'],
    ['metadata.google.internal', 'local_name'],
    ['printer.local', 'local_name'],
    ['169.254.169.254', 'metadata'],
    ['::1', 'loopback'],
    ['10.0.0.1', 'private'],
  ])('do not include %s: %s', async (host, reason) => {
    const through = await proxy({ resolves: true });
    await expect(dial(dialer({ proxy: through.config }), { host, port: 443 })).rejects.toMatchObject({
      code: 'egress_upstream_address_refused',
      facts: { host, reason },
    });
    expect(through.heads).toEqual([]);
  });

  it('include whatever else there is', () => {
    expect(['api.test', 'internal.example', 'a.local.example'].map(localNameReason)).toEqual([
      null,
      null,
      null,
    ]);
  });
});
