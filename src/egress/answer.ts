/**
 * The way of an answer back into the cell: fields filtered and scrubbed, body decoded where it is coded,
 * and scrubbed. What is known to be harmless goes on at once; a small answer that is all there leaves as one piece.
 */
import type { Duplex } from 'node:stream';
import { isAppError, limits } from '../kernel/index.ts';
import { type BodyFraming, Fields } from '../wire/index.ts';
import { isReadableType } from './charset.ts';
import { type EnvelopedMessages, envelopedMessages } from './enveloped-messages.ts';
import { forwardedFields, messageCoding } from './forwarded-fields.ts';
import type { AnswerBody, AnswerHead, ExchangeClient } from './message.ts';
import { Refusal } from './refusals.ts';
import {
  createContentScrubber,
  createScrubber,
  type Scrubber,
  type ScrubHit,
  type ScrubSet,
  scrubText,
} from './scrub/index.ts';

/** Who carries an answer. */
export interface AnswerCarrier {
  /** What answers are scrubbed of now. */
  readonly scrubSet: ScrubSet;
  /** Whether there is, or can come to be, anything to scrub: a key may become known while an answer is under way. */
  readonly scrubs: boolean;
  /** Pauses or resumes the upstream. */
  holdUpstream(hold: boolean): void;
  onHit(hit: ScrubHit): void;
  /** All of the answer is written. */
  onWritten(): void;
  /** The answer cannot be carried to its end. */
  onBroken(refusal: Refusal): void;
}

/** Written anew by whoever frames the answer. */
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
/** Of answers in which no server may declare one, and some declare zero (RFC 9110 section 8.6). */
const withoutLength = (key: string): boolean => key !== 'content-length';
const EMPTY = Buffer.alloc(0);

export class Answer {
  /** Whether anything of the final answer was written. */
  begun = false;
  status = 0;
  /** Body bytes written. */
  bytes = 0;
  readonly #client: ExchangeClient;
  readonly #carrier: AnswerCarrier;
  #set: ScrubSet;
  /** Head of an answer that is collected, to leave as one piece. */
  #head: AnswerHead | null = null;
  #whole: Buffer[] | null = null;
  #hasBody = true;
  #scrubber: Scrubber | null = null;
  /** For what became known since the answer began: an event stream can be older than a key that comes in it. */
  readonly #later: Scrubber[] = [];
  #decoder: Duplex | null = null;
  /** Where nothing may be held back, in bodies that are messages. */
  #messages: EnvelopedMessages | null = null;
  #trailers = new Fields();

  constructor(client: ExchangeClient, carrier: AnswerCarrier) {
    this.#client = client;
    this.#carrier = carrier;
    this.#set = carrier.scrubSet;
  }

  /** Relays an interim (1xx) answer. */
  interim(head: AnswerHead): void {
    this.#client.interim(this.#scrubHead(head, withoutLength));
  }

  /** The head of an answer that ends HTTP on the connection, as the client may see it. */
  upgraded(head: AnswerHead): AnswerHead {
    return this.#scrubHead(head, withoutLength);
  }

