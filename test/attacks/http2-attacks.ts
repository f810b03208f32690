/** What attacks over HTTP/2 are made of, and what is looked at after them. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  FLAG,
  FRAME,
  type FramePeer,
  frame,
  type HeaderLine,
  headerBlock,
  headersOf,
  indexedLiteral,
  number32,
  requestLines,
} from '../egress/http2-frames.ts';
import { API, httpsUpstream, inWorld, type Upstream, type World } from '../egress/world.ts';

export const MIB = 1024 * 1024;
/** What the gateway may hold more after a flood than before, and the test with it. */
export const GROWTH_BYTES_MAX = 24 * MIB;
/** A record of TLS. */
export const RECORD_BYTES = 16_384;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

export function held(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

export const repeat = (bytes: Buffer, times: number): Buffer => Buffer.alloc(bytes.length * times, bytes);
export const ping = frame(FRAME.ping, 0, 0, Buffer.alloc(8));
export const post = (stream: number): Buffer =>
  headersOf(stream, requestLines({ method: 'POST' }), FLAG.endHeaders);
export const get = (stream: number): Buffer => headersOf(stream, requestLines());
export const window = (stream: number, increment: number): Buffer =>
  frame(FRAME.windowUpdate, 0, stream, number32(increment));

/** 12,000 times a field of 4,000 bytes, each time in one byte. */
export const BOMB = Buffer.concat([
  headerBlock(requestLines()),
  indexedLiteral('x', 'y'.repeat(4_000)),
  Buffer.alloc(12_000, 0xbe),
]);
export const MANY: readonly HeaderLine[] = Array.from({ length: 500 }, (_, index) => [`x${index}`, 'y']);

export async function inSeen(body: (world: World, seen: string[]) => Promise<void>): Promise<void> {
  const seen: string[] = [];
  const upstream: Upstream = await httpsUpstream((request, response) => {
    seen.push(request.url ?? '');
    request.on('error', () => undefined);
    request.resume();
    request.on('end', () => response.end('ok'));
  });
  await inWorld({ upstreams: { [`${API}:443`]: upstream } }, (world) => body(world, seen));
}

export const abuses = (world: World): unknown[] =>
  world.events
    .filter(({ type, data }) => type === 'egress.refused' && data['code'] === 'egress_http2_abuse')
    .map(({ data }) => data['reason']);

let marks = 0;
/** Until the gateway has read all that was sent. */
export async function settled(peer: FramePeer): Promise<void> {
  const mark = Buffer.from(String((marks += 1)).padStart(8, '0'));
  peer.send(frame(FRAME.ping, 0, 0, mark));
  await peer.first(({ type, payload }) => type === FRAME.ping && payload.equals(mark));
}
