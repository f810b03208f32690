/**
 * WebSocket frames: our incremental reader against a plain one that reads a whole buffer, on frames of a grammar with bytes
 * changed where it hurts. Both must see the same frames and stop for the same reason, however the bytes are split.
 */
import { encodeFrameHead, masked, OPCODE, type Opcode } from '../../src/wire/websocket/index.ts';
import { PAYLOAD_BYTES_MAX, transcribeFrames } from '../wire/websocket-transcript.ts';
import { type Below, pick, seeded, split } from './random.ts';
import type { FuzzTarget } from './target.ts';
import { readWhole } from './websocket-oracle.ts';

const TEXTS = [
  '',
  'a',
  'hello',
  'caf\xe9',
  '\u20ac\u20ac',
  '\u{1f512}\u{10ffff}',
  'x'.repeat(125),
  'y'.repeat(126),
  'z'.repeat(300),
].map((text) => Buffer.from(text));
const NOT_TEXTS = [
  'ff',
  'c080',
  'c1bf',
  'e08080',
  'e09fbf',
  'eda080',
  'edbfbf',
  'f0808080',
  'f08fbfbf',
  'f4908080',
  'f5808080',
  '80',
  '61c3',
  'e282',
  'f09f94',
].map((hex) => Buffer.from(hex, 'hex'));
const CLOSES = [
  '',
  '03',
  '03e8',
  '03e8c3a9',
  '03ec',
  '03ed',
  '03ee',
  '03f6',
  '03f7',
  '0bb7',
  '0bb8',
  '1387',
  '1388',
  '03e8ff',
  '0000',
].map((hex) => Buffer.from(hex, 'hex'));
const OTHER_LENGTHS = [
  '7e0001',
  '7e007d',
  '7e007e',
  '7f000000000000ffff',
  '7f8000000000000001',
  '7fffffffffffffffff',
];

function frame(
  below: Below,
  from: 'client' | 'server',
  fin: boolean,
  opcode: Opcode,
  payload: Buffer,
): Buffer {
  const isMasked = below(60) === 0 ? from === 'server' : from === 'client';
  const maskingKey = isMasked ? Buffer.from([below(256), below(256), below(256), below(256)]) : null;
  const head = encodeFrameHead({ fin, opcode, length: payload.length, maskingKey });
  return Buffer.concat([head, maskingKey === null ? payload : masked(payload, maskingKey, 0)]);
}

function control(below: Below, from: 'client' | 'server'): Buffer {
  const opcode = pick(below, [OPCODE.ping, OPCODE.pong, OPCODE.ping, OPCODE.close]);
  const fin = below(40) > 0;
  if (opcode === OPCODE.close) return frame(below, from, fin, opcode, pick(below, CLOSES));
  return frame(below, from, fin, opcode, pick(below, below(10) === 0 ? TEXTS : TEXTS.slice(0, 7)));
}

/** One message in one to four frames, cut anywhere, characters included. */
function message(below: Below, from: 'client' | 'server'): Buffer {
  const pieces: Buffer[] = [];
  const isText = below(3) > 0;
  let content = pick(below, isText ? TEXTS : NOT_TEXTS);
  if (isText && below(6) === 0) content = Buffer.concat([content, pick(below, NOT_TEXTS)]);
  if (below(4_000) === 0) content = Buffer.alloc(65_535 + below(3), 'w');
  const count = 1 + below(4);
  for (let index = 0; index < count; index += 1) {
    const isLast = index === count - 1;
    const end = isLast ? content.length : below(content.length + 1);
    const begin = isText ? OPCODE.text : OPCODE.binary;
    const opcode = index === 0 ? (below(40) === 0 ? OPCODE.continuation : begin) : OPCODE.continuation;
    const isWrong = below(60) === 0;
    pieces.push(
      frame(below, from, isWrong ? !isLast : isLast, isWrong ? begin : opcode, content.subarray(0, end)),
    );
    content = content.subarray(end);
    if (below(4) === 0) pieces.push(control(below, from));
  }
  return Buffer.concat(pieces);
}

/** Bytes of one side, and who it is. */
export function frameBytes(below: Below): { readonly from: 'client' | 'server'; readonly bytes: Buffer } {
  const from = below(2) === 0 ? 'client' : 'server';
  const pieces: Buffer[] = [];
  for (let count = 1 + below(4); count > 0; count -= 1) {
    pieces.push(below(5) === 0 ? control(below, from) : message(below, from));
  }
  if (below(12) === 0) {
    const maskBit = from === 'client' ? 0x80 : 0;
    const length = Buffer.from(pick(below, OTHER_LENGTHS), 'hex');
    length[0] = (length[0] ?? 0) | maskBit;
    pieces.push(Buffer.from([0x82]), length, Buffer.alloc(130, 1));
  }
  const bytes = Buffer.concat(pieces);
  for (let changes = below(3) === 0 ? 1 + below(2) : 0; changes > 0; changes -= 1) {
    const at = below(Math.min(bytes.length, 64));
    bytes[at] = below(2) === 0 ? below(256) : (bytes[at] ?? 0) ^ (1 << below(8));
  }
  return { from, bytes: below(5) === 0 ? bytes.subarray(0, below(bytes.length + 1)) : bytes };
}

export interface WebSocketTally {
  /** Frames that both accepted. */
  frames: number;
  /** Inputs that both refused, by reason. */
  readonly refused: Map<string, number>;
}

/** @throws Error with the seed's input in hex, at the first difference */
export function compareFrames(seed: number, count: number): WebSocketTally {
  const below = seeded(seed);
  const tally: WebSocketTally = { frames: 0, refused: new Map() };
  for (let round = 0; round < count; round += 1) {
    const { from, bytes } = frameBytes(below);
    const expected = readWhole(from, bytes, PAYLOAD_BYTES_MAX);
    const said = JSON.stringify(expected);
    for (const pieces of [[bytes], split(below, bytes, 1 + below(40))]) {
      const seen = JSON.stringify(transcribeFrames(from, pieces));
      if (seen === said) continue;
      throw new Error(
        `input ${round} of seed ${seed}, from the ${from}: ${bytes.toString('hex')}\nours: ${seen}\nplain: ${said}`,
      );
    }
    tally.frames += expected.frames.length;
    if (expected.error !== null)
      tally.refused.set(expected.error, (tally.refused.get(expected.error) ?? 0) + 1);
  }
  return tally;
}

export const websocket: FuzzTarget = {
  name: 'websocket',
  run(seed, count, report) {
    const { frames, refused } = compareFrames(seed, count);
    report(`${frames} frames read alike`);
    for (const reason of [...refused.keys()].toSorted()) {
      report(`  refused alike: ${reason} ${refused.get(reason)}`);
    }
  },
};
