/**
 * The way of an answer back into the cell: fields filtered and scrubbed, body decoded where it is coded,
 * scrubbed, and framed anew. What is known to be harmless goes on at once; a small answer that is all there
 * leaves as one piece.
 */
import type { Duplex } from 'node:stream';
import { isAppError, limits } from '../kernel/index.ts';
import {
  type BodyFraming,
  CHUNK_END,
  encodeChunkSize,
  encodeLastChunk,
  encodeResponseHead,
  Fields,
  HEAD_ENCODING,
  type ResponseHead,
} from '../wire/index.ts';
import { forwardedFields } from './forwarded-fields.ts';
import { Refusal } from './refusals.ts';
import {
  createContentScrubber,
  createScrubber,
  type Scrubber,
  type ScrubHit,
  type ScrubSet,
  scrubText,
} from './scrub/index.ts';

/** Where an answer goes, and who carries it there. */
export interface AnswerSink {
  /** HTTP/1.0 clients understand no chunks. */
  readonly minor: 0 | 1;
  /** @returns false when the sender should wait */
  write(data: Buffer | string): boolean;
  cork(): void;
  uncork(): void;
  /** What answers are scrubbed of now. */
  readonly scrubSet: ScrubSet;
  /** Pauses or resumes the upstream. */
  holdUpstream(hold: boolean): void;
  onHit(hit: ScrubHit): void;
  /** All of the answer is written. @param persist the connection can be used for another request */
  onWritten(persist: boolean): void;
  /** The answer cannot be carried to its end. */
  onBroken(refusal: Refusal): void;
}

type Framing = 'none' | 'length' | 'chunked' | 'close';

const FRAMING_FIELDS: ReadonlySet<string> = new Set(['content-length']);
/** True of the coded body only. */
const CODED_FIELDS: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-md5',
  'content-digest',
  'repr-digest',
  'digest',
]);
const EMPTY = Buffer.alloc(0);

export class Answer {
  /** Whether anything of the final answer was written. */
  begun = false;
  status = 0;
  /** Body bytes written. */
  bytes = 0;
  readonly #sink: AnswerSink;
  #set: ScrubSet;
  /** Whether the client asked for the connection to stay, and is where the next request would begin. */
  readonly #mayPersist: () => boolean;
  #framing: Framing = 'none';
  #head = '';
  #whole: Buffer[] | null = null;
  #scrubber: Scrubber | null = null;
  /** For what became known since the answer began: an event stream can be older than a key that comes in it. */
  readonly #later: Scrubber[] = [];
  #decoder: Duplex | null = null;
  #trailers = new Fields();
  #persist = false;

  constructor(sink: AnswerSink, mayPersist: () => boolean) {
    this.#sink = sink;
    this.#set = sink.scrubSet;
    this.#mayPersist = mayPersist;
  }

