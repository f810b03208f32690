/**
 * The link to a server elsewhere. It is taken to speak Streamable HTTP; where it refuses the handshake in the way that servers
 * of revision 2024-11-05 do, and has the event stream of those, it is spoken to like that (MCP 2025-11-25, Transports,
 * "Backwards Compatibility").
 */
import { type AppError, isAppError } from '../../kernel/index.ts';
import type { LinkRequest, LinkSink, UpstreamLink } from '../upstream/upstream-link.ts';
import { HttpSseWay } from './http-sse-way.ts';
import type { HttpWay } from './http-way.ts';
import type { RemoteDeps } from './remote-caller.ts';
import { StreamableWay } from './streamable-way.ts';

/** What servers answer to a POST at the address of an event stream. */
const NOT_STREAMABLE: ReadonlySet<unknown> = new Set([400, 404, 405, 406, 415]);

export class HttpLink implements UpstreamLink {
  readonly #deps: RemoteDeps;
  #way: HttpWay | null = null;
  #hello: LinkRequest | null = null;

  constructor(deps: RemoteDeps) {
    this.#deps = deps;
  }

  get backlogBytes(): number {
    return this.#way?.backlogBytes ?? 0;
  }

  /** Whether the server keeps a session for this connection, as it may once it was greeted. */
  get hasSession(): boolean {
    return this.#way?.hasSession ?? false;
  }

  listen(sink: LinkSink): void {
    const { transport } = this.#deps;
    this.#way = new StreamableWay(this.#deps, {
      message: (text, about) => {
        this.#hello = null;
        return sink.message(text, about);
      },
      failed: (idText, error) => {
        const hello = this.#hello;
        if (hello === null || hello.idText !== idText || !NOT_STREAMABLE.has(error.detail?.['status']))
          sink.failed(idText, error);
        else void this.#fallBack(sink, hello, error);
      },
      paused: (idText, retryMs, again) => sink.paused(idText, retryMs, again),
      waits: (idText) => sink.waits(idText),
    });
    const forget = transport.onFarewell(() => this.#way?.farewell() ?? Promise.resolve());
    void transport.exited.then((exit) => {
      forget();
      this.#way?.close();
      sink.exited(exit);
    });
  }

  request(request: LinkRequest): void {
    if (request.method === 'initialize') this.#hello = request;
    this.#way?.request(request);
  }

  send(text: string): void {
    this.#way?.send(text);
  }

  cancel(idText: string, notification: string | null): void {
    this.#way?.cancel(idText, notification);
  }

  /** What a server elsewhere prints stays there. */
  lastWords(): string {
    return '';
  }

  async #fallBack(sink: LinkSink, hello: LinkRequest, refused: AppError): Promise<void> {
    const { transport } = this.#deps;
    this.#hello = null;
    const way = new HttpSseWay(this.#deps, sink);
    try {
      await way.open();
    } catch (error) {
      // What it said to the POST is what it says to most clients; unless it has a stream after all.
      const said = isAboutStream(error) ? error : refused;
      return sink.failed(hello.idText, said);
    }
    transport.note('it speaks HTTP+SSE, the transport of revision 2024-11-05');
    this.#way?.close();
    this.#way = way;
    way.request(hello);
  }
}

/** Whether the server has an event stream, and something is wrong with it. */
const isAboutStream = (error: unknown): error is AppError =>
  isAppError(error) && error.code.startsWith('upstream_endpoint_');
