/** The parts of a WebSocket frame (RFC 6455 section 5.2), and writing them. The masking key is the caller's. */

export const OPCODE = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

export type Opcode = (typeof OPCODE)[keyof typeof OPCODE];

export interface FrameHead {
  /** The last frame of its message. */
  readonly fin: boolean;
  readonly opcode: Opcode;
  /** What the message that this is a frame of began as; null of a control frame. */
  readonly message: 'text' | 'binary' | null;
  /** Payload bytes. */
  readonly length: number;
}

export interface OutgoingFrame {
  readonly fin: boolean;
  readonly opcode: Opcode;
  /** Payload bytes. */
  readonly length: number;
  /** Four random bytes, new for each frame, from a client; null from a server. */
  readonly maskingKey: Uint8Array | null;
}

export const MASKING_KEY_BYTES = 4;
/** Longest payload of a control frame. */
export const CONTROL_BYTES_MAX = 125;
/** In place of a 7-bit length: one of 16 or of 64 bits follows. */
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;
export const FIN_BIT = 0x80;
export const MASK_BIT = 0x80;

/** Everything in front of the payload. */
export function encodeFrameHead({ fin, opcode, length, maskingKey }: OutgoingFrame): Buffer {
  const short = shortLength(length);
  const extended = short === LENGTH_64 ? 8 : short === LENGTH_16 ? 2 : 0;
  const head = Buffer.allocUnsafe(2 + extended + (maskingKey === null ? 0 : MASKING_KEY_BYTES));
  head[0] = (fin ? FIN_BIT : 0) | opcode;
  head[1] = (maskingKey === null ? 0 : MASK_BIT) | short;
  if (extended === 2) head.writeUInt16BE(length, 2);
  else if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (maskingKey !== null) head.set(maskingKey.subarray(0, MASKING_KEY_BYTES), 2 + extended);
  return head;
}

function shortLength(length: number): number {
  if (length < LENGTH_16) return length;
  return length < 0x1_0000 ? LENGTH_16 : LENGTH_64;
}

/** A whole frame. @param maskingKey null from a server */
export function encodeFrame(opcode: Opcode, payload: Uint8Array, maskingKey: Uint8Array | null): Buffer {
  const head = encodeFrameHead({ fin: true, opcode, length: payload.length, maskingKey });
  return Buffer.concat([head, maskingKey === null ? payload : masked(payload, maskingKey, 0)]);
}

/**
 * Masks, or unmasks (section 5.3), into new memory: what was given belongs to somebody else.
 *
 * @param position of the first byte within the frame's payload
 */
export function masked(data: Uint8Array, maskingKey: Uint8Array, position: number): Buffer {
  const key = (index: number): number => maskingKey[(position + index) & 3] ?? 0;
  const [first, second, third, fourth] = [key(0), key(1), key(2), key(3)];
  const { length } = data;
  const result = Buffer.allocUnsafe(length);
  let index = 0;
  for (; index + 3 < length; index += 4) {
    result[index] = (data[index] ?? 0) ^ first;
    result[index + 1] = (data[index + 1] ?? 0) ^ second;
    result[index + 2] = (data[index + 2] ?? 0) ^ third;
    result[index + 3] = (data[index + 3] ?? 0) ^ fourth;
  }
  for (; index < length; index += 1) result[index] = (data[index] ?? 0) ^ key(index);
  return result;
}
