/**
 * The doors of a running gateway. TCP: MCP clients with a token, and health. The proxy, where it is wanted: programs outside
 * of cells, with a token. The local socket (mode 0600, in a
 * 0700 folder): the operator's API, and stdio clients. Whoever can open the socket is the operator.
 */
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { AppError, limits, systemClock, toWire } from '../kernel/index.ts';
import { EXPOSITION_TYPE } from '../usage/index.ts';
import { answerApprovalPage, isApprovalPage } from './approvals/approval-page.ts';
import type { Gateway } from './gateway.ts';

export interface Door {
  /** `http://HOST:PORT` or the socket's path. */
  readonly address: string;
  /** Takes no more connections and cuts those that are open. */
  close(): Promise<void>;
}

const pathOf = (req: IncomingMessage): string => (req.url ?? '/').split('?', 1)[0] ?? '/';

function answer(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' });
  res.end(JSON.stringify(body));
}

const METRICS = '/metrics';

const NOTHING_HERE = {
  error: {
    code: 'route_unknown',
    message: 'There is nothing here.',
    hint: 'MCP clients connect to /mcp/<profile>.',
  },
};

/** Reads what is small and comes soon, and nothing else. */
async function takeAnswer(
  gateway: Gateway,
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
): Promise<void> {
  const timer = setTimeout(() => req.destroy(), limits.approvalAnswerReadMs);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of req as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limits.approvalAnswerBytesMax) break;
      chunks.push(chunk);
    }
  } catch {
    return; // It went away.
  } finally {
    clearTimeout(timer);
  }
  if (bytes > limits.approvalAnswerBytesMax) {
    const error = { code: 'approval_answer_malformed', message: 'This is too long to be an answer.' };
    return answer(res, 413, { error });
  }
  const { status, body } = await gateway.answers.take(path, req.headers, Buffer.concat(chunks));
  if (body !== null) return answer(res, status, body);
  res.writeHead(status);
  res.end();
}

/** @throws AppError `listen_failed` */
export async function openTcpDoor(gateway: Gateway, listen: { host: string; port: number }): Promise<Door> {
  const server = newServer((req, res) => {
    const path = pathOf(req);
    if (path === '/healthz') return answer(res, 200, { status: 'ok', version: gateway.version });
    if (path === '/readyz') {
      return void gateway.ready().then(
        () => answer(res, 200, { status: 'ready' }),
        () => answer(res, 503, { status: 'not ready' }),
      );
    }
    if (req.method === 'POST' && gateway.answers.isOpen(path))
      return void takeAnswer(gateway, req, res, path);
    if (isApprovalPage(path)) return answerApprovalPage(req, res, path);
    if (path === '/mcp' || path.startsWith('/mcp/') || path.startsWith('/.well-known/'))
      return void gateway.front.handleHttp(req, res);
    answer(res, 404, NOTHING_HERE);
  });
  gateway.front.takePosts(server);
  await listening(server, () => server.listen(listen.port, listen.host), `${listen.host}:${listen.port}`);
  const { address, family, port } = server.address() as AddressInfo;
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () => closing(server),
  };
}

