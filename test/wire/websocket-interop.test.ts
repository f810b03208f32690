/** The codec against the WebSocket client inside Node, over loopback: somebody else's idea of the protocol. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  acceptInput,
  encodeClose,
  encodeFrame,
  encodeFrameHead,
  Fields,
  encodeResponseHead,
  type FrameHead,
  FrameReader,
  OPCODE,
  parseClose,
  readWebSocketRequest,
  requestHeadReader,
  type WebSocketRequest,
} from '../../src/wire/index.ts';

/** Answers the handshake without extensions, then sends each message back in two frames with a ping between. */
class EchoServer {
  request: WebSocketRequest | null = null;
  closedWith: unknown = null;
  readonly errors: string[] = [];
  readonly #head = requestHeadReader();
  readonly #frames = new FrameReader({ from: 'client', payloadBytesMax: 1_000_000 });
  readonly #socket: Socket;
  #frame: FrameHead | null = null;
  #message: Buffer[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#data(bytes));
    socket.on('error', (error) => this.errors.push(String(error)));
  }

  #data(bytes: Buffer): void {
    let at = 0;
    if (this.request === null) {
      at = this.#head.read(bytes, at);
      if (this.#head.head === null) return;
      const read = readWebSocketRequest(this.#head.head);
      if (!read.ok) {
        this.errors.push(read.error);
        this.#socket.destroy();
        return;
      }
      this.request = read.value;
      this.#socket.write(this.#answer(read.value));
    }
    this.#frames.read(bytes, at, {
      onFrame: (head) => {
        this.#frame = head;
      },
      onPayload: (data, isLast) => this.#payload(data, isLast),
    });
    if (this.#frames.error !== null) this.errors.push(this.#frames.error);
  }

  #answer({ key, protocols }: WebSocketRequest): string {
    const fields = new Fields();
    fields.add('Upgrade', 'websocket');
    fields.add('Connection', 'Upgrade');
    fields.add('Sec-WebSocket-Accept', createHash('sha1').update(acceptInput(key)).digest('base64'));
    fields.add('Sec-WebSocket-Protocol', protocols.at(-1) ?? '');
    return encodeResponseHead(101, 'Switching Protocols', fields);
  }

  #payload(data: Buffer, isLast: boolean): void {
    const head = this.#frame;
    if (head === null) return;
    if (head.message !== null) this.#message.push(Buffer.from(data));
    else if (head.opcode === OPCODE.close) this.#close(data);
    if (head.message !== null && isLast && head.fin) this.#echo(head.message, Buffer.concat(this.#message));
  }

  #echo(kind: 'text' | 'binary', message: Buffer): void {
    this.#message = [];
    const half = message.length >> 1;
    const opcode = OPCODE[kind];
    this.#socket.write(encodeFrameHead({ fin: false, opcode, length: half, maskingKey: null }));
    this.#socket.write(message.subarray(0, half));
    this.#socket.write(encodeFrame(OPCODE.ping, Buffer.from('still there'), null));
    this.#socket.write(encodeFrame(OPCODE.continuation, message.subarray(half), null));
  }

  #close(payload: Buffer): void {
    this.closedWith = parseClose(payload);
    this.#socket.end(encodeFrame(OPCODE.close, encodeClose(1000, 'bye'), null));
  }
}

describe('the WebSocket codec', () => {
  it('understands the client inside Node, and is understood by it', async () => {
    let server: EchoServer | null = null;
    const listener = createServer((socket) => {
      server = new EchoServer(socket);
    });
    onTestFinished(() => void listener.close());
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('no port');

    const client = new WebSocket(`ws://127.0.0.1:${address.port}/chat`, ['chat', 'mcp']);
    client.binaryType = 'arraybuffer';
    const received: unknown[] = [];
    const messages = ['', 'a', 'caf\xe9 \u20ac \u{1f512}', 'x'.repeat(126), 'y'.repeat(70_000)];
    const binary = Uint8Array.from({ length: 70_001 }, (_, index) => index & 255);
    const closed = new Promise<CloseEvent>((done, fail) => {
      client.addEventListener('error', () => fail(new Error('the client gave up')));
      client.addEventListener('close', done);
      client.addEventListener('open', () => {
        for (const message of messages) client.send(message);
        client.send(binary);
      });
      client.addEventListener('message', ({ data }) => {
        received.push(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
        if (received.length === messages.length + 1) client.close(1000, 'done \u20ac');
      });
    });
    const { code, reason } = await closed;
    expect(received).toEqual([...messages, binary]);
    expect({ code, reason, protocol: client.protocol, extensions: client.extensions }).toEqual({
      code: 1000,
      reason: 'bye',
      protocol: 'mcp',
      extensions: '',
    });
    expect(server).toMatchObject({
      errors: [],
      closedWith: { ok: true, value: { code: 1000, reason: 'done \u20ac' } },
      request: { protocols: ['chat', 'mcp'], extensions: [{ name: 'permessage-deflate' }] },
    });
  });
});
