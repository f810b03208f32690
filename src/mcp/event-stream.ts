/** One Server-Sent Events response: messages as they come, comments to keep it open, an end. */
import type { ServerResponse } from 'node:http';
import { limits } from '../kernel/index.ts';

export class EventStream {
  readonly #res: ServerResponse;
  readonly #keepAlive: NodeJS.Timeout;

  constructor(res: ServerResponse, headers: Readonly<Record<string, string>>) {
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

  /** @param text one JSON text without line breaks */
  send(text: string): void {
    this.#write(`event: message\ndata: ${text.replaceAll('\n', ' ').replaceAll('\r', ' ')}\n\n`);
  }

  end(): void {
    clearInterval(this.#keepAlive);
    this.#res.end();
  }

  #write(frame: string): void {
    if (this.#res.destroyed || this.#res.writableEnded) return;
    // A client that does not read must not fill the gateway's memory.
    if (this.#res.writableLength > limits.mcpSendBufferBytesMax) this.#res.destroy();
    else this.#res.write(frame);
  }
}
