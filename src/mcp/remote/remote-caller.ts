/**
 * One HTTP exchange with a server elsewhere, to its end: sent on within its own origin where it says so, tried once more
 * after a new login, and put into words where its answer is none. Whatever the server says about where else to go,
 * no request leaves its origin.
 */
import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { AppError, type Clock, limits, type Log } from '../../kernel/index.ts';
import type { HttpTransport, UpstreamHttpAnswer, UpstreamHttpRequest } from '../ports/upstreams.ts';
import { Pieces } from '../upstream/pieces.ts';
import { printable } from '../protocol/printable.ts';

export interface RemoteDeps {
  readonly transport: HttpTransport;
  readonly slug: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The gateway's own, for `User-Agent`. */
  readonly version: string;
}

type Header = readonly [string, string];

export interface RemoteRequest {
  readonly method: UpstreamHttpRequest['method'];
  readonly headers: readonly Header[];
  readonly body: string | null;
  /** Absent: where the manifest says. */
  readonly url?: URL;
}

export class RemoteCaller {
  readonly #deps: RemoteDeps;

  constructor(deps: RemoteDeps) {
    this.#deps = deps;
  }

  get slug(): string {
    return this.#deps.slug;
  }

  /** @throws AppError `upstream_redirected`, or as `HttpTransport.exchange` and `challenged` */
  async ask(request: RemoteRequest, signal: AbortSignal): Promise<UpstreamHttpAnswer> {
    const answer = await this.#follow(request, signal);
    const { status } = answer;
    if (status !== 401 && status !== 403) return answer;
    if (!(await this.#hasAnother(answer, status))) return answer;
    answer.body.destroy();
    return this.#follow(request, signal);
  }

  /** Whether there is another login to try. */
  async #hasAnother(answer: UpstreamHttpAnswer, status: 401 | 403): Promise<boolean> {
    try {
      return await this.#deps.transport.challenged(status, answer.header('www-authenticate'));
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
  }

  async #follow(request: RemoteRequest, signal: AbortSignal): Promise<UpstreamHttpAnswer> {
    const { transport, version } = this.#deps;
    const { method, body } = request;
    const headers: readonly Header[] = [['User-Agent', `sallyport/${version}`], ...request.headers];
    let url = request.url ?? transport.url;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await transport.exchange({ method, url, headers, body }, signal);
      if (answer.status < 300 || answer.status > 399 || answer.status === 304) return answer;
      answer.body.destroy();
      url = this.#next(answer, url, redirects);
    }
  }

  /** Only what keeps method and body, and stays where it is. */
  #next(answer: UpstreamHttpAnswer, from: URL, redirects: number): URL {
    const location = answer.header('location');
    const to = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : null;
    const stays = to !== null && to.origin === from.origin && to.username === '' && to.password === '';
    const keeps = answer.status === 307 || answer.status === 308;
    if (stays && keeps && redirects < limits.remoteRedirectsMax) return to;
    const where = to === null ? 'nowhere' : printable(stays ? to.pathname : to.origin, 200);
    const why = stays ? `with HTTP ${answer.status}` : 'which is not where its credentials may go';
    throw new AppError(
      'upstream_redirected',
      `The server "${this.slug}" sends its callers on to ${where}, ${why}.`,
      {
        kind: 'unavailable',
        hint: `Redirections are not followed. If that is its address now, add it by that one: sallyport server add https://…, and remove ${this.slug}.`,
      },
    );
  }
}

/** Of `Content-Type`, without its parameters, in lower case. */
export const mediaType = (answer: UpstreamHttpAnswer): string =>
  (answer.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';

export const isStream = (answer: UpstreamHttpAnswer): boolean =>
  answer.status >= 200 && answer.status < 300 && mediaType(answer) === 'text/event-stream';

/** @throws AppError `upstream_answer_too_large`, `upstream_answer_malformed`, or why the body broke off */
export async function readAnswer(slug: string, body: Readable): Promise<string> {
  const { bytes, isWhole } = await readUpTo(body, limits.mcpMessageBytesMax);
  if (!isWhole) throw tooLarge(slug);
  if (!isUtf8(bytes)) throw malformed(slug, 'that is not UTF-8');
  return bytes.toString('utf8').trim();
}

async function readUpTo(body: Readable, max: number): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const pieces = new Pieces();
  for await (const piece of body) {
    if (!Buffer.isBuffer(piece)) continue;
    pieces.push(piece);
    if (pieces.length > max) return { bytes: pieces.take().subarray(0, max), isWhole: false };
  }
  return { bytes: pieces.take(), isWhole: true };
}

export const noLongerWanted = (): AppError =>
  new AppError('upstream_cancelled', 'Nobody waits for this any more.', { kind: 'unavailable' });

export const tooLarge = (slug: string): AppError =>
  new AppError(
    'upstream_answer_too_large',
    `The server "${slug}" sent a message larger than ${limits.mcpMessageBytesMax / limits.MIB} MiB.`,
    { kind: 'unavailable' },
  );

export const malformed = (slug: string, what: string): AppError =>
  new AppError('upstream_answer_malformed', `The server "${slug}" sent a message ${what}.`, {
    kind: 'unavailable',
  });

/** What it is that came in place of an answer. Reads some of it. */
export async function statusError(slug: string, answer: UpstreamHttpAnswer): Promise<AppError> {
  const { status } = answer;
  const said = await errorText(answer);
  const detail = { status };
  if (status === 401)
    return new AppError(
      'upstream_unauthorized',
      `The server "${slug}" does not accept the login that it was shown (HTTP 401).`,
      {
        kind: 'unavailable',
        hint: `See what is set: sallyport secret list ${slug}. A credential that it does not have yet is declared with: sallyport secret inject ${slug} NAME --bearer`,
        detail,
      },
    );
  if (status === 403)
    return new AppError('upstream_forbidden', `The server "${slug}" refuses this (HTTP 403).${said}`, {
      kind: 'unavailable',
      hint: 'The credential that is set may not be enough for it.',
      detail,
    });
  if (status === 429) {
    const after = /^\d{1,6}$/.exec(answer.header('retry-after') ?? '')?.[0];
    return new AppError('upstream_limited', `The server "${slug}" has had too many requests (HTTP 429).`, {
      kind: 'limited',
      hint: after === undefined ? 'Try again later.' : `Try again in ${after} s.`,
      detail,
    });
  }
  return new AppError('upstream_http_status', `The server "${slug}" answered with HTTP ${status}.${said}`, {
    kind: 'unavailable',
    detail,
  });
}

async function errorText(answer: UpstreamHttpAnswer): Promise<string> {
  if (!/^(?:text\/plain|application\/(?:[\w.-]+\+)?json)$/.test(mediaType(answer))) {
    answer.body.destroy();
    return '';
  }
  try {
    const { bytes } = await readUpTo(answer.body, limits.remoteErrorBytesMax);
    const text = printable(bytes.toString('utf8').trim(), limits.remoteErrorShownCharsMax);
    return text === '' ? '' : ` It says: ${text}`;
  } catch {
    return '';
  }
}
