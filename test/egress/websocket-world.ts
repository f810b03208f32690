/**
 * WebSockets through a cell without a sandbox: upstreams and programs on the `ws` library, with everything in between
 * real. Hostile sides write their bytes by hand, with the project's own codec or without it.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type RawData, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import {
  acceptInput,
  encodeFrame,
  encodeFrameHead,
  type FrameHead,
  FrameReader,
  type Opcode,
  OPCODE,
} from '../../src/wire/index.ts';
import { API, rawUpstream, testAuthority, type Upstream, type World } from './world.ts';

export interface Served extends Upstream {
  readonly server: WebSocketServer;
  /** The handshakes that arrived. */
  readonly handshakes: IncomingMessage[];
}

/** An upstream on the `ws` library. */
export async function wsUpstream(
  onSocket: (socket: WebSocket, request: IncomingMessage) => void,
  options: ServerOptions = {},
  http: Server = createHttpsServer(testAuthority.issue(API)),
): Promise<Served> {
  const connections: Socket[] = [];
  const handshakes: IncomingMessage[] = [];
  http.on('connection', (socket: Socket) => connections.push(socket));
  const server = new WebSocketServer({ ...options, server: http });
  server.on('connection', (socket, request) => {
    handshakes.push(request);
    socket.on('error', () => undefined); // each test asserts how the socket closes
    onSocket(socket, request);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    server,
    handshakes,
    address: `127.0.0.1:${(http.address() as AddressInfo).port}`,
    connections,
    async close() {
      for (const socket of connections) socket.destroy();
      server.close();
      http.close();
      await once(http, 'close');
    },
  };
}

/** An upstream that keeps what it gets. */
export async function keeper() {
  const got: string[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const sockets: WebSocket[] = [];
  let onGot = (): void => {};
  const upstream = await wsUpstream((socket) => {
    sockets.push(socket);
    socket.on('message', (data) => {
      got.push(bytesOf(data).toString());
      onGot();
    });
    socket.on('ping', (data: Buffer) => got.push(`ping ${data.toString()}`));
    socket.on('pong', (data: Buffer) => got.push(`pong ${data.toString()}`));
    socket.on('close', (code, reason) => closed.resolve({ code, reason: reason.toString() }));
  });
  const count = async (wanted: number): Promise<readonly string[]> => {
    while (got.length < wanted)
      await new Promise<void>((resolve) => {
        onGot = resolve;
      });
    return got;
  };
  return { upstream, got, closed: closed.promise, count, sockets };
}

export const echo = (socket: WebSocket): void => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
};

export interface ClientOptions {
  readonly path?: string;
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly compression?: boolean;
}

/** What a program gets to see of one socket. */
export class Program {
  readonly socket: WebSocket;
  readonly messages: { readonly data: Buffer; readonly isBinary: boolean }[] = [];
  readonly pings: Buffer[] = [];
  readonly pongs: Buffer[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #onMessage: () => void = () => {};

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on('error', () => undefined); // a close follows
    socket.on('ping', (data: Buffer) => this.pings.push(data));
    socket.on('pong', (data: Buffer) => this.pongs.push(data));
    socket.on('message', (data: RawData, isBinary: boolean) => {
      this.messages.push({ data: bytesOf(data), isBinary });
      this.#onMessage();
    });
  }

  /** Resolves when so many messages have come. */
  async received(count: number): Promise<readonly string[]> {
    while (this.messages.length < count)
      await new Promise<void>((resolve) => {
        this.#onMessage = resolve;
      });
    return this.messages.map(({ data }) => data.toString());
  }
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

/** A program's client, that may not have been let in yet. */
export async function wsClient(world: World, options: ClientOptions = {}): Promise<WebSocket> {
  const place = await world.placeOf(API, 443);
  return new WebSocket(`wss://${API}${options.path ?? '/'}`, [...(options.protocols ?? [])], {
    perMessageDeflate: options.compression ?? true,
    headers: { ...options.headers },
    createConnection: () => connectTls({ ...place, servername: API, ca: world.cell.caPem }),
  });
}

/** A program's client, let in. */
export async function wsProgram(world: World, options: ClientOptions = {}): Promise<Program> {
  const program = new Program(await wsClient(world, options));
  await once(program.socket, 'open');
  return program;
}

/** Status and body of an answer that is no 101. */
export async function refusedClient(
  world: World,
  options: ClientOptions = {},
): Promise<{ status: number; body: string }> {
  const socket = await wsClient(world, options);
  socket.on('error', () => undefined); // of the handshake: the answer says more
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let body = '';
  for await (const piece of response) body += String(piece);
  return { status: response.statusCode ?? 0, body };
}

export const acceptOf = (key: string): string => createHash('sha1').update(acceptInput(key)).digest('base64');

const KEY_LINE = /^sec-websocket-key: (.*)$/im;

/** An upstream that answers a handshake as it should and then writes what it likes. */
export const handshakingUpstream = (
  onOpen: (socket: TLSSocket, head: string) => void,
  extra = '',
): Promise<Upstream> =>
  rawUpstream((socket) => {
    let head = '';
    const read = (piece: Buffer): void => {
      head += piece.toString('latin1');
      if (!head.endsWith('\r\n\r\n')) return;
      socket.off('data', read);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${extra}` +
          `Sec-WebSocket-Accept: ${acceptOf(KEY_LINE.exec(head)?.[1] ?? '')}\r\n\r\n`,
      );
      onOpen(socket, head);
    };
    socket.on('data', read);
  });

export const CLIENT_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export const opening = (extra = '', path = '/'): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${API}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${CLIENT_KEY}\r\n${extra}\r\n`;

/** A program that speaks by hand, after its handshake. */
export async function rawProgram(world: World, extra = ''): Promise<TLSSocket> {
  const socket = await world.connectTls();
  socket.write(opening(extra));
  let head = '';
  while (!head.endsWith('\r\n\r\n')) {
    await once(socket, 'readable');
    for (let byte = socket.read(1) as Buffer | null; byte !== null; byte = socket.read(1) as Buffer | null) {
      head += byte.toString('latin1');
      if (head.endsWith('\r\n\r\n')) break;
    }
  }
  if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(head);
  return socket;
}

const MASK = Buffer.of(1, 2, 3, 4);

/** A frame of a program. */
export const fromProgram = (opcode: Opcode, payload: string | Buffer): Buffer =>
  encodeFrame(opcode, Buffer.from(payload as string), MASK);

/** A message of an upstream in several frames. */
export function fragments(kind: 'text' | 'binary', pieces: readonly Buffer[]): Buffer {
  const frames = pieces.map((piece, index) => {
    const opcode = index === 0 ? OPCODE[kind] : OPCODE.continuation;
    const fin = index === pieces.length - 1;
    return Buffer.concat([encodeFrameHead({ fin, opcode, length: piece.length, maskingKey: null }), piece]);
  });
  return Buffer.concat(frames);
}

/** Everything that an upstream got after its handshake, in frames, until its connection ended. */
export interface Heard {
  readonly upstream: Upstream;
  readonly frames: { head: FrameHead; payload: Buffer }[];
  readonly ended: Promise<void>;
  /** All payloads, one behind the other, as Latin-1. */
  text(): string;
  /** Resolves when it is so. */
  got(when: (frames: Heard['frames']) => boolean): Promise<void>;
}

export async function listener(then: (socket: TLSSocket) => void = () => undefined): Promise<Heard> {
  const frames: Heard['frames'] = [];
  const ended = Promise.withResolvers<void>();
  let onFrames = (): void => {};
  const upstream = await handshakingUpstream((socket) => {
    const reader = new FrameReader({ from: 'client', payloadBytesMax: 1_000_000 });
    let head: FrameHead | null = null;
    let pieces: Buffer[] = [];
    const sink = {
      onFrame(next: FrameHead): void {
        head = next;
      },
      onPayload(data: Buffer, isLast: boolean): void {
        pieces.push(Buffer.from(data));
        if (!isLast || head === null) return;
        frames.push({ head, payload: Buffer.concat(pieces) });
        pieces = [];
        onFrames();
        if (head.opcode === OPCODE.close && !socket.writableEnded) socket.end(Buffer.of(0x88, 0));
      },
    };
    then(socket); // before the Close below, where both answer something
    socket.on('data', (bytes: Buffer) => {
      reader.read(bytes, 0, sink);
      if (reader.error !== null) ended.reject(new Error(reader.error));
    });
    socket.on('close', () => ended.resolve());
  });
  return {
    upstream,
    frames,
    ended: ended.promise,
    text: () => frames.map(({ payload }) => payload.toString('latin1')).join(''),
    async got(when) {
      while (!when(frames))
        await new Promise<void>((resolve) => {
          onFrames = resolve;
        });
    },
  };
}

/** Code and reason of the Close with which what a program got ends. */
export function closeIn(text: string): { code: number; reason: string } | null {
  const bytes = Buffer.from(text, 'latin1');
  const at = bytes.lastIndexOf(0x88);
  if (at < 0 || bytes.length !== at + 2 + (bytes[at + 1] ?? 0)) return null;
  return { code: bytes.readUInt16BE(at + 2), reason: bytes.subarray(at + 4).toString() };
}
