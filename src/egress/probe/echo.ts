/**
 * Looks for a canary in an answer, in every encoding that answers to cells are scrubbed of. Trusts nothing of the
 * answer: it is read up to a limit, decoded within limits, and nothing of it is kept but where the canary stood.
 */
import type { Duplex } from 'node:stream';
import { isAppError, limits } from '../../kernel/index.ts';
import type { BodyFraming, Fields } from '../../wire/index.ts';
import type {
  AnswerHead,
  AnswerListener,
  OutgoingRequest,
  RequestStream,
  UpstreamConnection,
} from '../message.ts';
import { Refusal } from '../refusals.ts';
import { createContentScrubber, type ScrubHit, type ScrubSet, scrubText } from '../scrub/index.ts';

/** The canary came back. */
export interface Echo {
  /** `status line`, `header Set-Cookie`, `body`, `trailer X-Sum`, `interim header Link`. */
  readonly where: string;
  /** As answers to cells are searched for: `raw`, `base64`, `hex`, `percent`, … */
  readonly encoding: string;
}

/** What an answer gave away. */
export interface Searched {
  /** Null when there was no answer. */
  readonly status: number | null;
  readonly echoed: readonly Echo[];
  /** The answer was longer than what is read of it. */
  readonly truncated: boolean;
  /** Why it was not read to its end, or to the limit; null when it was. */
  readonly refusal: Refusal | null;
}

/** Words of letters, joined by hyphens, as field names are. */
const PLAIN_NAME = /^[a-z]{1,15}(?:-[a-z]{1,15}){0,5}$/;

/**
 * A field's name as it may be shown. Names are an upstream's to choose, and one that has seen a real key could choose
 * that: only what is too short and too regular to be a key is told, in one way of writing.
 */
function shownName(key: string): string {
  if (!PLAIN_NAME.test(key)) return '(unusual name)';
  return key.replaceAll(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

export class EchoSearch implements AnswerListener {
  readonly unread = { bytes: 0, bytesMax: limits.cellAnswerBytesMax };
  readonly #set: ScrubSet;
  readonly #found = new Map<string, Echo>();
  readonly #ended = Promise.withResolvers<Searched>();
  #status: number | null = null;
  #stream: RequestStream | null = null;
  #decoder: Duplex | null = null;
  #bytes = 0;
  #truncated = false;
  #over = false;
  #lingering: NodeJS.Timeout | null = null;

  /** @param set made of the canary alone */
  constructor(set: ScrubSet) {
    this.#set = set;
  }

  /**
   * Sends the request and reads the answer. The connection may carry other requests too, and is left to its owner.
   *
   * @param signal ends it at once
   */
  async ask(
    connection: UpstreamConnection,
    request: OutgoingRequest,
    signal: AbortSignal,
  ): Promise<Searched> {
    const cut = (): void => this.#finish(Refusal.of('egress_timeout'));
    signal.addEventListener('abort', cut, { once: true });
    try {
      if (signal.aborted) cut();
      else this.#stream = connection.send(request, this);
      return await this.#ended.promise;
    } finally {
      signal.removeEventListener('abort', cut);
      this.#stream?.destroy();
      this.#decoder?.destroy();
    }
  }

  onInterim(head: AnswerHead): void {
    this.#searchFields(head.fields, 'interim header');
  }

  onAnswerHead(head: AnswerHead, framing: BodyFraming): void {
    this.#status = head.status;
    this.#searchText(head.phrase, 'status line');
    this.#searchFields(head.fields, 'header');
    if (framing.kind === 'none') return;
    try {
      this.#decoder = this.#openDecoder(head.fields.list('content-encoding').join(', '));
    } catch (error) {
      this.#finish(unreadable(error));
    }
    // Of events there is no end: what comes at once is looked at.
    if (/^text\/event-stream\b/i.test(head.fields.get('content-type') ?? ''))
      this.#lingering = setTimeout(() => {
        this.#truncated = true;
        this.#finish(null);
      }, limits.probeEventsMs);
  }

  onBody(data: Buffer): void {
    if (this.#over || this.#decoder === null) return;
    if (!this.#decoder.write(data)) this.#stream?.pause();
  }

  onAnswerEnd(trailers: Fields): void {
    this.#searchFields(trailers, 'trailer');
    if (this.#decoder === null) this.#finish(null);
    else this.#decoder.end();
  }

  onUpstreamFailure(refusal: Refusal): void {
    this.#finish(refusal);
  }

  onUpstreamDrain(): void {
    /* Requests are sent in one piece. */
  }

  #openDecoder(coding: string): Duplex {
    const decoder = createContentScrubber(this.#set, coding === '' ? undefined : coding, (hit) =>
      this.#hit('body', hit),
    );
    decoder.on('data', (plain: Buffer) => {
      this.#bytes += plain.length;
      if (this.#bytes <= limits.probeAnswerBytesMax) return;
      this.#truncated = true;
      this.#finish(null);
    });
    decoder.on('drain', () => this.#stream?.resume());
    decoder.on('end', () => this.#finish(null));
    decoder.on('error', (error) => this.#finish(unreadable(error)));
    return decoder;
  }

  #searchFields(fields: Fields, kind: string): void {
    for (let index = 0; index < fields.length; index += 1) {
      const name = fields.names[index] ?? '';
      const where = `${kind} ${shownName(fields.keys[index] ?? '')}`;
      this.#searchText(name, where);
      this.#searchText(fields.values[index] ?? '', where);
    }
  }

  #searchText(text: string, where: string): void {
    scrubText(this.#set, text, (hit) => this.#hit(where, hit));
  }

  #hit(where: string, { encoding }: ScrubHit): void {
    const key = `${where}: ${encoding}`;
    if (this.#found.size < limits.probeEchoesMax) this.#found.set(key, { where, encoding });
  }

  #finish(refusal: Refusal | null): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#lingering !== null) clearTimeout(this.#lingering);
    this.#ended.resolve({
      status: this.#status,
      echoed: [...this.#found.values()],
      truncated: this.#truncated,
      refusal,
    });
  }
}

const unreadable = (error: unknown): Refusal =>
  Refusal.of('egress_content_coding', { reason: isAppError(error) ? error.code : 'failed' });
