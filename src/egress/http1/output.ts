/**
 * What is written to a client within one turn of the event loop leaves together, as one chunk where chunks are due:
 * pieces come as small as TLS records are, and each write of its own would cost records, system calls and buffers.
 * Nothing waits for longer than the turn, so event streams are not delayed. Nothing is copied.
 */
import type { Writable } from 'node:stream';
import { limits } from '../../kernel/index.ts';
import { CHUNK_END, encodeChunkSize, HEAD_ENCODING } from '../../wire/index.ts';

const CHUNK_END_BYTES = Buffer.from(CHUNK_END, HEAD_ENCODING);

export class Http1Output {
  readonly #socket: Writable;
  readonly #onRoom: () => void;
  /** Written before the pieces. */
  #text = '';
  #pieces: Buffer[] = [];
  /** Of the pieces. */
  #bytes = 0;
  #chunked = false;
  #isScheduled = false;
  /** Whether the sender was told to wait. */
  #isHolding = false;

  /** @param onRoom the sender waits for room, there is some, and the socket will not say so by `drain` */
  constructor(socket: Writable, onRoom: () => void) {
    this.#socket = socket;
    this.#onRoom = onRoom;
  }

  /** Writes at once, after everything that was to come before. @returns false when the sender should wait for `drain` */
  write(data: Buffer | string): boolean {
    this.flush();
    return this.#socket.write(data, HEAD_ENCODING);
  }

  /** The head of an answer whose body follows. @param chunked whether the body goes out in chunks */
  begin(head: string, chunked: boolean): void {
    this.flush();
    this.#text = head;
    this.#chunked = chunked;
    this.#schedule();
  }

  /** @param data not empty, and not changed any more @returns false when the sender should wait for room */
  data(data: Buffer): boolean {
    const socket = this.#socket;
    this.#pieces.push(data);
    this.#bytes += data.length;
    if (this.#bytes >= limits.answerGatheredBytesMax) return this.flush();
    this.#schedule();
    this.#isHolding = socket.writableLength + this.#bytes >= socket.writableHighWaterMark;
    return !this.#isHolding;
  }

  /** The end of the body. @param last what stands after it */
  end(last: string): void {
    this.#flush(last);
  }

  /** Writes what has been gathered. @returns false when the sender should wait for `drain` */
  flush(): boolean {
    return this.#flush('');
  }

  #flush(last: string): boolean {
    const socket = this.#socket;
    const [text, pieces, bytes] = [this.#text, this.#pieces, this.#bytes];
    if (text === '' && bytes === 0 && last === '') return !socket.writableNeedDrain;
    this.#text = '';
    this.#pieces = [];
    this.#bytes = 0;
    socket.cork();
    const size = this.#chunked && bytes > 0 ? encodeChunkSize(bytes) : '';
    if (text !== '' || size !== '') socket.write(Buffer.from(text + size, HEAD_ENCODING));
    for (const piece of pieces) socket.write(piece);
    if (size !== '') socket.write(CHUNK_END_BYTES);
    if (last !== '') socket.write(Buffer.from(last, HEAD_ENCODING));
    socket.uncork();
    return !socket.writableNeedDrain;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#turnEnded);
  }

  readonly #turnEnded = (): void => {
    this.#isScheduled = false;
    this.#flush('');
    const isHolding = this.#isHolding;
    this.#isHolding = false;
    if (isHolding && !this.#socket.writableNeedDrain) this.#onRoom();
  };
}
