/**
 * Incremental reader of WebSocket frames from one side (RFC 6455 section 5). It trusts nothing and repairs nothing. The same
 * bytes give the same result however they are split. The payload of a message passes in pieces, unmasked; held are
 * only a frame's head and a control frame, at most 139 bytes.
 */
import { parseClose } from './close.ts';
import {
  CONTROL_BYTES_MAX,
  FIN_BIT,
  type FrameHead,
  LENGTH_16,
  LENGTH_64,
  MASK_BIT,
  MASKING_KEY_BYTES,
  masked,
  OPCODE,
  type Opcode,
} from './frame.ts';
import type { FrameReason } from './reasons.ts';
import { Utf8Check } from './utf8.ts';

export interface FrameSink {
  /** A frame begins. A control frame is given once all of it is there and valid. */
  onFrame(head: FrameHead): void;
  /**
   * A piece of the payload, unmasked. Of an unmasked frame it is a view of the caller's buffer. Each frame ends with one piece
   * that `isLast`, empty when the payload is.
   */
  onPayload(data: Buffer, isLast: boolean): void;
}

export interface FrameReaderOptions {
  /** Who sends: a client masks, a server does not. */
  readonly from: 'client' | 'server';
  /** Largest payload of one frame, in bytes. */
  readonly payloadBytesMax: number;
}

const NO_BYTES = Buffer.alloc(0);
const HEAD_BYTES_MAX = 14;
const KNOWN: ReadonlyMap<number, Opcode> = new Map(Object.values(OPCODE).map((opcode) => [opcode, opcode]));
const RESERVED_BITS = 0x70;
const OPCODE_BITS = 0x0f;
const LENGTH_BITS = 0x7f;

export class FrameReader {
  /** Set once the bytes were refused; the reader is of no further use. */
  error: FrameReason | null = null;
  readonly #isMasked: boolean;
  readonly #payloadBytesMax: number;
  readonly #headBytes = Buffer.alloc(HEAD_BYTES_MAX);
  #headHave = 0;
  #headNeed = 2;
  /** The frame whose payload is being read. */
  #frame: FrameHead | null = null;
  #maskingKey = NO_BYTES;
  /** Payload bytes of the frame so far. */
  #position = 0;
  /** What the message began as that is not at its end yet. */
  #message: 'text' | 'binary' | null = null;
  /** Of all text messages: each must leave it complete. */
  readonly #utf8 = new Utf8Check();
  readonly #control = Buffer.alloc(CONTROL_BYTES_MAX);
  #isClosed = false;

  constructor(options: FrameReaderOptions) {
    this.#isMasked = options.from === 'client';
    this.#payloadBytesMax = options.payloadBytesMax;
  }

  /** Whether a Close frame was read: nothing may follow. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the bytes so far end between two frames and not within a message. */
  get isBetweenMessages(): boolean {
    return this.#frame === null && this.#headHave === 0 && this.#message === null;
  }

  /** @returns position after the last byte taken: the end, unless `error` is set */
  read(bytes: Buffer, at: number, sink: FrameSink): number {
    let position = at;
    while (position < bytes.length && this.error === null) {
      position =
        this.#frame === null
          ? this.#head(bytes, position, sink)
          : this.#payload(this.#frame, bytes, position, sink);
    }
    return position;
  }