/** For who watches the gateway, on this machine: see `docs/metrics.md`. @throws AppError `listen_failed` */
export async function openMetricsDoor(
  gateway: Gateway,
  listen: { host: string; port: number },
): Promise<Door> {
  const recent = kept(() => gateway.metrics(), limits.metricsKeptMs);
  const server = newServer((req, res) => {
    // A page in a browser of this machine can send a request here under a name of its own, and read the answer.
    if (!isLoopbackName(req.headers.host)) return answer(res, 403, UNKNOWN_HOST);
    void answerMetrics(recent, req, res);
  });
  await listening(server, () => server.listen(listen.port, listen.host), `${listen.host}:${listen.port}`);
  const { address, family, port } = server.address() as AddressInfo;
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}${METRICS}`,
    close: () => closing(server),
  };
}

const UNKNOWN_HOST = {
  error: { code: 'host_unknown', message: 'This name is not ours.', hint: 'Ask for it by its address.' },
};

const isLoopbackName = (host: string | undefined): boolean =>
  /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i.test(host ?? '');

/** The same answer for a while: every program of this machine may ask as often as it likes. */
function kept(ask: () => Promise<string>, keptMs: number): () => Promise<string> {
  let last: { readonly atMs: number; readonly answer: Promise<string> } | null = null;
  return () => {
    const now = systemClock.monotonic();
    if (last === null || now - last.atMs >= keptMs) last = { atMs: now, answer: ask() };
    return last.answer;
  };
}

async function answerMetrics(
  ask: () => Promise<string>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  if (pathOf(req) !== METRICS || req.method !== 'GET') return answer(res, 404, NOTHING_HERE);
  try {
    const text = await ask();
    res.writeHead(200, { 'content-type': EXPOSITION_TYPE, 'x-content-type-options': 'nosniff' });
    res.end(text);
  } catch (error) {
    answer(res, 503, { error: toWire(error) });
  }
}

/** For programs outside of cells: see `docs/proxy.md`. @throws AppError `listen_failed` */
export async function openProxyDoor(gateway: Gateway, listen: { host: string; port: number }): Promise<Door> {
  const server = createTcpServer({ allowHalfOpen: true, pauseOnConnect: true });
  await listening(server, () => server.listen(listen.port, listen.host), `${listen.host}:${listen.port}`);
  const { address: host, family, port } = server.address() as AddressInfo;
  const address = `${family === 'IPv6' ? `[${host}]` : host}:${port}`;
  gateway.serveProxy(server, address);
  return { address, close: () => closing(server) };
}

/** The caller holds the gateway's lock: a socket that is there was left behind. @throws AppError `listen_failed` */
export async function openLocalDoor(gateway: Gateway, path: string): Promise<Door> {
  const api = getRequestListener(gateway.api.fetch);
  const server = newServer((req, res) => {
    if (pathOf(req).startsWith('/mcp/')) void gateway.front.handleHttp(req, res, gateway.operator);
    else if (pathOf(req) === METRICS) void answerMetrics(() => gateway.metrics(), req, res);
    else void api(req, res);
  });
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) =>
    acceptStdio(gateway, req, socket, head),
  );
  rmSync(path, { force: true });
  // The socket exists from `listen` on, so its mode must be right before that.
  const before = process.umask(0o177);
  try {
    await listening(server, () => server.listen(path), path);
  } finally {
    process.umask(before);
  }
  return {
    address: path,
    async close() {
      await closing(server);
      rmSync(path, { force: true });
    },
  };
}

function acceptStdio(gateway: Gateway, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  // The server has let go of the socket: what happens to it from here on is nobody else's to notice.
  socket.on('error', () => undefined);
  const url = URL.parse(req.url ?? '', 'http://localhost');
  if (url?.pathname !== '/stdio' || req.headers.upgrade !== 'mcp-stdio') {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  if (head.length > 0) socket.unshift(head);
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcp-stdio\r\n\r\n');
  const server = url.searchParams.get('server');
  gateway.front.connectStdio(socket, gateway.operator, {
    profile: url.searchParams.get('profile') ?? 'default',
    ...(server === null ? {} : { server }),
  });
}

function newServer(onRequest: (req: IncomingMessage, res: ServerResponse) => void): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.requestHeadBytesMax,
      requestTimeout: 0,
      headersTimeout: limits.frontHeadTimeoutMs,
    },
    onRequest,
  );
  server.on('clientError', (_, socket: Duplex) => {
    if (socket.writable)
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  return server;
}

/** After whoever takes the server's connections for itself, since that ends what listens for them. */
function track(server: TcpServer): void {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  open.set(server, sockets);
}

/** Every socket of a server, upgraded ones included, which the server itself forgets. */
const open = new WeakMap<TcpServer, Set<Socket>>();

function listening(server: TcpServer, listen: () => void, where: string): Promise<void> {
  track(server);
  return new Promise((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      fail(
        new AppError('listen_failed', `Cannot listen on ${where}: ${error.code ?? 'unknown error'}.`, {
          kind: 'failed',
          hint: listenHint(error.code, where),
          cause: error,
        }),
      ),
    );
    server.once('listening', done);
    listen();
  });
}

/** Longest path of a unix socket on Linux, in bytes. */
const SOCKET_PATH_BYTES_MAX = 107;

function listenHint(code: string | undefined, where: string): string {
  if (code === 'EADDRINUSE') {
    return 'Something else is listening there. Choose another address with --listen.';
  }
  if (Buffer.byteLength(where) > SOCKET_PATH_BYTES_MAX)
    return `The path of a socket can have ${SOCKET_PATH_BYTES_MAX} bytes. Choose a shorter home with SALLYPORT_HOME.`;
  return 'Check the address and your permissions.';
}

function closing(server: TcpServer): Promise<void> {
  return new Promise((done) => {
    server.close(() => done());
    for (const socket of open.get(server) ?? []) socket.destroy();
  });
}
