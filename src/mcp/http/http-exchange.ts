/**
 * One POST with requests in it and its response. It is answered as plain JSON when the answers come first and
 * soon, and turns into an event stream as soon as anything else belongs on it.
 */
import { AppError, limits } from '../../kernel/index.ts';
import { answerJson, retryAfter } from './http-answer.ts';
import type { FrontRequest, FrontResponse } from './http-message.ts';

/** An event stream that answers and other messages go out on. */
export interface Outlet {
  /** Whether what is sent now reaches the client. */
  readonly connected: boolean;
  /** @param text one JSON text */
  send(text: string): void;
  /** Ends the response; the client comes back for the rest, of which `again` is told. Absent: it could not. */
  pause?(retryMs: number, again: () => void): void;
  end(): void;
}

export interface ExchangeOptions {
  readonly idTexts: readonly string[];
  readonly batch: boolean;
  /** Headers of a JSON response; asked when it begins. */
  headers(): Readonly<Record<string, string>>;
  /** Makes the response an event stream. */
  stream(res: FrontResponse): Outlet;
  /** The status of a JSON response, from its text. */
  status(text: string): number;
  /** Whether the response may begin before the first answer is there. */
  readonly streamEarly: boolean;
  /** Whether it begins as a stream at once for a client that would rather have one: the status is 200 whatever comes. */
  readonly streamWhenPreferred: boolean;
  /** The response is finished, or the client is gone. */
  closed(finished: boolean): void;
}

export interface AcceptedKinds {
  readonly json: boolean;
  readonly stream: boolean;
  /** It is named with a greater weight than JSON, or with the same one and before it. */
  readonly streamPreferred: boolean;
}

/** What was read last: clients say the same each time. */
let last: { readonly accept: string; readonly kinds: AcceptedKinds } | null = null;

/** @throws AppError `mcp_not_acceptable` */
export function acceptedKinds(req: FrontRequest): AcceptedKinds {
  const accept = req.headers.accept ?? '*/*';
  if (last?.accept !== accept) last = { accept, kinds: kindsIn(accept) };
  return last.kinds;
}

function kindsIn(accept: string): AcceptedKinds {
  const any = accept.includes('*/*');
  const json = any || accept.includes('application/json') || accept.includes('application/*');
  const stream = any || accept.includes('text/event-stream') || accept.includes('text/*');
  if (json || stream) return { json, stream, streamPreferred: prefersStream(accept) };
  throw new AppError('mcp_not_acceptable', 'Accept must allow application/json and text/event-stream.', {
    kind: 'invalid',
  });
}

function prefersStream(accept: string): boolean {
  const named = accept.split(',').map((item) => {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, weight: weight === undefined ? 1 : Number(weight.slice(2)) };
  });
  const first = named.toSorted((a, b) => b.weight - a.weight).find(({ type }) => KINDS.has(type));
  return first?.type === 'text/event-stream';
}

const KINDS: ReadonlySet<string> = new Set(['application/json', 'text/event-stream']);

export class HttpExchange {
  readonly #res: FrontResponse;
  readonly #accepts: AcceptedKinds;
  readonly #options: ExchangeOptions;
  readonly #open: Set<string>;
  readonly #answers: string[] = [];
  #stream: Outlet | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(req: FrontRequest, res: FrontResponse, options: ExchangeOptions) {
    this.#res = res;
    this.#accepts = acceptedKinds(req);
    this.#options = options;
    this.#open = new Set(options.idTexts);
    if (options.streamWhenPreferred && this.#accepts.streamPreferred) this.#begin();
    else if (options.streamEarly && this.#accepts.stream) {
      this.#timer = setTimeout(() => this.#begin(), limits.mcpStreamAfterMs);
    }
    res.once('close', () => {
      this.#stopTimer();
      options.closed(res.writableFinished);
    });
  }

  /** Whether the response has become a stream. */
  get streaming(): boolean {
    return this.#stream !== null;
  }

  /** Whether anything but answers may be sent on it: now, or to a client that comes back. */
  get canStream(): boolean {
    return this.#accepts.stream && (this.#stream !== null || !this.#res.destroyed);
  }

  /** Whether that would reach the client now. */
  get connected(): boolean {
    return this.#stream === null ? this.canStream : this.#stream.connected;
  }

  send(text: string): void {
    if (this.canStream) this.#begin().send(text);
  }

  /** Ends the response before the answer, where its client may come back for that. */
  pause(retryMs: number, again: () => void): void {
    if (this.connected && this.canStream && this.#open.size === 1) this.#begin().pause?.(retryMs, again);
  }

  answer(idText: string, text: string | null): void {
    if (!this.#open.delete(idText)) return;
    if (text !== null) {
      if (this.#stream === null && this.#accepts.json) this.#answers.push(text);
      else this.#begin().send(text);
    }
    if (this.#open.size === 0) this.#finish();
  }

  /** Ends the response without the answers that are missing. */
  end(): void {
    if (this.#open.size === 0) return;
    this.#open.clear();
    this.#finish();
  }

  #begin(): Outlet {
    this.#stopTimer();
    if (this.#stream !== null) return this.#stream;
    const stream = this.#options.stream(this.#res);
    this.#stream = stream;
    for (const answer of this.#answers.splice(0)) stream.send(answer);
    return stream;
  }

  #finish(): void {
    this.#stopTimer();
    if (this.#stream !== null) {
      this.#stream.end();
      return;
    }
    const [first] = this.#answers;
    if (first === undefined) {
      if (!this.#res.headersSent) this.#res.writeHead(202, this.#options.headers());
      this.#res.end();
      return;
    }
    const options = this.#options;
    const status = options.batch ? 200 : options.status(first);
    const text = options.batch ? `[${this.#answers.join(',')}]` : first;
    answerJson(this.#res, status, text, { ...options.headers(), ...(options.batch ? {} : retryAfter(text)) });
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