  #head(bytes: Buffer, at: number, sink: FrameSink): number {
    const end = Math.min(bytes.length, at + this.#headNeed - this.#headHave);
    this.#headHave += bytes.copy(this.#headBytes, this.#headHave, at, end);
    if (this.#headHave < this.#headNeed) return end;
    if (this.#headNeed === 2) {
      this.error = this.#checkStart();
      this.#headNeed += this.#extendedBytes() + (this.#isMasked ? MASKING_KEY_BYTES : 0);
      if (this.error !== null || this.#headNeed > 2) return end;
    }
    const length = this.#length();
    if (typeof length === 'string') this.error = length;
    else this.#begin(length, sink);
    return end;
  }

  #extendedBytes(): number {
    const short = (this.#headBytes[1] ?? 0) & LENGTH_BITS;
    return short === LENGTH_64 ? 8 : short === LENGTH_16 ? 2 : 0;
  }

  /** What the first two bytes say. */
  #checkStart(): FrameReason | null {
    const first = this.#headBytes[0] ?? 0;
    const second = this.#headBytes[1] ?? 0;
    const opcode = KNOWN.get(first & OPCODE_BITS);
    const isMasked = (second & MASK_BIT) !== 0;
    if (this.#isClosed) return 'frame_after_close';
    if ((first & RESERVED_BITS) !== 0) return 'reserved_bits';
    if (opcode === undefined) return 'opcode_unknown';
    if (isMasked !== this.#isMasked) return this.#isMasked ? 'mask_missing' : 'mask_forbidden';
    if (opcode >= OPCODE.close) {
      if ((first & FIN_BIT) === 0) return 'control_fragmented';
      return (second & LENGTH_BITS) > CONTROL_BYTES_MAX ? 'control_too_long' : null;
    }
    if (opcode === OPCODE.continuation) return this.#message === null ? 'continuation_unexpected' : null;
    return this.#message === null ? null : 'continuation_missing';
  }

  #length(): number | FrameReason {
    const short = (this.#headBytes[1] ?? 0) & LENGTH_BITS;
    let length = short;
    if (short === LENGTH_16) {
      length = this.#headBytes.readUInt16BE(2);
      if (length < LENGTH_16) return 'length_not_minimal';
    } else if (short === LENGTH_64) {
      const high = this.#headBytes.readUInt32BE(2);
      if (high >= 0x8000_0000) return 'length_invalid';
      /* Beyond 2^53 this is not exact, and far above any limit. */
      length = high * 0x1_0000_0000 + this.#headBytes.readUInt32BE(6);
      if (length < 0x1_0000) return 'length_not_minimal';
    }
    return length > this.#payloadBytesMax ? 'frame_too_large' : length;
  }

  #begin(length: number, sink: FrameSink): void {
    const first = this.#headBytes[0] ?? 0;
    const opcode = KNOWN.get(first & OPCODE_BITS) ?? OPCODE.continuation;
    if (opcode === OPCODE.text || opcode === OPCODE.binary) {
      this.#message = opcode === OPCODE.text ? 'text' : 'binary';
    }
    const isControl = opcode >= OPCODE.close;
    const frame: FrameHead = {
      fin: (first & FIN_BIT) !== 0,
      opcode,
      message: isControl ? null : this.#message,
      length,
    };
    this.#frame = frame;
    this.#position = 0;
    if (this.#isMasked) {
      this.#maskingKey = Buffer.from(
        this.#headBytes.subarray(this.#headHave - MASKING_KEY_BYTES, this.#headHave),
      );
    }
    this.#headHave = 0;
    this.#headNeed = 2;
    if (!isControl) sink.onFrame(frame);
    if (length === 0) this.#payload(frame, NO_BYTES, 0, sink);
  }

  #payload(frame: FrameHead, bytes: Buffer, at: number, sink: FrameSink): number {
    const end = Math.min(bytes.length, at + frame.length - this.#position);
    const piece = bytes.subarray(at, end);
    const data = this.#isMasked ? masked(piece, this.#maskingKey, this.#position) : piece;
    const start = this.#position;
    this.#position += data.length;
    const isLast = this.#position === frame.length;
    if (isLast) this.#frame = null;
    if (frame.message === null) this.#controlPayload(frame, data, start, sink);
    else this.#messagePayload(frame, data, isLast, sink);
    return end;
  }

  #messagePayload(frame: FrameHead, data: Buffer, isLast: boolean, sink: FrameSink): void {
    const isEnd = isLast && frame.fin;
    if (frame.message === 'text' && !(this.#utf8.push(data) && (!isEnd || this.#utf8.isComplete))) {
      this.error = 'text_not_utf8';
      return;
    }
    if (isEnd) this.#message = null;
    sink.onPayload(data, isLast);
  }

  #controlPayload(frame: FrameHead, data: Buffer, start: number, sink: FrameSink): void {
    data.copy(this.#control, start);
    if (this.#frame !== null) return;
    const payload = Buffer.from(this.#control.subarray(0, frame.length));
    if (frame.opcode === OPCODE.close) {
      const status = parseClose(payload);
      if (!status.ok) {
        this.error = status.error;
        return;
      }
      this.#isClosed = true;
    }
    sink.onFrame(frame);
    sink.onPayload(payload, true);
  }
}
