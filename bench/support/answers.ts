/**
 * Finds the ends of answers over HTTP/1.1, for clients of benchmarks: bytes are counted, never kept. It trusts the
 * server, as it knows it: what it cannot read is an error.
 */

const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;
const CHUNKED = /\r\ntransfer-encoding: chunked\r\n/i;
const STATUS = /^HTTP\/1\.1 (\d{3}) /;
const LF = 10;

type State = 'head' | 'body' | 'size' | 'data' | 'last';

export class Answers {
  /** Of the bodies so far. */
  bytes = 0;
  /** Of the last answer. */
  status = 0;
  /** Its head, up to its last field. */
  head = '';
  #state: State = 'head';
  #text = '';
  #left = 0;

  /** Takes the first `length` bytes; true when an answer is whole. What follows one was not asked for. */
  push(buffer: Buffer, length: number): boolean {
    let at = 0;
    while (at < length) {
      if (this.#state === 'head') {
        const before = this.#text.length;
        this.#text += buffer.toString('latin1', at, length);
        const end = this.#text.indexOf('\r\n\r\n');
        if (end < 0) return false;
        at += end + 4 - before;
        const isEmpty = this.#head(this.#text.slice(0, end + 2));
        this.#text = '';
        if (isEmpty) return this.#whole(at, length);
      } else if (this.#state === 'body' || this.#state === 'data') {
        const taken = Math.min(this.#left, length - at);
        at += taken;
        this.#left -= taken;
        if (this.#left > 0) return false;
        if (this.#state === 'body') return this.#whole(at, length);
        this.#state = 'size';
      } else {
        const end = buffer.indexOf(LF, at);
        const isThere = end >= 0 && end < length;
        this.#text += buffer.toString('latin1', at, isThere ? end : length);
        if (!isThere) return false;
        at = end + 1;
        const line = this.#text.trim();
        this.#text = '';
        if (this.#state === 'last' && line === '') return this.#whole(at, length);
        if (this.#state === 'size' && line !== '') this.#chunk(Number.parseInt(line, 16));
      }
    }
    return false;
  }

  /** @returns whether that was all */
  #head(head: string): boolean {
    this.head = head;
    this.status = Number(STATUS.exec(head)?.[1]);
    const length = LENGTH.exec(head);
    if (length !== null) {
      this.#state = 'body';
      this.#left = Number(length[1]);
      this.bytes += this.#left;
      return this.#left === 0;
    }
    if (!CHUNKED.test(head)) throw new Error(`an answer without an end: ${head.slice(0, 400)}`);
    this.#state = 'size';
    return false;
  }

  #chunk(bytes: number): void {
    if (!Number.isInteger(bytes)) throw new Error('a chunk without a size');
    this.bytes += bytes;
    this.#left = bytes;
    this.#state = bytes === 0 ? 'last' : 'data';
  }

  #whole(at: number, length: number): true {
    if (at !== length) throw new Error('more than one answer to one request');
    this.#state = 'head';
    return true;
  }
}
