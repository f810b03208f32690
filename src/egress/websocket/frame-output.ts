/**
 * Writes frames to one side of a WebSocket. A frame of usual size stays one frame; a longer one becomes several
 * (RFC 6455 section 5.4 lets an intermediary do that where no extension is in use), so that nothing is held that
 * need not be, and there is always a place for a Close between two frames. Trusts that what it is given was judged.
 */
import { limits, type Random } from '../../kernel/index.ts';
import { encodeFrameHead, masked, MASKING_KEY_BYTES, OPCODE, type Opcode } from '../../wire/index.ts';

/** What a piece of a message is the end of. */
export type PieceEnd = 'nothing' | 'frame' | 'message';

/** Masking keys drawn at a time. */
const KEYS_AT_ONCE = 256;

/** New for each frame, and not to be foreseen by whoever chose the payload (RFC 6455 section 10.3). */
export class MaskingKeys {
  readonly #random: Random;
  #drawn: Buffer = Buffer.alloc(0);

  constructor(random: Random) {
    this.#random = random;
  }

  next(): Buffer {
    if (this.#drawn.length === 0) this.#drawn = this.#random.bytes(KEYS_AT_ONCE * MASKING_KEY_BYTES);
    const key = this.#drawn.subarray(0, MASKING_KEY_BYTES);
    this.#drawn = this.#drawn.subarray(MASKING_KEY_BYTES);
    return key;
  }
}

export class FrameOutput {
  /** The other side should read first. */
  isFull = false;
  /** Bytes written, frame heads included. */
  bytes = 0;
  readonly #write: (data: Buffer) => boolean;
  readonly #keys: MaskingKeys | null;
  /** Frames that are not written yet. */
  #frames: Buffer[] = [];
  /** Of the message that is being written: what is no frame yet. */
  #pieces: Buffer[] = [];
  #piecesBytes = 0;
  /** Where small pieces go; behind those in `#pieces`. */
  #block: Buffer | null = null;
  #blockBytes = 0;
  /** Whether a frame of that message is written. */
  #isContinued = false;
  #isClosed = false;

  /** @param keys where this side has to be masked to */
  constructor(write: (data: Buffer) => boolean, keys: MaskingKeys | null) {
    this.#write = write;
    this.#keys = keys;
  }

  /** Whether a Close was written: nothing can follow. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A piece of a message, which may be empty. */
  piece(kind: 'text' | 'binary', data: Buffer, end: PieceEnd): void {
    const isPart = end === 'nothing' && this.#piecesBytes + data.length < limits.webSocketPieceBytes;
    if (data.length > 0) this.#keep(data, isPart);
    if (isPart) return;
    /* A frame with nothing in it says nothing, unless it ends the message. */
    if (end !== 'message' && this.#piecesBytes === 0) return;
    const payload = this.#take();
    this.#frame(this.#isContinued ? OPCODE.continuation : OPCODE[kind], payload, end === 'message');
    this.#isContinued = end !== 'message';
  }

  /** Every piece is an object, and they may come byte by byte and take their time: what waits is put together. */
  #keep(data: Buffer, isPart: boolean): void {
    this.#piecesBytes += data.length;
    if (this.#block !== null && this.#blockBytes + data.length > this.#block.length) this.#closeBlock();
    if (this.#block === null && (!isPart || data.length >= limits.collectedBlockBytes)) {
      this.#pieces.push(data);
      return;
    }
    this.#block ??= Buffer.allocUnsafeSlow(limits.collectedBlockBytes);
    this.#blockBytes += data.copy(this.#block, this.#blockBytes);
  }

  #closeBlock(): void {
    if (this.#block !== null) this.#pieces.push(this.#block.subarray(0, this.#blockBytes));
    this.#block = null;
    this.#blockBytes = 0;
  }

  #take(): Buffer {
    this.#closeBlock();
    const [only] = this.#pieces;
    const payload = this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#piecesBytes = 0;
    return payload;
  }

  /** @param payload up to 125 bytes */
  control(opcode: Opcode, payload: Buffer): void {
    this.#frame(opcode, payload, true);
    if (opcode === OPCODE.close) this.#isClosed = true;
  }

  /** Writes what there is: once for all that arrived together. */
  flush(): void {
    if (this.#frames.length === 0) return;
    const data = Buffer.concat(this.#frames);
    this.#frames = [];
    this.bytes += data.length;
    this.isFull = !this.#write(data);
  }

  #frame(opcode: Opcode, payload: Buffer, fin: boolean): void {
    if (this.#isClosed) return;
    const maskingKey = this.#keys?.next() ?? null;
    this.#frames.push(
      encodeFrameHead({ fin, opcode, length: payload.length, maskingKey }),
      maskingKey === null ? payload : masked(payload, maskingKey, 0),
    );
  }
}
