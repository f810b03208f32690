/**
 * WebSocket frames read a second way: from one whole buffer, message by message, written after RFC 6455 without a look at
 * the product's reader. Slow and plain, so that it can be believed.
 */
import type { FrameTranscript } from '../wire/websocket-transcript.ts';

type Read =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'refused'; readonly why: string }
  | {
      readonly kind: 'frame';
      readonly fin: boolean;
      readonly opcode: number;
      readonly payload: Buffer;
      readonly size: number;
    };

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Whether bytes are UTF-8, or, where `isCut`, its beginning. */
function isText(bytes: Buffer, isCut: boolean): boolean {
  const inner = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    inner.decode(bytes, { stream: isCut });
    return true;
  } catch {
    return false;
  }
}

/** Unmasks what has arrived of a payload. */
function unmask(bytes: Buffer, key: Buffer | null): Buffer {
  return Buffer.from(bytes.map((byte, index) => (key === null ? byte : byte ^ (key[index % 4] ?? 0))));
}

function closeReason(payload: Buffer): string | null {
  if (payload.length === 0) return null;
  if (payload.length === 1) return 'close_payload_invalid';
  const code = 256 * (payload[0] ?? 0) + (payload[1] ?? 0);
  const reserved = [1004, 1005, 1006, 1015];
  const isValid = (code >= 1000 && code < 1015 && !reserved.includes(code)) || (code >= 3000 && code < 5000);
  if (!isValid) return 'close_code_invalid';
  try {
    decoder.decode(payload.subarray(2));
    return null;
  } catch {
    return 'close_reason_not_utf8';
  }
}

/** Everything that the bytes say, up to the first violation. */
export function readWhole(
  from: 'client' | 'server',
  bytes: Buffer,
  payloadBytesMax: number,
): FrameTranscript {
  const frames: string[] = [];
  let at = 0;
  let message: 'text' | 'binary' | null = null;
  /* Bytes of the message's earlier frames. */
  let text = Buffer.alloc(0);
  let isClosed = false;
  const result = (error: string | null): FrameTranscript => ({
    frames,
    error,
    isClosed,
    isBetweenMessages: error === null && at === bytes.length && message === null,
  });
  for (;;) {
    const read = readFrame(bytes.subarray(at));
    if (read.kind === 'need-more') return result(null);
    if (read.kind === 'refused') return result(read.why);
    const { fin, opcode, payload } = read;
    at += read.size;
    if (opcode >= 8) {
      const wrong = opcode === 8 ? closeReason(payload) : null;
      if (wrong !== null) return result(wrong);
      frames.push(`${opcode} fin control ${payload.toString('hex')}`);
      isClosed ||= opcode === 8;
      continue;
    }
    if (opcode !== 0) message = opcode === 1 ? 'text' : 'binary';
    frames.push(`${opcode} ${fin ? 'fin' : 'more'} ${message} ${payload.toString('hex')}`);
    text = Buffer.concat([text, payload]);
    if (fin) {
      message = null;
      text = Buffer.alloc(0);
    }
  }

  function readFrame(rest: Buffer): Read {
    if (rest.length < 2) return { kind: 'need-more' };
    const bits = `${byteBits(rest[0])}${byteBits(rest[1])}`;
    const fin = bits[0] === '1';
    const opcode = Number.parseInt(bits.slice(4, 8), 2);
    const hasMask = bits[8] === '1';
    let length = Number.parseInt(bits.slice(9), 2);
    const refuse = (why: string): Read => ({ kind: 'refused', why });
    if (isClosed) return refuse('frame_after_close');
    if (bits.slice(1, 4) !== '000') return refuse('reserved_bits');
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) return refuse('opcode_unknown');
    if (from === 'client' && !hasMask) return refuse('mask_missing');
    if (from === 'server' && hasMask) return refuse('mask_forbidden');
    if (opcode >= 8 && !fin) return refuse('control_fragmented');
    if (opcode >= 8 && length > 125) return refuse('control_too_long');
    if (opcode === 0 && message === null) return refuse('continuation_unexpected');
    if ((opcode === 1 || opcode === 2) && message !== null) return refuse('continuation_missing');
    const lengthBytes = length === 126 ? 2 : length === 127 ? 8 : 0;
    const headBytes = 2 + lengthBytes + (hasMask ? 4 : 0);
    if (rest.length < headBytes) return { kind: 'need-more' };
    if (lengthBytes > 0) {
      const digits = rest.subarray(2, 2 + lengthBytes).toString('hex');
      const exact = BigInt(`0x${digits}`);
      if (exact >= 2n ** 63n) return refuse('length_invalid');
      if (exact < (lengthBytes === 2 ? 126n : 65_536n)) return refuse('length_not_minimal');
      if (exact > BigInt(payloadBytesMax)) return refuse('frame_too_large');
      length = Number(exact);
    }
    if (length > payloadBytesMax) return refuse('frame_too_large');
    const key = hasMask ? rest.subarray(headBytes - 4, headBytes) : null;
    const payload = unmask(rest.subarray(headBytes, headBytes + length), key);
    const isWhole = payload.length === length;
    const isTextFrame = opcode === 1 || (opcode === 0 && message === 'text');
    if (isTextFrame && !isText(Buffer.concat([text, payload]), !(isWhole && fin)))
      return refuse('text_not_utf8');
    if (!isWhole) return { kind: 'need-more' };
    return { kind: 'frame', fin, opcode, payload, size: headBytes + length };
  }
}

const byteBits = (byte: number | undefined): string => (byte ?? 0).toString(2).padStart(8, '0');
