/** One Server-Sent Events response: messages as they come, comments to keep it open, an end. */
import { limits } from '../../kernel/index.ts';
import type { FrontResponse } from './http-message.ts';

export class EventStream {
  readonly #res: FrontResponse;
  readonly #keepAlive: NodeJS.Timeout;

  constructor(res: FrontResponse, headers: Readonly<Record<string, string>>) {
    this.#res = res;
    res.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      ...headers,
    });
    res.flushHeaders();
    this.#keepAlive = setInterval(() => this.#write(': keep-alive\n\n'), limits.mcpKeepAliveMs);
    res.once('close', () => clearInterval(this.#keepAlive));
  }

  get connected(): boolean {
    return !this.#res.destroyed && !this.#res.writableEnded;
  }

  /**
   * @param text one JSON text without line breaks
   * @param id what a client names the event by when it comes back; absent on streams that cannot be resumed
   */
  send(text: string, id?: string): void {
    const data = text.replaceAll('\n', ' ').replaceAll('\r', ' ');
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${data}\n\n`);
  }

  /** Says where the stream is, and when to come back if it breaks, before anything is sent on it. */
  prime(id: string): void {
    this.#write(`id: ${id}\nretry: ${limits.mcpReconnectMs}\ndata: \n\n`);
  }

  /** Says when to come back, whatever was said of that before. */
  retryIn(ms: number): void {
    this.#write(`retry: ${ms}\n\n`);
  }

  /** Where a client of revision 2024-11-05 sends its messages: the first event of its stream. */
  sendEndpoint(address: string): void {
    this.#write(`event: endpoint\ndata: ${address}\n\n`);
  }

  end(): void {
    clearInterval(this.#keepAlive);
    this.#res.end();
  }

  #write(frame: string): void {
    if (!this.connected) return;
    // A client that does not read must not fill the gateway's memory.
    if (this.#res.writableLength > limits.mcpSendBufferBytesMax) this.#res.destroy();
    else this.#res.write(frame);
  }
}
