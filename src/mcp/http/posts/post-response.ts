/**
 * The response to a POST that was read here: a JSON answer goes out in one piece with its head, a stream in chunks.
 * It trusts the front with what is in it; a header that would end the head is a mistake of the front's own.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { limits } from '../../../kernel/index.ts';
import type { FrontResponse } from '../http-message.ts';

const UNPRINTABLE = /[^\t\x20-\x7e]/;
const KEEP_ALIVE = `Connection: keep-alive\r\nKeep-Alive: timeout=${limits.frontIdleMs / 1_000}\r\n`;
const CLOSE = 'Connection: close\r\n';
const LAST_CHUNK = '0\r\n\r\n';

export class PostResponse implements FrontResponse {
  readonly #socket: Socket;
  readonly #date: () => string;
  readonly #listeners: (() => void)[] = [];
  #closed = false;
  #fields = '';
  /** The head, from when it is known until it is sent. */
  #head = '';
  #length: number | null = null;
  #chunked = false;
  keepAlive: boolean;
  headersSent = false;
  writableEnded = false;
  writableFinished = false;

  /** @param date the field's line, for now */
  constructor(socket: Socket, keepAlive: boolean, date: () => string) {
    this.#socket = socket;
    this.keepAlive = keepAlive;
    this.#date = date;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  setHeader(name: string, value: string): void {
    this.#fields += field(name, value);
  }

  writeHead(status: number, headers: Readonly<Record<string, string | number>> = {}): this {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${this.#fields}`;
    for (const [name, value] of Object.entries(headers)) {
      if (name === 'connection') this.keepAlive &&= value !== 'close';
      else if (name === 'content-length') this.#length = Number(value);
      else head += field(name, String(value));
    }
    this.#head = `${head}${this.#date()}${this.keepAlive ? KEEP_ALIVE : CLOSE}`;
    this.headersSent = true;
    return this;
  }

  flushHeaders(): void {
    this.#chunked = true;
    this.#socket.write(`${this.#head}Transfer-Encoding: chunked\r\n\r\n`, 'latin1');
    this.#head = '';
  }

  write(text: string): void {
    if (this.writableEnded || text === '') return;
    this.#socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
  }

  end(text = ''): void {
    if (this.writableEnded) return;
    this.writableEnded = true;
    if (this.#chunked) {
      this.#socket.write(LAST_CHUNK, 'latin1', this.#written);
      return;
    }
    const bytes = this.#length ?? Buffer.byteLength(text);
    const message = `${this.#head}Content-Length: ${bytes}\r\n\r\n${text}`;
    // As many bytes as characters: plain ASCII, which is copied without a look at it.
    this.#socket.write(message, bytes === text.length ? 'latin1' : 'utf8', this.#written);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  once(_event: 'close', listener: () => void): void {
    if (this.#closed) queueMicrotask(listener);
    else this.#listeners.push(listener);
  }

  /** The connection is gone, or the response finished. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#listeners.splice(0)) listener();
  }

  readonly #written = (error?: Error | null): void => {
    if (error instanceof Error) return;
    this.writableFinished = true;
    this.close();
  };
}

function field(name: string, value: string): string {
  if (UNPRINTABLE.test(value)) throw new Error(`the value of ${name} is no field value`);
  return `${name}: ${value}\r\n`;
}
