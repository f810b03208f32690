/**
 * HTTP+SSE, the transport of revision 2024-11-05: one stream on which everything comes, which first names the address that
 * messages are sent to. An address elsewhere is none: nothing is sent to another origin. Where the stream ends, so
 * does the connection; the next call begins another.
 */
import { AppError, limits } from '../../kernel/index.ts';
import type { UpstreamHttpAnswer } from '../ports/upstreams.ts';
import { printable } from '../protocol/printable.ts';
import type { LinkRequest } from '../upstream/upstream-link.ts';
import { asAppError, readEvents, startOfStream } from './events.ts';
import type { HttpWay, HttpWaySink } from './http-way.ts';
import { isStream, noLongerWanted, RemoteCaller, type RemoteDeps, statusError } from './remote-caller.ts';

export class HttpSseWay implements HttpWay {
  readonly #deps: RemoteDeps;
  readonly #sink: HttpWaySink;
  readonly #caller: RemoteCaller;
  readonly #closing = new AbortController();
  readonly #endpoint = Promise.withResolvers<URL>();
  #backlogBytes = 0;

  constructor(deps: RemoteDeps, sink: HttpWaySink) {
    this.#deps = deps;
    this.#sink = sink;
    this.#caller = new RemoteCaller(deps);
    this.#endpoint.promise.catch(() => undefined);
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** The stream is one. */
  get hasSession(): boolean {
    return true;
  }

  /** @throws AppError when the server does not speak this either */
  async open(): Promise<void> {
    const late = setTimeout(
      () => this.#endpoint.reject(noEndpoint(this.#deps.slug)),
      limits.remoteEndpointMs,
    );
    const headers = [['Accept', 'text/event-stream']] as const;
    try {
      const answer = await this.#caller.ask({ method: 'GET', headers, body: null }, this.#closing.signal);
      if (!isStream(answer)) throw await statusError(this.#deps.slug, answer);
      void this.#read(answer);
      await this.#endpoint.promise;
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  request({ idText, text }: LinkRequest): void {
    void this.#post(text).catch((error: unknown) =>
      this.#sink.failed(idText, asAppError(this.#deps.slug, error)),
    );
  }

  send(text: string): void {
    void this.#post(text).catch((error: unknown) => {
      const { code } = asAppError(this.#deps.slug, error);
      this.#deps.log.debug('mcp.upstream.not_taken', { server: this.#deps.slug, code });
    });
  }

  cancel(_idText: string, notification: string | null): void {
    if (notification !== null) this.send(notification);
  }

  /** There is nothing to say: closing the stream says it. */
  farewell(): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  close(): void {
    this.#closing.abort(noLongerWanted());
  }

  async #read({ body }: UpstreamHttpAnswer): Promise<void> {
    const { slug, transport } = this.#deps;
    let hasEndpoint = false;
    const cut = await readEvents(slug, body, startOfStream(), {
      event: (type, data) => {
        if (type === 'message') return this.#sink.message(data);
        if (type !== 'endpoint' || hasEndpoint) return false;
        hasEndpoint = true;
        const url = URL.canParse(data, transport.url.href) ? new URL(data, transport.url) : null;
        if (url?.origin === transport.url.origin) this.#endpoint.resolve(url);
        else this.#endpoint.reject(foreign(slug, url));
        return true;
      },
      broken: (error) => this.#sink.failed(null, error),
    });
    this.#endpoint.reject(cut ?? noEndpoint(slug));
    if (hasEndpoint && !this.#closing.signal.aborted) await transport.streamEnded();
  }

  async #post(text: string): Promise<void> {
    const { slug } = this.#deps;
    this.#backlogBytes += text.length;
    try {
      const url = await this.#endpoint.promise;
      const headers = [['Content-Type', 'application/json']] as const;
      const answer = await this.#caller.ask(
        { method: 'POST', headers, body: text, url },
        this.#closing.signal,
      );
      if (answer.status < 200 || answer.status > 299) throw await statusError(slug, answer);
      answer.body.destroy();
    } finally {
      this.#backlogBytes -= text.length;
    }
  }
}

const noEndpoint = (slug: string): AppError =>
  new AppError(
    'upstream_endpoint_missing',
    `The server "${slug}" opened an event stream, and did not say where messages go.`,
    { kind: 'unavailable' },
  );

const foreign = (slug: string, url: URL | null): AppError =>
  new AppError(
    'upstream_endpoint_foreign',
    `The server "${slug}" wants its messages sent to ${url === null ? 'what is no address' : printable(url.origin, 200)}, which is not where it is.`,
    { kind: 'unavailable', hint: 'Nothing was sent there.' },
  );
