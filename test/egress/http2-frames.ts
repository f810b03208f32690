/**
 * HTTP/2 written and read frame by frame (RFC 9113 section 4), for what no client that follows the rules would send.
 * Header blocks are literals that touch no table; those that come are not decoded.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { API, type World } from './world.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, 9);
  return bytes;
}

/** 32 bits: an error code, a window's increment. */
export function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** @param entries identifier and value after each other */
export function settingsOf(...entries: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * entries.length);
  entries.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  });
  return frame(FRAME.settings, 0, 0, payload);
}

/** An integer of HPACK (RFC 7541 section 5.1). @param first what stands in the first byte above the prefix */
function integer(value: number, prefixBits: number, first: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.of(first | value);
  const bytes = [first | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(bytes.length, 7, 0), bytes]);
}

export type HeaderLine = readonly [name: string, value: string];

/** Literals that are not indexed (RFC 7541 section 6.2.2), of whatever is in them. */
export const headerBlock = (lines: readonly HeaderLine[]): Buffer =>
  Buffer.concat(lines.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));

/** A literal that goes into the dynamic table, from where one byte names it again (RFC 7541 section 6.2.1). */
export const indexedLiteral = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(0x40), literal(name), literal(value)]);

/** The pseudo fields of a request. */
export const requestLines = (
  over: Readonly<Partial<Record<'method' | 'scheme' | 'authority' | 'path', string>>> = {},
): readonly HeaderLine[] => [
  [':method', over.method ?? 'GET'],
  [':scheme', over.scheme ?? 'https'],
  [':authority', over.authority ?? API],
  [':path', over.path ?? '/'],
];

/** A header list in one HEADERS frame. */
export const headersOf = (
  stream: number,
  lines: readonly HeaderLine[],
  flags: number = FLAG.endHeaders | FLAG.endStream,
): Buffer => frame(FRAME.headers, flags, stream, headerBlock(lines));

/** Frames out of bytes that come in pieces of any size. */
class FrameReader {
  #held = Buffer.alloc(0);

  read(bytes: Buffer): readonly Frame[] {
    this.#held = Buffer.concat([this.#held, bytes]);
    const frames: Frame[] = [];
    while (this.#held.length >= 9) {
      const length = this.#held.readUIntBE(0, 3);
      if (this.#held.length < 9 + length) break;
      frames.push({
        type: this.#held[3] ?? 0,
        flags: this.#held[4] ?? 0,
        stream: this.#held.readUInt32BE(5) & 0x7f_ff_ff_ff,
        payload: Buffer.from(this.#held.subarray(9, 9 + length)),
      });
      this.#held = this.#held.subarray(9 + length);
    }
    return frames;
  }
}

/** One end of an HTTP/2 connection that sends what a test tells it, and keeps what comes. */
export class FramePeer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  readonly #reader = new FrameReader();
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      this.frames.push(...this.#reader.read(bytes));
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
        this.#wake();
      });
    });
  }

  send(...frames: readonly Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  /** The same, and waits until all of it has left, or nothing can any more. */
  async sent(...frames: readonly Buffer[]): Promise<void> {
    if (this.socket.destroyed) return;
    const left = new Promise<void>((resolve) => {
      this.socket.write(Buffer.concat(frames), () => resolve());
    });
    await Promise.race([left, this.closed]);
  }

  /** The first frame that fits, come or to come; undefined when the connection ends without one. */
  async first(fits: (frame: Frame) => boolean): Promise<Frame | undefined> {
    for (;;) {
      const found = this.frames.find(fits);
      if (found !== undefined || this.socket.destroyed) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** What came on a stream's DATA frames, as text; waits for its end. */
  async bodyOf(stream: number): Promise<string> {
    await this.first(
      ({ type, flags, stream: on }) =>
        on === stream && (type === FRAME.reset || (type <= FRAME.headers && (flags & FLAG.endStream) !== 0)),
    );
    const data = this.frames.filter(({ type, stream: on }) => type === FRAME.data && on === stream);
    return Buffer.concat(data.map(({ payload }) => payload)).toString('latin1');
  }

  close(): void {
    this.socket.destroy();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Its code; undefined when the frame is none that has one. */
export function errorCodeOf(found: Frame | undefined): number | undefined {
  if (found?.type === FRAME.reset) return found.payload.readUInt32BE(0);
  return found?.type === FRAME.goaway ? found.payload.readUInt32BE(4) : undefined;
}

/** A client in the cell that has only agreed on `h2`. */
export async function connectFrames(world: World, name = API): Promise<FramePeer> {
  const place = await world.placeOf(name, 443);
  const socket = connectTls({ ...place, servername: name, ca: world.cell.caPem, ALPNProtocols: ['h2'] });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  return new FramePeer(socket);
}

/** One that has begun as it should, too. */
export async function openFrames(world: World, name = API, settings = settingsOf()): Promise<FramePeer> {
  const peer = await connectFrames(world, name);
  peer.send(PREFACE, settings);
  await peer.first(({ type, flags }) => type === FRAME.settings && (flags & FLAG.ack) !== 0);
  peer.send(frame(FRAME.settings, FLAG.ack, 0));
  return peer;
}
