/** HTTP/2 on either side of the egress: an upstream on Node's own server, a client on Node's own client. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createSecureServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { API, testAuthority, type Upstream, type World } from './world.ts';

export interface Http2Upstream extends Upstream {
  readonly sessions: ServerHttp2Session[];
}

/** An upstream that speaks HTTP/2 alone. */
export async function http2Upstream(
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]) => unknown,
  name = API,
): Promise<Http2Upstream> {
  const server = createSecureServer({ ...testAuthority.issue(name), allowHTTP1: false });
  const connections: Socket[] = [];
  const sessions: ServerHttp2Session[] = [];
  server.on('connection', (socket: Socket) => connections.push(socket));
  server.on('session', (session) => sessions.push(session));
  server.on('sessionError', () => undefined);
  server.on(
    'stream',
    (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => {
      stream.on('error', () => undefined);
      void onStream(stream, headers, raw);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    sessions,
    async close() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An HTTP/2 connection of a client in the cell. */
export async function connectHttp2(world: World, name = API): Promise<ClientHttp2Session> {
  const place = await world.placeOf(name, 443);
  const socket = connectTls({ ...place, servername: name, ca: world.cell.caPem, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const session = connect(`https://${name}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}

export interface Http2Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly raw: readonly string[];
  readonly trailers: IncomingHttpHeaders;
  /** Statuses of the 1xx that came before. */
  readonly interims: readonly number[];
  readonly body: Buffer;
  /** Code of a reset; 0 when the stream ended as it should. */
  readonly reset: number;
}

/** Waits for the whole answer. */
export async function replyOf(stream: ClientHttp2Stream): Promise<Http2Reply> {
  const pieces: Buffer[] = [];
  const interims: number[] = [];
  let head: { headers: IncomingHttpHeaders; raw: readonly string[] } = { headers: {}, raw: [] };
  let trailers: IncomingHttpHeaders = {};
  stream.on('error', () => undefined);
  stream.on('headers', (headers) => interims.push(Number(headers[':status'])));
  stream.on('response', (headers, _flags, raw: readonly string[]) => {
    head = { headers, raw };
  });
  stream.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  return {
    status: Number(head.headers[':status'] ?? 0),
    ...head,
    trailers,
    interims,
    body: Buffer.concat(pieces),
    reset: stream.rstCode ?? 0,
  };
}

/** One request and its answer. */
export function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Http2Reply> {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  const reply = replyOf(stream);
  if (body !== undefined) stream.end(body);
  return reply;
}