  /**
   * @param whole all of the body follows before control returns
   * @throws Refusal `egress_content_coding`
   */
  head(head: AnswerHead, framing: BodyFraming, whole: boolean): void {
    const { scrubs } = this.#carrier;
    const messages = scrubs ? messageCoding(head.fields) : null;
    if (messages !== null) throw Refusal.of('egress_content_coding', { reason: messages });
    if (scrubs && framing.kind !== 'none' && !isReadableType(head.fields.list('content-type').join(', ')))
      throw Refusal.of('egress_content_charset');
    const coding = head.fields.list('content-encoding').join(', ');
    const isCoded = coding !== '' && coding !== 'identity';
    if (framing.kind === 'none') this.#hasBody = false;
    else if (scrubs && isCoded) this.#decode(coding);
    else if (scrubs) {
      this.#scrubber = createScrubber(this.#set, this.#onHit);
      this.#messages = envelopedMessages(head.fields);
    }
    this.status = head.status;
    const dropped = this.#decoder === null ? FRAMING_FIELDS : CODED_FIELDS;
    /* The size of a coded body tells how well a guess in it compresses together with the key (BREACH). */
    const keepsLength = framing.kind === 'none' && head.status !== 204 && !(scrubs && isCoded);
    const clean = this.#scrubHead(
      head,
      (key) => !dropped.has(key) || (keepsLength && key === 'content-length'),
    );
    if (whole && this.#decoder === null && framing.kind === 'length') {
      this.#whole = [];
      this.#head = clean;
      return;
    }
    this.begun = true;
    this.#client.begin(clean, this.#bodyFor(framing));
  }

  body(data: Buffer): void {
    if (this.#whole !== null) this.#whole.push(data);
    else if (this.#decoder !== null) {
      if (!this.#decoder.write(data)) this.#carrier.holdUpstream(true);
    } else if (this.#scrubber === null) this.#emit(data);
    else {
      this.#scrubber.pass(data, this.#passed);
      if (this.#messages?.endsWith(data) === true) this.#endMessage(this.#scrubber);
    }
  }

  end(trailers: Fields): void {
    this.#trailers = trailers;
    if (this.#whole !== null && this.#head !== null) this.#writeWhole(this.#head, this.#whole);
    else if (this.#decoder !== null) this.#decoder.end();
    else {
      if (this.#scrubber !== null) this.#emitLast(this.#scrubber.end());
      this.#finish();
    }
  }

  readonly #onHit = (hit: ScrubHit): void => this.#carrier.onHit(hit);

  /** What the first scrubber lets pass. */
  readonly #passed = (data: Buffer): void => this.#emit(this.#scrubLater(data));

  /** The client has read what was written. */
  drained(): void {
    if (this.#decoder === null) this.#carrier.holdUpstream(false);
    else this.#decoder.resume();
  }

  /** Nobody wants the rest. */
  drop(): void {
    this.#decoder?.destroy();
  }

  #bodyFor(framing: BodyFraming): AnswerBody {
    if (framing.kind === 'none') return framing;
    const isRewritten = this.#scrubber !== null || this.#decoder !== null;
    return framing.kind === 'length' && !isRewritten ? framing : { kind: 'unknown' };
  }

  #decode(coding: string): void {
    let decoder: Duplex;
    try {
      decoder = createContentScrubber(this.#set, coding, this.#onHit);
    } catch (error) {
      throw Refusal.of(
        'egress_content_coding',
        { reason: 'unknown' }, // what the upstream wrote there could be anything, a key in lower case for example
        { error: isAppError(error) ? error.code : 'failed' },
      );
    }
    this.#decoder = decoder;
    decoder.on('data', this.#passed);
    decoder.on('drain', () => this.#carrier.holdUpstream(false));
    decoder.on('end', () => {
      this.#emitLast(EMPTY);
      this.#finish();
    });
    decoder.on('error', (error) =>
      this.#carrier.onBroken(
        Refusal.of('egress_content_coding', { reason: isAppError(error) ? error.code : 'failed' }),
      ),
    );
  }

  #scrubLater(data: Buffer): Buffer {
    if (this.#set !== this.#carrier.scrubSet) {
      this.#set = this.#carrier.scrubSet;
      this.#later.push(createScrubber(this.#set, this.#onHit));
    }
    return this.#later.length === 0
      ? data
      : this.#later.reduce((passed, scrubber) => scrubber.push(passed), data);
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

  #endMessage(scrubber: Scrubber): void {
    this.#emitLast(scrubber.end());
    this.#set = this.#carrier.scrubSet;
    this.#later.length = 0;
    this.#scrubber = createScrubber(this.#set, this.#onHit);
  }

  #emit(data: Buffer): void {
    if (data.length === 0) return;
    this.bytes += data.length;
    if (this.#client.data(data)) return;
    if (this.#decoder === null) this.#carrier.holdUpstream(true);
    else this.#decoder.pause();
  }

  #writeWhole(head: AnswerHead, pieces: readonly Buffer[]): void {
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
    this.#client.whole(head, body);
    this.#carrier.onWritten();
  }

  #finish(): void {
    if (this.#hasBody) {
      const trailers = this.#trailers;
      this.#client.end(
        trailers.length === 0 ? trailers : this.#scrubFields(forwardedFields(trailers, () => true)),
      );
    }
    this.#carrier.onWritten();
  }

  #scrubHead({ status, phrase, fields }: AnswerHead, keep: (key: string) => boolean): AnswerHead {
    return {
      status,
      phrase: this.#scrubPhrase(phrase),
      fields: this.#scrubFields(forwardedFields(fields, keep)),
    };
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
      if (scrubText(this.#set, name, this.#onHit) !== name) continue;
      scrubbed.add(name, lineSafe(scrubText(this.#set, value, this.#onHit)));
    }
    return scrubbed;
  }

  #scrubPhrase(phrase: string): string {
    return this.#set.table === null || phrase.length < limits.scrubValueBytesMin
      ? phrase
      : lineSafe(scrubText(this.#set, phrase, this.#onHit));
  }
}

const UNSAFE = /[^\t\x20-\x7e\x80-\xff]/g;
/** Masks are printable; this keeps a head a head whatever they are. */
const lineSafe = (text: string): string => text.replace(UNSAFE, '?');