  /** Relays an interim (1xx) answer. */
  interim(head: ResponseHead): void {
    if (this.#sink.minor === 0) return;
    const fields = this.#scrubFields(forwardedFields(head.fields, () => true));
    this.#sink.write(encodeResponseHead(head.status, this.#scrubPhrase(head.phrase), fields));
  }

  /**
   * @param whole all of the body follows before control returns
   * @throws Refusal `egress_content_coding`
   */
  head(head: ResponseHead, framing: BodyFraming, whole: boolean): void {
    const scrubs = this.#set.table !== null;
    const coding = head.fields.list('content-encoding').join(', ');
    const isCoded = coding !== '' && coding !== 'identity';
    if (scrubs && isCoded && framing.kind !== 'none') this.#decode(coding);
    else if (scrubs && framing.kind !== 'none')
      this.#scrubber = createScrubber(this.#set, (hit) => this.#sink.onHit(hit));
    this.status = head.status;
    const isRewritten = this.#scrubber !== null || this.#decoder !== null;
    this.#framing = this.#framingFor(framing, isRewritten);
    const dropped = this.#decoder === null ? FRAMING_FIELDS : CODED_FIELDS;
    /* The size of a coded body tells how well a guess in it compresses together with the key (BREACH). */
    const keepsLength = framing.kind === 'none' && head.status !== 204 && !(scrubs && isCoded);
    const fields = this.#scrubFields(
      forwardedFields(head.fields, (key) => !dropped.has(key) || (keepsLength && key === 'content-length')),
    );
    this.#persist = this.#framing !== 'close' && this.#mayPersist();
    if (!this.#persist) fields.add('Connection', 'close');
    if (whole && this.#decoder === null && framing.kind === 'length') {
      this.#whole = [];
      this.#framing = 'length';
      this.#head = encodeHead(head.status, this.#scrubPhrase(head.phrase), fields);
      return;
    }
    if (this.#framing === 'length' && framing.kind === 'length')
      fields.add('Content-Length', String(framing.bytes));
    if (this.#framing === 'chunked') fields.add('Transfer-Encoding', 'chunked');
    this.begun = true;
    this.#sink.write(`${encodeHead(head.status, this.#scrubPhrase(head.phrase), fields)}\r\n`);
  }

  body(data: Buffer): void {
    if (this.#whole !== null) this.#whole.push(data);
    else if (this.#decoder !== null) {
      if (!this.#decoder.write(data)) this.#sink.holdUpstream(true);
    } else this.#emit(this.#scrubber === null ? data : this.#scrubLater(this.#scrubber.push(data)));
  }

  end(trailers: Fields): void {
    this.#trailers = trailers;
    if (this.#whole !== null) this.#writeWhole(this.#whole);
    else if (this.#decoder !== null) this.#decoder.end();
    else {
      if (this.#scrubber !== null) this.#emitLast(this.#scrubber.end());
      this.#finish();
    }
  }

  /** The client has read what was written. */
  drained(): void {
    if (this.#decoder === null) this.#sink.holdUpstream(false);
    else this.#decoder.resume();
  }

  /** Nobody wants the rest. */
  drop(): void {
    this.#decoder?.destroy();
  }

  #framingFor(framing: BodyFraming, isRewritten: boolean): Framing {
    if (framing.kind === 'none') return 'none';
    if (framing.kind === 'length' && !isRewritten) return 'length';
    return this.#sink.minor === 1 ? 'chunked' : 'close';
  }

  #decode(coding: string): void {
    let decoder: Duplex;
    try {
      decoder = createContentScrubber(this.#set, coding, (hit) => this.#sink.onHit(hit));
    } catch (error) {
      throw Refusal.of(
        'egress_content_coding',
        { reason: coding.slice(0, 80) },
        { error: isAppError(error) ? error.code : 'failed' },
      );
    }
    this.#decoder = decoder;
    decoder.on('data', (plain: Buffer) => {
      if (!this.#emit(this.#scrubLater(plain))) decoder.pause();
    });
    decoder.on('drain', () => this.#sink.holdUpstream(false));
    decoder.on('end', () => {
      this.#emitLast(EMPTY);
      this.#finish();
    });
    decoder.on('error', (error) =>
      this.#sink.onBroken(
        Refusal.of('egress_content_coding', { reason: isAppError(error) ? error.code : 'failed' }),
      ),
    );
  }

  #scrubLater(data: Buffer): Buffer {
    if (this.#set !== this.#sink.scrubSet) {
      this.#set = this.#sink.scrubSet;
      this.#later.push(createScrubber(this.#set, (hit) => this.#sink.onHit(hit)));
    }
    return this.#later.reduce((passed, scrubber) => scrubber.push(passed), data);
  }

  #emitLast(data: Buffer): void {
    let rest = this.#scrubLater(data);
    for (const [index, scrubber] of this.#later.entries()) {
      const held = scrubber.end();
      rest = Buffer.concat([
        rest,
        this.#later.slice(index + 1).reduce((passed, next) => next.push(passed), held),
      ]);
    }
    this.#emit(rest);
  }

  /** @returns false when the sender should wait */
  #emit(data: Buffer): boolean {
    if (data.length === 0) return true;
    this.bytes += data.length;
    let flows: boolean;
    if (this.#framing === 'chunked') {
      this.#sink.cork();
      this.#sink.write(encodeChunkSize(data.length));
      this.#sink.write(data);
      flows = this.#sink.write(CHUNK_END);
      this.#sink.uncork();
    } else {
      flows = this.#sink.write(data);
    }
    if (!flows && this.#decoder === null) this.#sink.holdUpstream(true);
    return flows;
  }

  #writeWhole(pieces: readonly Buffer[]): void {
    const [only = EMPTY] = pieces;
    const received = pieces.length > 1 ? Buffer.concat(pieces) : only;
    let body = received;
    if (this.#scrubber !== null) {
      const passed = this.#scrubber.push(received);
      const held = this.#scrubber.end();
      body = held.length === 0 ? passed : Buffer.concat([passed, held]);
    }
    this.bytes = body.length;
    this.begun = true;
    const head = `${this.#head}Content-Length: ${body.length}\r\n\r\n`;
    const message = Buffer.allocUnsafe(head.length + body.length);
    message.write(head, 0, HEAD_ENCODING);
    body.copy(message, head.length);
    this.#sink.write(message);
    this.#sink.onWritten(this.#persist);
  }

  #finish(): void {
    if (this.#framing === 'chunked') {
      const trailers =
        this.#trailers.length === 0
          ? this.#trailers
          : this.#scrubFields(forwardedFields(this.#trailers, () => true));
      this.#sink.write(encodeLastChunk(trailers));
    }
    this.#sink.onWritten(this.#persist);
  }

  /** One search over all fields; only when something was found, one per field. */
  #scrubFields(fields: Fields): Fields {
    if (this.#set.table === null) return fields;
    const all = `${fields.names.join('\n')}\n${fields.values.join('\n')}`;
    if (scrubText(this.#set, all) === all) return fields;
    const scrubbed = new Fields();
    for (let index = 0; index < fields.length; index += 1) {
      const value = fields.values[index] ?? '';
      const name = fields.names[index] ?? '';
      /* A name cannot be masked and stay a name. */
      if (scrubText(this.#set, name, (hit) => this.#sink.onHit(hit)) !== name) continue;
      scrubbed.add(name, lineSafe(scrubText(this.#set, value, (hit) => this.#sink.onHit(hit))));
    }
    return scrubbed;
  }

  #scrubPhrase(phrase: string): string {
    return this.#set.table === null || phrase.length < limits.scrubValueBytesMin
      ? phrase
      : lineSafe(scrubText(this.#set, phrase, (hit) => this.#sink.onHit(hit)));
  }
}

const UNSAFE = /[^\t\x20-\x7e\x80-\xff]/g;
/** Masks are printable; this keeps a head a head whatever they are. */
const lineSafe = (text: string): string => text.replace(UNSAFE, '?');

/** A head without its empty line. */
const encodeHead = (status: number, phrase: string, fields: Fields): string =>
  encodeResponseHead(status, phrase, fields).slice(0, -2);
