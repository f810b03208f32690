/**
 * Server-Sent Events from bytes, as the HTML standard reads them (section 9.2.6). Holds one event at most, and no more of
 * it than is allowed: what is longer is passed over to its end, and said so.
 *
 * Trusts nothing: a line may end in CR, LF or both, wherever the pieces are cut.
 */
import { isUtf8 } from 'node:buffer';
import { limits } from '../../kernel/index.ts';
import { Pieces } from '../upstream/pieces.ts';

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
/** What can be sent back in a header; any other id is as good as none. */
const USABLE_ID = /^[\x20-\x7e]*$/;

export interface SseSink {
  /** @param type `message` where the server named none */
  event(type: string, data: string): void;
  /** How long to wait before coming again, in milliseconds. */
  retry(ms: number): void;
  /** An event that is longer than allowed, or not UTF-8; what follows of it is passed over. */
  broken(reason: 'too_long' | 'not_utf8'): void;
}

export class SseParser {
  readonly #maxBytes: number;
  readonly #sink: SseSink;
  readonly #line = new Pieces();
  #lineBytes = 0;
  #afterCr = false;
  #isFirstLine = true;
  #type = '';
  #data: string[] = [];
  #dataBytes = 0;
  #broken: 'too_long' | 'not_utf8' | null = null;
  #id: string | null = null;
  #lastEventId: string | null = null;

  /** @param maxBytes of one event's data, and of one line */
  constructor(maxBytes: number, sink: SseSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Of the last event that was complete; null where it had none that can be sent back. */
  get lastEventId(): string | null {
    return this.#lastEventId;
  }

  /** Of the event that has begun. */
  get heldBytes(): number {
    return this.#broken === null ? this.#lineBytes + this.#dataBytes : 0;
  }

  push(chunk: Buffer): void {
    let from = this.#afterCr && chunk[0] === LF ? 1 : 0;
    if (chunk.length > 0) this.#afterCr = false;
    let [lf, cr] = [chunk.indexOf(LF, from), chunk.indexOf(CR, from)];
    while (lf !== -1 || cr !== -1) {
      const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr;
      this.#take(chunk.subarray(from, end));
      this.#endLine();
      from = end + 1;
      if (end === cr) {
        if (chunk[from] === LF) from += 1;
        else this.#afterCr = from === chunk.length;
      }
      if (lf !== -1 && lf < from) lf = chunk.indexOf(LF, from);
      if (cr !== -1 && cr < from) cr = chunk.indexOf(CR, from);
    }
    if (from < chunk.length) this.#take(chunk.subarray(from));
  }

  #take(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#lineBytes += piece.length;
    if (this.#lineBytes + this.#dataBytes > this.#maxBytes) {
      this.#break('too_long');
      this.#line.clear();
    } else this.#line.push(piece);
  }

  /** Said at once: its end may never come. */
  #break(reason: 'too_long' | 'not_utf8'): void {
    this.#data = [];
    this.#dataBytes = 0;
    if (this.#broken !== null) return;
    this.#broken = reason;
    this.#sink.broken(reason);
  }

  #endLine(): void {
    let bytes = this.#line.take();
    const isWhole = bytes.length === this.#lineBytes;
    this.#lineBytes = 0;
    if (this.#isFirstLine && bytes.subarray(0, 3).equals(BOM)) bytes = bytes.subarray(3);
    this.#isFirstLine = false;
    if (!isWhole) return;
    if (bytes.length === 0) this.#dispatch();
    else if (bytes[0] !== COLON) this.#field(bytes);
  }

  #field(bytes: Buffer): void {
    if (!isUtf8(bytes)) return this.#break('not_utf8');
    const colon = bytes.indexOf(COLON);
    const name = bytes.toString('latin1', 0, colon === -1 ? bytes.length : colon);
    const start = colon === -1 ? bytes.length : colon + (bytes[colon + 1] === SPACE ? 2 : 1);
    if (name === 'data') {
      if (this.#broken !== null) return;
      this.#dataBytes += bytes.length;
      this.#data.push(bytes.toString('utf8', start));
      return;
    }
    const value = bytes.toString('utf8', start);
    if (name === 'event') this.#type = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^\d{1,9}$/.test(value)) this.#sink.retry(Number(value));
  }

  #dispatch(): void {
    const [type, data, isBroken] = [this.#type, this.#data, this.#broken !== null];
    this.#type = '';
    this.#data = [];
    this.#dataBytes = 0;
    this.#broken = null;
    if (this.#id !== null) {
      const isUsable = USABLE_ID.test(this.#id) && this.#id.length <= limits.eventIdCharsMax;
      this.#lastEventId = isUsable && this.#id !== '' ? this.#id : null;
    }
    if (!isBroken && data.length > 0) this.#sink.event(type === '' ? 'message' : type, data.join('\n'));
  }
}
